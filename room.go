package siltstone

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// leastSpare is the space that is kept, beside what replaying the logs takes: for the
// first log of a start, for the one after it, and for a table of what the first holds.
const leastSpare = 224 << 10

// keepSpare keeps the space with which a full disk is left, also by a start after a
// crash: that of the tables which replaying makes, of a manifest and of a log. It
// reports whether all of it is kept.
func (db *DB) keepSpare(replay int64) (kept bool) {
	return !db.life.Poisoned() && db.spare.Keep(leastSpare+replay+db.set.NewLogBytes())
}

// withRoom calls a step of a start. If the disk is full it calls it again with the room
// that the store had kept, and then without the files that a start before, which was
// cut short, has left: those had taken that room.
func (db *DB) withRoom(leftovers func() bool, step func() error) error {
	err := db.spare.Try(step)
	if errors.Is(err, ErrNoSpace) && leftovers() {
		err = storedir.NoSpace(step())
	}
	return err
}

// oldManifests removes the manifests that CURRENT does not name, before there is a new
// one. It may have been renamed a moment before a crash, so the name is made durable
// first. Tables stay: what the page cache shows of the manifest may not be on disk.
func (db *DB) oldManifests(files storedir.Listing, info *manifest.Info) func() bool {
	return func() (any bool) {
		if info == nil || db.dir.Sync() != nil {
			return false
		}
		for _, n := range files.Manifests {
			if n != info.Number {
				db.remove(base.FileManifest, n)
				any = true
			}
		}
		for _, name := range files.Temps {
			_ = db.dir.FS.Remove(db.dir.Join(name))
		}
		return any || len(files.Temps) > 0
	}
}

// removeUnreferenced removes files that the recovered state does not refer to, and
// reports whether there was one: outputs of merges that no edit installed, older
// manifests. It runs before the workers start, once the manifest is writable, and goes
// by a listing from before any new file was made.
func (db *DB) removeUnreferenced(files storedir.Listing) (any bool) {
	live := map[base.FileNum]bool{}
	for _, t := range db.set.State().Version.AllTables() {
		live[t.Num] = true
	}
	for _, n := range files.Tables {
		if !live[n] {
			db.remove(base.FileTable, n)
			any = true
		}
	}
	_, inUse := db.set.LogName()
	for _, n := range files.Manifests {
		if n != inUse {
			db.remove(base.FileManifest, n)
			any = true
		}
	}
	for _, name := range files.Temps {
		_ = db.dir.FS.Remove(db.dir.Join(name))
		any = true
	}
	return any
}
