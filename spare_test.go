package siltstone

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
)

// fillAndSetAside puts some rows, sets the memtable aside and flushes it.
func fillAndSetAside(t *testing.T, db *DB) {
	t.Helper()
	for i := range 100 {
		if err := db.Put(fmt.Append(nil, i), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.section.Rotate(db.section.Mem()); err != nil {
		t.Fatal(err)
	}
	flushOne(t, db)
}

func flushOne(t *testing.T, db *DB) {
	t.Helper()
	if done, err := db.work.FlushStep(); err != nil || !done {
		t.Fatalf("no memtable was flushed: %v", err)
	}
}

func TestFlushedMemtableIsTheNextOne(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := db.section.Mem().Table
	reserved := db.states.Tables.Cache().Metrics().Reserved
	fillAndSetAside(t, db)
	if held, more := db.section.Recycler.Bytes(), db.states.Tables.Cache().Metrics().Reserved-reserved; held == 0 || held != more {
		t.Errorf("the spare holds %d bytes, the budget counts %d more", held, more)
	}
	second := db.section.Mem().Table
	fillAndSetAside(t, db)
	if now := db.section.Mem().Table; now != first {
		t.Error("the memtables did not take turns")
	}
	fillAndSetAside(t, db)
	if now := db.section.Mem().Table; now != second {
		t.Error("the memtables did not take turns again")
	}
	if !db.section.Mem().Empty() {
		t.Error("the memtable was not reset")
	}
	db.section.Recycler.Drop()
	if held, more := db.section.Recycler.Bytes(), db.states.Tables.Cache().Metrics().Reserved-reserved; held != 0 || more != 0 {
		t.Errorf("after the drop there are %d bytes, and %d more in the budget", held, more)
	}
}

// A sealed batch has a table that is packed for what it holds and takes no more.
func TestTableOfALargeBatchIsNoSpare(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), MemtableBytes: 1 << 20, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b Batch
	for i := range 1000 {
		b.Put(fmt.Append(nil, i), make([]byte, 1000))
	}
	if err := db.Apply(&b, Buffered); err != nil {
		t.Fatal(err)
	}
	if n := db.section.Unflushed(); n != 2 {
		t.Fatalf("%d memtables are to be flushed, want the one before the batch and the batch", n)
	}
	flushOne(t, db)
	if db.section.Recycler.Bytes() == 0 {
		t.Error("the memtable before the batch is no spare")
	}
	db.section.Recycler.Drop()
	flushOne(t, db)
	if db.section.Recycler.Bytes() != 0 {
		t.Error("the batch's table is kept as a spare")
	}
}
