package siltstone

import (
	"io"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/beside"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/memtable"
)

// Wiring of a store beside its writer. How a state is found is in
// internal/engine/beside.

// takeDir takes the directory of a store for use, or makes that of a reader beside its
// writer. It returns the one that has the tables to be read, and what gives it back.
func takeDir(store storedir.Dir, o *Options) (own storedir.Dir, lock io.Closer, err error) {
	if !o.Beside {
		lock, err = store.Lock(storedir.Use{ReadOnly: o.ReadOnly, MustExist: o.MustExist})
		return store, lock, err
	}
	r, err := beside.Open(store, o.MemtableBytes)
	if err != nil {
		return own, nil, err
	}
	return r.Dir(), r, nil
}

// reader returns the reader beside the writer that the store is; nil if it is none.
func (db *DB) reader() *beside.Reader {
	r, _ := db.lock.(*beside.Reader)
	return r
}

// storeDir returns the store's directory, also of a reader that has one of its own.
func (db *DB) storeDir() storedir.Dir {
	if r := db.reader(); r != nil {
		return r.Store()
	}
	return db.dir
}

// unlink removes a file that nothing refers to.
func (db *DB) unlink(t base.FileType, n base.FileNum) error {
	if r := db.reader(); r != nil && t == base.FileTable {
		return r.Remove(n)
	}
	return db.dir.FS.Remove(db.dir.Name(t, n))
}

// show makes a state that was found the one that is read. Reads see the sequence rise
// first: a state has nothing above its own last one, so one that is pinned shows the same.
func (db *DB) show(r *beside.Reader, f *beside.Found) error {
	db.spaces.Changing.Lock() // who looks a keyspace up hands it out by the same state
	defer db.spaces.Changing.Unlock()
	for _, m := range f.Mems {
		if m.Reserved == 0 {
			m.Reserved = m.Bytes()
			db.states.Tables.Cache().Reserve(m.Reserved)
		}
	}
	next := db.states.Prepare(func(rs *readstate.State) {
		rs.Version, rs.Mem, rs.Imms = f.State.Version, &readstate.Mem{Table: memtable.New(leastMemtable)}, f.Mems
		rs.LastSeq = f.LastSeq
	})
	dropped, err := db.droppedIn(next)
	if err != nil {
		db.states.Drop(next)
		return err
	}
	r.Keep(f)
	db.clock.Advance(f.Clock)
	for _, s := range dropped {
		s.End(f.LastSeq)
	}
	db.section.StartReading(f.LastSeq)
	db.set.Follow(f.State, func() { db.states.Install(next) })
	db.past.Show(f.State, f.End())
	db.spaces.Forget(dropped...)
	return nil
}

// droppedIn returns the keyspaces that were handed out and are not in the state any more.
func (db *DB) droppedIn(rs *readstate.State) (dropped []*keyspace.Space, err error) {
	for _, s := range db.spaces.All() {
		row := keyenc.AppendRegistryRow(nil, s.Name)
		f, err := rs.Get(row, base.HashRow(row), rs.LastSeq)
		if err != nil {
			return nil, err
		}
		if !f.OK || keyspace.Number(f.Value) != s.Number {
			dropped = append(dropped, s)
		}
		f.Loan.Return()
	}
	return dropped, nil
}
