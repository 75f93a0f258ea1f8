package siltstone

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// tableSyncs matches the syncs of table files.
var tableSyncs = vfstest.OnName(".sst", vfstest.Sync)

func TestRecoveryWhoseTablesCannotBeSyncedFailsAndLosesNothing(t *testing.T) {
	const keys = 60
	disk := vfstest.NewDisk(5)
	large := func(o *Options) { o.MemtableBytes = 1 << 20 } // replay makes one of it, and many tables
	db := mustOpen(t, disk, newHandClock(), large)
	for i := range keys {
		putAt(t, db, Sync, fmt.Sprint("key", i), strings.Repeat("v", 1000))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)

	for _, workers := range []bool{false, true} {
		open := func(f vfs.FS) (*DB, error) {
			o := denseOptions(f, newHandClock())
			o.MemtableBytes, o.manualWork = 1<<20, !workers
			return Open("db", &o)
		}
		counting, tables := killed.Image(vfstest.P0, nil), int64(0)
		counting.OnOp(func(op vfstest.Op) {
			if tableSyncs(op) {
				tables++
			}
		})
		if db, err := open(counting); err != nil {
			t.Fatal(err)
		} else {
			counting.OnOp(nil)
			mustClose(t, db)
		}
		if tables < lateFiles+2 {
			t.Fatalf("recovery made %d tables", tables)
		}
		for n := range tables {
			image := killed.Image(vfstest.P0, nil)
			faults := vfstest.NewFaults(image)
			faults.Inject(vfstest.Fault{Match: tableSyncs, Nth: n + 1})
			if _, err := open(faults); !errors.Is(err, vfstest.ErrInjected) {
				t.Fatalf("workers %v: table %d is not durable, and Open says: %v", workers, n, err)
			}
			if open := image.OpenFiles(); len(open) > 0 {
				t.Fatalf("workers %v: left open: %v", workers, open)
			}
			again := mustOpen(t, image.Image(vfstest.P0, nil), newHandClock())
			if got := keysOf(t, again); len(got) != keys {
				t.Fatalf("workers %v: table %d was not durable: %d keys are left", workers, n, len(got))
			}
			mustClose(t, again)
		}
	}
}
