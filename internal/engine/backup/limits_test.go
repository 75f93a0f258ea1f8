package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// small is a store whose backup is short, with two tables.
func small(t testing.TB, f vfs.FS) *siltstone.DB {
	t.Helper()
	db := open(t, f, "db")
	ks, err := db.CreateKeyspace("all")
	must(t, err)
	for n := 1; n <= 80; n++ {
		must(t, commit(db, ks, n))
		if n == 40 {
			must(t, db.Flush(bg))
		}
	}
	return db
}

// repeating reads the same bytes again and again.
type repeating struct {
	b  []byte
	at int
}

func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.b[r.at:])
	r.at = (r.at + n) % len(r.b)
	return n, nil
}

func TestBackupAndRestoreTakeABoundedAmountOfMemory(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, mem, "db", func(o *siltstone.Options) {
		o.MemoryLimit, o.MemtableBytes, o.Compression = 64<<20, 4<<20, siltstone.NoCompression
	})
	value := make([]byte, 64<<10)
	size := 64 << 20
	if testing.Short() {
		size = 24 << 20
	}
	for i := range size / len(value) {
		must(t, db.Put(fmt.Appendf(nil, "k%06d", i), value))
	}
	must(t, db.Compact(bg, siltstone.Range{}))
	largest := 0
	allocated := func(call func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	var kept bytes.Buffer
	kept.Grow(size + size/8)
	n := allocated(func() {
		_, err := db.Backup(bg, writing(func(p []byte) (int, error) { largest = max(largest, len(p)); return kept.Write(p) }), nil)
		must(t, err)
	})
	if n > 4<<20 || largest > 256<<10 || kept.Len() < size {
		t.Errorf("backup of %d bytes: allocates %d, the largest write has %d", kept.Len(), n, largest)
	}
	m := allocated(func() {
		_, err := siltstone.VerifyBackup(bg, bytes.NewReader(kept.Bytes()))
		must(t, err)
	})
	if m > 4<<20 {
		t.Errorf("verify of %d bytes allocates %d", kept.Len(), m)
	}
	to := filepath.Join(t.TempDir(), "db")
	r := allocated(func() {
		_, err := siltstone.Restore(bg, to, nil, bytes.NewReader(kept.Bytes()))
		must(t, err)
	})
	if r > 4<<20 {
		t.Errorf("restore of %d bytes allocates %d", kept.Len(), r)
	}
	for i := range (3 << 20) / len(value) { // what is flushed first
		must(t, db.Put(fmt.Appendf(nil, "k%06d", i), value))
	}
	f := allocated(func() {
		_, err := db.Backup(bg, io.Discard, nil)
		must(t, err)
	})
	if f > 16<<20 {
		t.Errorf("backup with much in memory allocates %d", f)
	}
	t.Logf("backup of %d bytes: %d allocated in all, verify %d, restore %d, with much in memory %d", kept.Len(), n, m, r, f)
	must(t, db.Close())
}

// writing is a writer that is a function.
type writing func([]byte) (int, error)

func (w writing) Write(p []byte) (int, error) { return w(p) }

func TestAStreamThatIsCutOrDamagedIsNeverTakenForABackup(t *testing.T) {
	t.Parallel()
	db := small(t, vfs.NewMem())
	stream, _ := backupOf(t, db)
	must(t, db.Close())
	step := 1 + len(stream)/2000
	for n := 0; n < len(stream); n += step {
		if _, err := siltstone.VerifyBackup(bg, bytes.NewReader(stream[:n])); !errors.Is(err, siltstone.ErrCorruption) || n > 8 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d of %d: %v", n, len(stream), err)
		}
		wrong := bytes.Clone(stream)
		wrong[n] ^= 1 << (n % 8)
		if _, err := siltstone.VerifyBackup(bg, bytes.NewReader(wrong)); !errors.Is(err, siltstone.ErrCorruption) && !errors.Is(err, siltstone.ErrFormatTooNew) {
			t.Fatalf("damaged at %d of %d: %v", n, len(stream), err)
		}
	}
	mem := vfs.NewMem()
	for name, wrong := range map[string]io.Reader{
		"cut": bytes.NewReader(stream[:len(stream)-1]), "damaged": bytes.NewReader(append(bytes.Clone(stream[:len(stream)/2]), stream[len(stream)/2+1:]...)),
		"longer": bytes.NewReader(append(bytes.Clone(stream), 0)), "endless": &repeating{b: stream}, "empty": bytes.NewReader(nil),
	} {
		if _, err := siltstone.Restore(bg, "again", &siltstone.Options{FS: mem}, wrong); !errors.Is(err, siltstone.ErrCorruption) {
			t.Errorf("%s: %v", name, err)
		}
		if names, err := mem.List("."); err != nil || len(names) != 0 {
			t.Errorf("%s: left behind %v, %v", name, names, err)
		}
	}
}

func TestARestoreThatFailsOrIsCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	db := small(t, vfs.NewMem())
	whole, sum := backupOf(t, db)
	must(t, db.Compact(bg, siltstone.Range{})) // so that the first one's tables are removed
	more, _ := backupOf(t, db, sum.Mark)
	must(t, db.Close())
	for _, keyspace := range []string{"", "all"} {
		restore := func(ctx context.Context, f vfs.FS) error {
			var err error
			if keyspace == "" {
				_, err = siltstone.Restore(ctx, "again", &siltstone.Options{FS: f}, readers(whole, more)...)
			} else {
				_, err = siltstone.RestoreKeyspace(ctx, "again", keyspace, &siltstone.Options{FS: f}, readers(whole, more)...)
			}
			return err
		}
		counting := vfstest.NewFaults(vfstest.NewDisk(4))
		must(t, restore(bg, counting))
		ops := counting.Ops()
		step := int64(1)
		if testing.Short() {
			step = 5
		}
		failed := 0
		for k := int64(1); k <= ops; k += step {
			for _, cancelled := range []bool{true, false} {
				disk := vfstest.NewDisk(4)
				faults := vfstest.NewFaults(disk)
				ctx, cancel := context.WithCancel(bg)
				want := vfstest.ErrInjected
				if cancelled {
					want = context.Canceled
					faults.OnOp(func(op vfstest.Op) {
						if op.N == k {
							cancel()
						}
					})
				} else {
					faults.Inject(vfstest.Fault{Nth: k})
				}
				err := restore(ctx, faults)
				cancel()
				names, lerr := disk.List(".")
				must(t, lerr)
				switch {
				case err == nil && slices.Contains(names, "again"): // it did not matter, or was too late
				case slices.Contains(names, "again"): // named, and the sync of the name failed
					if !errors.Is(err, want) {
						t.Errorf("operation %d of %d: %v", k, ops, err)
					}
				case !errors.Is(err, want), len(names) != 0:
					t.Errorf("operation %d of %d, cancelled %v: %v, left %v", k, ops, cancelled, err, names)
				default:
					failed++
				}
				if open := disk.OpenFiles(); len(open) > 0 {
					t.Errorf("operation %d of %d: left open: %v", k, ops, open)
				}
			}
		}
		if failed < int(ops/step)/2 {
			t.Errorf("%d of %d failed: nothing was shown", failed, ops)
		}
	}
}

func TestABackupThatFailsHasNoEndAndHarmsNothing(t *testing.T) {
	t.Parallel()
	disk := vfstest.NewDisk(4)
	faults := vfstest.NewFaults(disk)
	db := small(t, faults)
	must(t, db.Compact(bg, siltstone.Range{})) // or a merge would make the stream shorter
	before := faults.Ops()
	stream, _ := backupOf(t, db)
	ops := faults.Ops() - before
	failed := 0
	for k := int64(1); k <= ops; k++ {
		for _, effect := range []vfstest.Effect{vfstest.NotDone, vfstest.Half, vfstest.Damaged} {
			faults.Inject(vfstest.Fault{Nth: k, Match: vfstest.OnName(".sst"), Effect: effect})
			var b bytes.Buffer
			_, err := db.Backup(bg, &b, nil)
			faults.Clear()
			if err == nil {
				continue // the call was another one's, or a close
			}
			failed++
			if !errors.Is(err, vfstest.ErrInjected) && !errors.Is(err, siltstone.ErrCorruption) {
				t.Errorf("operation %d: %v", k, err)
			}
			if _, err := siltstone.VerifyBackup(bg, &b); !errors.Is(err, siltstone.ErrCorruption) {
				t.Errorf("operation %d: what was written is taken for a backup: %v", k, err)
			}
		}
	}
	if failed < 4 {
		t.Errorf("%d calls of %d failed: nothing was shown", failed, ops)
	}
	// The writer fails, or the context ends, at each of its calls.
	for n := 0; n < len(stream); n += 1 + len(stream)/50 {
		ctx, cancel := context.WithCancel(bg)
		room := n
		full := errors.New("full")
		_, err := db.Backup(ctx, writing(func(p []byte) (int, error) {
			if room < len(p) {
				return max(room, 0), full
			}
			room -= len(p)
			return len(p), nil
		}), nil)
		if !errors.Is(err, full) {
			t.Errorf("full after %d bytes: %v", n, err)
		}
		written := 0
		_, err = db.Backup(ctx, writing(func(p []byte) (int, error) {
			if written += len(p); written > n {
				cancel()
			}
			return len(p), nil
		}), nil)
		if !errors.Is(err, context.Canceled) && (err != nil || n < len(stream)*9/10) {
			t.Errorf("cancelled after %d bytes: %v", n, err)
		}
		cancel()
	}
	must(t, errors.Join(db.Check(bg), db.Close()))
	if open := disk.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

// A mark may name what its holder has not got, and the stream after it lacks that.
func TestATableThatIsInNoStreamIsMissed(t *testing.T) {
	mem := vfs.NewMem()
	db := small(t, mem)
	whole, first := backupOf(t, db)
	must(t, db.Put([]byte("more"), []byte("value")))
	_, second := backupOf(t, db)
	claimed := first.Mark
	claimed.Tables = second.Mark.Tables
	lacking, _ := backupOf(t, db, claimed)
	if _, err := siltstone.VerifyBackup(bg, readers(whole, lacking)...); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("verified: %v", err)
	}
	if _, err := siltstone.Restore(bg, "again", &siltstone.Options{FS: mem}, readers(whole, lacking)...); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("restored: %v", err)
	}
	must(t, db.Close())
}

func TestADamagedTableIsNotSent(t *testing.T) {
	disk := vfstest.NewDisk(4)
	faults := vfstest.NewFaults(disk)
	db := small(t, faults)
	must(t, db.Flush(bg))
	faults.Inject(vfstest.Fault{Match: vfstest.OnName(".sst", vfstest.Read), Times: vfstest.Forever, Effect: vfstest.Damaged})
	_, err := db.Backup(bg, io.Discard, nil)
	faults.Clear()
	if !errors.Is(err, siltstone.ErrCorruption) || !strings.Contains(err.Error(), ".sst") {
		t.Errorf("a damaged table is sent: %v", err)
	}
	must(t, db.Close())
}

func TestAPowerCutInARestoreLeavesAWholeStoreOrNone(t *testing.T) {
	t.Parallel()
	db := small(t, vfs.NewMem())
	whole, sum := backupOf(t, db)
	must(t, db.Compact(bg, siltstone.Range{}))
	more, _ := backupOf(t, db, sum.Mark)
	must(t, db.Close())
	for _, keyspace := range []string{"", "all"} {
		disk := vfstest.NewDisk(3)
		rng, cuts, left := rand.New(rand.NewPCG(3, 3)), 0, 0
		per, every := 2, int64(1)
		if testing.Short() {
			per, every = 1, 5
		}
		disk.OnOp(func(op vfstest.Op) {
			if op.N%every != 0 && op.Kind != vfstest.Rename && op.Kind != vfstest.SyncDir {
				return
			}
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, per, rng) {
					cuts++
					names, err := image.List(".")
					must(t, err)
					for _, name := range names {
						if name != "again" && !strings.HasSuffix(name, ".partial") {
							t.Fatalf("cut %v before %v: left %q", p, op, name)
						}
					}
					if slices.Contains(names, "again") {
						left++
						judge(t, image, keyspace)
					}
				}
			}
		})
		var err error
		if keyspace == "" {
			_, err = siltstone.Restore(bg, "again", &siltstone.Options{FS: disk}, readers(whole, more)...)
		} else {
			_, err = siltstone.RestoreKeyspace(bg, "again", keyspace, &siltstone.Options{FS: disk}, readers(whole, more)...)
		}
		disk.OnOp(nil)
		must(t, err)
		judge(t, disk.Image(vfstest.P1, rng), keyspace) // it is durable on return
		if left == 0 || left == cuts {
			t.Errorf("%d of %d cuts left a store: nothing was shown", left, cuts)
		}
		t.Logf("%d cuts, %d left a store, each whole", cuts, left)
	}
}

// judge opens what a power cut left and looks that it is the state of small.
func judge(t *testing.T, f vfs.FS, keyspace string) {
	t.Helper()
	db := open(t, f, "again", func(o *siltstone.Options) { o.MustExist = true })
	must(t, db.Check(bg))
	if keyspace == "" {
		if n := state(t, db); n != 80 {
			t.Fatalf("the state after commit %d", n)
		}
	} else if ks, err := db.Keyspace(keyspace); err != nil {
		t.Fatal(err)
	} else if v, err := ks.Get([]byte("n")); string(v) != "80" || err != nil {
		t.Fatalf("the keyspace says %q, %v", v, err)
	}
	must(t, db.Close())
}

func TestCloseEndsABackupAndWaitsForIt(t *testing.T) {
	db := small(t, vfs.NewMem())
	closed := make(chan error, 1)
	begun := false
	_, err := db.Backup(bg, writing(func(p []byte) (int, error) {
		if !begun {
			begun = true
			go func() { closed <- db.Close() }()
		}
		runtime.Gosched()
		return len(p), nil
	}), &siltstone.BackupOptions{BytesPerSecond: 1000})
	if !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("a backup while the store is closed: %v", err)
	}
	must(t, <-closed)
}
