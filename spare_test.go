package siltstone

import (
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
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
	if err := db.rotate(db.currentMem()); err != nil {
		t.Fatal(err)
	}
	flushOne(t, db)
}

func flushOne(t *testing.T, db *DB) {
	t.Helper()
	if done, err := db.flushStep(); err != nil || !done {
		t.Fatalf("no memtable was flushed: %v", err)
	}
}

func TestFlushedMemtableIsTheNextOne(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := db.currentMem().Table
	reserved := db.blocks.Metrics().Reserved
	fillAndSetAside(t, db)
	if held, more := db.spare.held(), db.blocks.Metrics().Reserved-reserved; held == 0 || held != more {
		t.Errorf("the spare holds %d bytes, the budget counts %d more", held, more)
	}
	second := db.currentMem().Table
	fillAndSetAside(t, db)
	if now := db.currentMem().Table; now != first || db.spare.table != second {
		t.Error("the memtables did not take turns")
	}
	if !db.currentMem().Empty() {
		t.Error("the memtable was not reset")
	}
	db.spare.drop()
	if held, more := db.spare.held(), db.blocks.Metrics().Reserved-reserved; held != 0 || more != 0 {
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
	if n := db.unflushed(); n != 2 {
		t.Fatalf("%d memtables are to be flushed, want the one before the batch and the batch", n)
	}
	flushOne(t, db)
	if db.spare.held() == 0 {
		t.Error("the memtable before the batch is no spare")
	}
	db.spare.drop()
	flushOne(t, db)
	if db.spare.held() != 0 {
		t.Error("the batch's table is kept as a spare")
	}
}

// A commit inside the section validates its reads against the state it finds there,
// without a pin: a rotation and a flush meanwhile must leave the memtable alone.
func TestSpareIsNotResetUnderACommitInTheSection(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fillAndSetAside(t, db)
	spare, full := db.spare.table, db.currentMem()
	row := append([]byte{1}, "7"...)
	there := func() bool {
		_, _, ok := spare.Get(base.HashRow(row), row, base.SeqMax)
		return ok
	}
	if !there() {
		t.Fatal("the spare does not hold what was put")
	}
	db.section.Lock()
	reset := make(chan struct{})
	go func() {
		defer close(reset)
		db.emptyMemtable(full)
	}()
	select {
	case <-reset:
		t.Error("the spare was made ready while a commit was inside the section")
	case <-time.After(20 * time.Millisecond): // nothing is to happen
		if !there() {
			t.Error("the spare was reset while a commit was inside the section")
		}
	}
	db.section.Unlock()
	<-reset
	if there() {
		t.Error("the spare was not reset in the end")
	}
}
