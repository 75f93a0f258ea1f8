package siltstone

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestConflictsAndReapedCollectionsAreCounted(t *testing.T) {
	typedtest.InRows(t)
	var reaped []Reaped
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, OnEvent: func(e Event) {
		if r, is := e.(Reaped); is {
			reaped = append(reaped, r)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin(t.Context(), ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Get([]byte("k")); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("k"), nil), tx.Put([]byte("other"), nil)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	if _, err := db.Set("s").Add("a", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Key("s").Drop(); err != nil {
		t.Fatal(err)
	}
	if err := db.step(); err != nil {
		t.Fatal(err)
	}
	m := db.Metrics()
	if m.Commits.Conflicts != 1 || m.Dead.Reaped != 1 || len(reaped) != 1 || reaped[0].Collections != 1 {
		t.Errorf("%v reaped\n%v", reaped, m)
	}
}

func TestDiskFiguresAreWhatTheDirectoryHolds(t *testing.T) {
	dir := t.TempDir()
	db := storeIn(t, dir)
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if err := db.Compact(t.Context(), Range{}); err != nil {
		t.Fatal(err)
	}
	sum := func(pattern string) (n int64) {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			n += st.Size()
		}
		return n
	}
	d := db.Metrics().Disk
	if d.Tables+d.Obsolete != sum("*.sst") || d.Obsolete == 0 || d.Logs != sum("*.wal") || d.Manifest != sum("MANIFEST-*") || d.Free <= 0 {
		t.Errorf("%+v", d)
	}
}

// Many collections that have ended lie in one block: it counts once. Ranges are
// counted for what tables hold of them, so the sum is never more than there is.
func TestDeadBytesAreAtMostWhatTablesTake(t *testing.T) {
	typedtest.InRows(t)
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, MemtableBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 2000 {
		if _, err := db.Set(fmt.Sprint("s", i)).Add("a", "b"); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2000; i += 2 {
		if _, err := db.Key(fmt.Sprint("s", i)).Drop(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // suspected, then decided
		m := db.Metrics()
		if m.Dead.Bytes == 0 || m.Dead.Bytes > m.Tables.Bytes {
			t.Errorf("%d bytes are dead, with %d collections undecided, of %d in tables", m.Dead.Bytes, m.Dead.Collections, m.Tables.Bytes)
		}
		if _, err := db.reapStep(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Compact(t.Context(), Range{}), db.step()); err != nil {
		t.Fatal(err)
	}
	if d := db.Metrics().Dead; d.Bytes != 0 || d.Collections != 0 {
		t.Errorf("after a merge of everything: %+v", d)
	}
}

func TestWalksCountTheirHits(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, MemtableBytes: 8 << 20, blockSize: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 1000 {
		if err := db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const walks = 20
	for range walks {
		for _, err := range db.Scan(Range{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	c := db.Metrics().Cache
	if most := walks * db.Metrics().Cache.Blocks; c.Blocks < 500 || c.Hits < most/2 || c.Hits > 2*most {
		t.Errorf("%d walks over %d cached blocks: %d hits, %d misses", walks, c.Blocks, c.Hits, c.Misses)
	}
}

// OpenHandles and Metrics().Open are what the user has left open: the reaper's own
// transactions are not among them.
func TestTheReaperIsNoOpenHandle(t *testing.T) {
	typedtest.InRows(t)
	f := vfstest.NewFaults(vfs.NewMem())
	db, err := Open("db", &Options{FS: f, manualWork: true, TrackOpen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Set("s").Add("a", "b"); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Key("s").Drop(); err != nil {
		t.Fatal(err)
	}
	looks := 0
	f.OnOp(func(vfstest.Op) {
		looks++
		if n := len(db.OpenHandles()); n != 0 || db.handles.err() != nil {
			t.Errorf("%d handles are open while the reaper works: %v", n, db.handles.err())
		}
	})
	did, err := db.reapStep()
	f.OnOp(nil)
	if !did || err != nil || looks == 0 || db.Metrics().Open != (OpenMetrics{}) {
		t.Errorf("did %v, %v; looked %d times; %+v", did, err, looks, db.Metrics().Open)
	}
}
