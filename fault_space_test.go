package siltstone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// A store that cannot be opened for want of space says so, and what it needs. It
// loses nothing, and can be read meanwhile.
func TestOpenOnAFullDiskIsErrNoSpaceAndLosesNothing(t *testing.T) {
	for _, name := range []string{"new", "closed", "killed"} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			mem.SetCapacity(16 << 20)
			o := &Options{FS: mem, MemtableBytes: 256 << 10, manualWork: true}
			var killed *DB
			if name != "new" {
				db, err := Open("db", o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 500 {
					if err := db.Put(fmt.Appendf(nil, "k%06d", i), make([]byte, 1000)); err != nil {
						t.Fatal(err)
					}
				}
				if name == "closed" {
					mustClose(t, db)
				} else if err := db.lock.Close(); err != nil {
					t.Fatal(err)
				} else {
					db.lock, killed = nil, db
				}
			}
			giveBack := takeAll(t, mem)
			for range 3 {
				if _, err := Open("db", o); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "free disk space") {
					t.Fatalf("with no byte free: %v", err)
				}
			}
			if name != "new" {
				db, err := Open("db", &Options{FS: mem, ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Get([]byte("k000499")); err != nil {
					t.Error(err)
				}
				mustClose(t, db)
			}
			giveBack()
			db, err := Open("db", o)
			if err != nil {
				t.Fatal(err)
			}
			if has, err := db.Has([]byte("k000499")); has != (name != "new") || err != nil {
				t.Error(has, err)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
			mustClose(t, db)
			if killed != nil {
				killed.abandon()
			}
		})
	}
}

// Merges that Close or a context interrupts are done another time: nobody is to be
// woken for them.
func TestAnInterruptedMergeIsNoAlarm(t *testing.T) {
	var tally tally
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, ErrClosed} {
		e := CompactionEnd{Kind: "merge", Err: err}
		if tally.count(e); level(e) != slog.LevelDebug || level(FlushEnd{Err: err}) != slog.LevelDebug {
			t.Errorf("%v is logged at %v", err, level(e))
		}
	}
	if e := (CompactionEnd{Err: errors.New("input/output error")}); level(e) != slog.LevelError || tally.compactions.Failed != 0 {
		t.Errorf("%v is logged at %v, %d failed", e, level(e), tally.compactions.Failed)
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
