package siltstone

import (
	"errors"
	"io/fs"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/manifest"
)

// publishVersion publishes the read state with the tables of v.
func (db *DB) publishVersion(v *manifest.Version) {
	db.states.Publish(func(rs *readstate.State) { rs.Version = v })
}

// removeObsolete removes table files that no version and no read state lists
// any more, and retired logs.
func (db *DB) removeObsolete() {
	for _, n := range db.tables.TakeObsolete() {
		db.removeFile(base.FileTable, n)
	}
}

// removeFile removes a file that nothing refers to. After a failed write of the
// manifest it removes nothing. A failure to remove is no damage, and is told as
// what it is: the file goes at the next Open.
func (db *DB) removeFile(t base.FileType, n base.FileNum) {
	if db.life.Poisoned() {
		return
	}
	name := base.Filename(t, n)
	err := db.dir.FS.Remove(db.dir.Join(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		db.emit(RemoveFailed{File: name, Err: err})
	}
}
