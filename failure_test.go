package siltstone

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func manyFields(n int) (fields []typed.Field) {
	for i := range n {
		fields = append(fields, typed.Field{Name: fmt.Sprint("field", i), Value: []byte("value")})
	}
	return fields
}

func TestNoSpaceBeforeASequenceIsTakenIsDefinite(t *testing.T) {
	big := []byte(strings.Repeat("v", 100_000))
	for name, write := range map[string]func(db *DB) error{
		"a log to extend": func(db *DB) error {
			for range 100 {
				if err := db.Put([]byte("k"), big[:900]); err != nil {
					return err
				}
			}
			return nil
		},
		"logs of a large batch": func(db *DB) error { return db.Put([]byte("k"), big) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			db := mustOpen(t, mem, newHandClock(), func(o *Options) { o.MemtableBytes = 200 << 10 })
			putAt(t, db, Sync, "before", "1")
			mem.SetCapacity(1)
			seq := db.section.Visible()
			var err error
			for err == nil {
				seq = db.section.Visible()
				err = write(db)
			}
			if !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrIndeterminate) || errors.Is(err, ErrPoisoned) {
				t.Fatalf("a write on a full disk: %v", err)
			}
			if now := db.section.Visible(); name == "logs of a large batch" && now != seq {
				t.Errorf("the refused commit took sequences %d to %d", seq, now)
			}
			if db.life.Poisoned() {
				t.Error("the refused commit poisoned the store")
			}
			mem.SetCapacity(0)
			if err := db.Put([]byte("after"), nil); err != nil {
				t.Errorf("a write once there is space again: %v", err)
			}
			mustClose(t, db)
			again := mustOpen(t, mem, newHandClock())
			if _, err := again.Get([]byte("after")); err != nil {
				t.Error(err)
			}
			mustClose(t, again)
		})
	}
}

func TestFailedManifestAppendDeletesNothing(t *testing.T) {
	for _, effect := range []vfstest.Effect{vfstest.NotDone, vfstest.Done, vfstest.Forgotten, vfstest.Reverted} {
		t.Run(fmt.Sprint(effect), func(t *testing.T) {
			disk := vfstest.NewDisk(2)
			faults := vfstest.NewFaults(disk)
			db := mustOpen(t, faults, newHandClock())
			for i := range 6 {
				putAt(t, db, Sync, "k", fmt.Sprint(i))
				putAt(t, db, Sync, fmt.Sprint("other", i), fmt.Sprint(i))
				if err := db.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			before := filesLike(t, disk, ".sst")
			faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Effect: effect})
			did, err := db.work.CompactStep(context.Background(), nil)
			if did || !errors.Is(err, vfstest.ErrInjected) {
				t.Fatalf("the compaction whose edit fails: %v, %v", did, err)
			}
			db.keepStep()
			after := filesLike(t, disk, ".sst")
			for _, name := range before {
				if !slices.Contains(after, name) {
					t.Errorf("input %s was deleted", name)
				}
			}
			if len(after) <= len(before) {
				t.Errorf("the outputs were deleted: %v before, %v after", before, after)
			}
			if err := db.Close(); !errors.Is(err, ErrPoisoned) {
				t.Errorf("Close: %v", err)
			}
			rng := seeded(2)
			images := []*vfstest.Disk{disk}
			for _, p := range []vfstest.Profile{vfstest.P1, vfstest.P3} {
				images = slices.AppendSeq(images, disk.Images(p, 4, rng))
			}
			for _, image := range slices.Backward(images) {
				again := mustOpen(t, image, newHandClock())
				if v, err := again.Get([]byte("k")); err != nil || string(v) != "5" {
					t.Errorf("opened again: %q, %v", v, err)
				}
				if err := again.Check(context.Background()); err != nil {
					t.Error(err)
				}
				mustClose(t, again)
			}
		})
	}
}

// A sync that fails may leave its bytes in the page cache, where the next
// process reads them, while the disk will never have them.
func TestNothingIsAppendedBehindAnEditThatWasNeverDurable(t *testing.T) {
	for _, dirty := range []bool{false, true} {
		disk := vfstest.NewDisk(3)
		faults := vfstest.NewFaults(disk)
		db := mustOpen(t, faults, newHandClock())
		putAt(t, db, Sync, "a", "1")
		if !dirty {
			if err := db.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		// The last sync of the manifest is that of the edit that calls it clean.
		syncs := int64(1)
		if dirty {
			syncs = 2 // behind that of the last flush
		}
		faults.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST", vfstest.Sync), Nth: syncs, Effect: vfstest.Forgotten})
		if err := db.Close(); !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("Close: %v", err)
		}
		again := mustOpen(t, disk, newHandClock())
		putAt(t, again, Sync, "b", "1")
		if err := again.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		cut := mustOpen(t, disk.Image(vfstest.P1, nil), newHandClock())
		if keys := fmt.Sprint(keysOf(t, cut)); keys != "[a b]" {
			t.Errorf("after the power cut the store holds %s", keys)
		}
		mustClose(t, cut)
		mustClose(t, again)
	}
}

func TestFailedOpenLeavesNothingOpenAndTheStoreAsItWas(t *testing.T) {
	disk := vfstest.NewDisk(5)
	db := mustOpen(t, disk, newHandClock())
	for i := range 60 {
		putAt(t, db, Sync, fmt.Sprint("key", i), strings.Repeat("v", 100))
	}
	killed := disk.Image(vfstest.P0, nil)
	mustClose(t, db)
	counting := vfstest.NewFaults(killed.Image(vfstest.P0, nil))
	mustClose(t, mustOpen(t, counting, newHandClock()))
	for n := int64(1); n <= counting.Ops(); n++ {
		image := killed.Image(vfstest.P0, nil)
		faults := vfstest.NewFaults(image)
		faults.Inject(vfstest.Fault{Nth: n, Times: vfstest.Forever})
		o := denseOptions(faults, newHandClock())
		if db, err := Open("db", &o); err == nil {
			_ = db.Close()
		} else if !errors.Is(err, vfstest.ErrInjected) {
			t.Fatalf("call %d fails, and Open says: %v", n, err)
		}
		if open := image.OpenFiles(); len(open) > 0 {
			t.Fatalf("call %d fails: left open: %v", n, open)
		}
		again := mustOpen(t, image, newHandClock())
		if keys := keysOf(t, again); len(keys) != 60 {
			t.Fatalf("call %d failed: %d keys are left", n, len(keys))
		}
		mustClose(t, again)
	}
}

// An error is read by somebody who did not write the call: it says what it is about.
func TestErrorsSayWhatTheyAreAbout(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	putAt(t, db, Sync, "s", "text")
	if _, err := db.Hash("h").Set("f", []byte("1.x")); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 102400)
	batch := func(fill func(b *Batch)) error {
		var b Batch
		fill(&b)
		return db.Apply(&b, Sync)
	}
	_, openErr := Open("db", &Options{FS: vfs.NewMem(), MemoryLimit: 1 << 20})
	_, getErr := db.Get([]byte("h"))
	_, typeErr := db.Hash("s").Set("f", nil)
	_, nameErr := db.CreateKeyspace(strings.Repeat("n", 300))
	_, noneErr := db.Keyspace("none")
	_, incrErr := db.Hash("h").Incr("f", 1)
	_, bothErr := db.String("s").SetWith(nil, typed.SetOptions{TTL: 1, KeepTTL: true})
	_, condErr := db.ZSet("z").AddMany(typed.NX | typed.GT)
	_, rangeErr := db.ZSet("z").RemoveRange(typed.ZRange{})
	for _, c := range []struct {
		err  error
		kind error
		want string
	}{
		{getErr, ErrWrongType, `key "h" holds a hash, not a string`},
		{typeErr, ErrWrongType, `key "s" holds a string, not a hash`},
		{db.Put(long, nil), ErrKeyTooLarge, "key has 102400 bytes, the limit is 65536"},
		{nameErr, ErrKeyTooLarge, "name of a keyspace has 300 bytes, the limit is 255"},
		{batch(func(b *Batch) { b.Put([]byte("k"), nil); b.Put(nil, nil) }), ErrEmptyKey, "batch operation 2 (put): empty key"},
		{noneErr, ErrNotFound, `there is no keyspace "none"`},
		{openErr, nil, "option MemoryLimit: 1048576 is below the least, 8388608"},
		{bothErr, ErrSyntax, "SetOptions: TTL, At and KeepTTL exclude one another"},
		{condErr, ErrSyntax, "the conditions NX and GT contradict each other"},
		{rangeErr, ErrSyntax, "the zero ZRange chooses nothing: use ByRank, ByScore or ByLex"},
		{db.View(context.Background(), func(tx *Tx) error { return tx.Put([]byte("k"), nil) }), ErrReadOnly, "Put in a read-only transaction"},
		{incrErr, ErrNotNumber, `key "h", field "f": value is not a number`},
		{db.Update(context.Background(), func(tx *Tx) error {
			return db.Update(tx.Context(), func(*Tx) error { return nil })
		}), ErrNested, "Update called with the context of a running Update; use its Tx"},
	} {
		if c.err == nil || c.err.Error() != "siltstone: "+c.want || c.kind != nil && !errors.Is(c.err, c.kind) {
			t.Errorf("%v\nwant %s", c.err, c.want)
		}
	}
}

func TestErrorsOfOpenSayWhatWasBeingDone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(filepath.Join(dir, "open"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := vfs.NewMem()
	full.SetCapacity(1)
	for _, c := range []struct {
		dir  string
		o    *Options
		kind error
	}{
		{"", nil, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{MustExist: true}, fs.ErrNotExist},
		{filepath.Join(dir, "missing"), &Options{ReadOnly: true}, fs.ErrNotExist},
		{file, nil, nil},
		{filepath.Join(dir, "open"), nil, ErrLocked},
		{"full", &Options{FS: full}, ErrNoSpace},
	} {
		_, err := Open(c.dir, c.o)
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("siltstone: open %q: ", c.dir)) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("Open(%q): %v", c.dir, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "siltstone: ") != 1) {
			t.Errorf("not one line with one prefix: %q", err)
		}
	}
	if _, err := Repair(context.Background(), filepath.Join(dir, "open"), filepath.Join(dir, "new"), nil); !errors.Is(err, ErrLocked) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Repair of an open store: %q", err)
	}
}

func TestTheStackOfAnOpenHandleBeginsWithItsCaller(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.TrackOpen = true })
	for range db.Scan(Range{}) {
	}
	err := db.View(context.Background(), func(*Tx) error {
		if stack := db.OpenHandles()[0].Stack; !strings.HasPrefix(stack, "github.com/siltstonedb/siltstone.TestTheStack") {
			t.Errorf("the stack is\n%s", stack)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
