package changes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func openKeeping(t testing.TB, fsys vfs.FS, dir string, keep changes.Keep, more ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{FS: fsys, KeepChanges: keep, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10}
	for _, change := range more {
		change(o)
	}
	db, err := siltstone.Open(dir, o)
	done(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var plenty = changes.Keep{Bytes: 1 << 30}

// present returns the changes there are after a position, and the error that ends them.
func present(db *siltstone.DB, o siltstone.ChangeOptions) (all []changes.Change, err error) {
	o.NoWait = true
	for c, err := range db.Changes(context.Background(), o) {
		if err != nil {
			return all, err
		}
		c.Key = append([]byte{}, c.Key...)
		all = append(all, c)
	}
	return all, nil
}

func TestAPositionIsKeptAsTextAndBytes(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", plenty)
	done(t, db.Put([]byte("k"), nil))
	for _, p := range []changes.Position{{}, db.Position()} {
		text, err := json.Marshal(p)
		done(t, err)
		var fromText, fromBytes changes.Position
		done(t, json.Unmarshal(text, &fromText))
		b, err := p.MarshalBinary()
		done(t, err)
		done(t, fromBytes.UnmarshalBinary(b))
		if fromText != p || fromBytes != p {
			t.Errorf("%v is %v from text and %v from bytes", p, fromText, fromBytes)
		}
		for i := range b {
			b[i]++
			if fromBytes.UnmarshalBinary(b) == nil {
				t.Errorf("byte %d of %v may be changed", i, p)
			}
			b[i]--
		}
	}
	for _, text := range []string{"", "start ", "1-2-3", db.Position().String()[1:], db.Position().String() + "0"} {
		if p, err := changes.ParsePosition(text); err == nil {
			t.Errorf("%q is the position %v", text, p)
		}
	}
}

func TestThePositionsOfSnapshotsAndCommitsAreThoseOfTheFeed(t *testing.T) {
	ctx := context.Background()
	db := openKeeping(t, vfs.NewMem(), "db", plenty)
	done(t, db.Put([]byte("a"), nil))
	s, err := db.NewSnapshot()
	done(t, err)
	defer s.Close()
	var begin, hooked, after changes.Position
	done(t, db.Update(ctx, func(tx *siltstone.Tx) error {
		begin = tx.Position()
		tx.OnCommit(func() { hooked = tx.Position() })
		return tx.Put([]byte("b"), nil)
	}))
	tx, err := db.Begin(ctx, siltstone.ReadWriteMode)
	done(t, err)
	done(t, tx.Put([]byte("c"), nil))
	done(t, tx.Commit())
	after = tx.Position()
	all, err := present(db, siltstone.ChangeOptions{After: s.Position()})
	done(t, err)
	if len(all) != 2 || all[0].Position != hooked || all[1].Position != after || begin != s.Position() || after != db.Position() {
		t.Errorf("snapshot %v, begin %v, in the hook %v, after commit %v, store %v, feed %v", s.Position(), begin, hooked, after, db.Position(), all)
	}
}

func TestAPositionIsRefusedWhereItMeansNothing(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	other := openKeeping(t, fsys, "other", plenty)
	done(t, db.Put([]byte("a"), nil))
	done(t, other.Put([]byte("a"), nil))
	atCopy := db.Position()
	done(t, db.Checkpoint(context.Background(), "copy"))
	copied := openKeeping(t, fsys, "copy", plenty)
	if copied.Origin() != atCopy || copied.Position() != atCopy || !db.Origin().IsZero() {
		t.Errorf("a checkpoint was made at %v, has origin %v and begins at %v", atCopy, copied.Origin(), copied.Position())
	}
	done(t, db.Put([]byte("b"), nil))
	done(t, copied.Put([]byte("c"), nil))
	ahead := openKeeping(t, fsys, "ahead", plenty)
	for _, c := range []struct {
		what  string
		db    *siltstone.DB
		after changes.Position
		want  error
	}{
		{"of another store", db, other.Position(), siltstone.ErrBadOption},
		{"of the copy, of what it did alone", db, copied.Position(), siltstone.ErrBadOption},
		{"of the original, of what that did since", copied, db.Position(), siltstone.ErrBadOption},
		{"of the original, at the copy", copied, atCopy, nil},
		{"of the original, before the copy", copied, changes.Position{}, siltstone.ErrTooOld},
		{"its own", db, atCopy, nil},
		{"the first", ahead, changes.Position{}, nil},
	} {
		if _, err := present(c.db, siltstone.ChangeOptions{After: c.after}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	all, err := present(copied, siltstone.ChangeOptions{After: atCopy})
	if err != nil || len(all) != 1 || string(all[0].Key) != "c" {
		t.Errorf("the copy's feed has %v: %v", all, err)
	}
}

func TestAStoreOfABackupFollowsWhereTheBackupWasMade(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	done(t, db.Put([]byte("a"), nil))
	at := db.Position()
	var backup bytes.Buffer
	_, err := db.Backup(context.Background(), &backup, nil)
	done(t, err)
	done(t, db.Put([]byte("b"), nil))
	_, err = siltstone.Restore(context.Background(), "restored", &siltstone.Options{FS: fsys}, &backup)
	done(t, err)
	restored := openKeeping(t, fsys, "restored", plenty)
	if restored.Origin() != at || restored.Position() != at {
		t.Errorf("a backup was made at %v, its store has origin %v and begins at %v", at, restored.Origin(), restored.Position())
	}
	all, err := present(db, siltstone.ChangeOptions{After: restored.Origin()})
	if err != nil || len(all) != 1 || string(all[0].Key) != "b" {
		t.Errorf("since the backup there were %v: %v", all, err)
	}
	_, err = present(restored, siltstone.ChangeOptions{After: db.Position()})
	if !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("the store of the backup takes a position behind it: %v", err)
	}
}

func TestThereIsNoFeedWithoutKeepChanges(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", changes.Keep{})
	done(t, db.Put([]byte("before"), nil))
	if _, err := present(db, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("without KeepChanges: %v", err)
	}
	done(t, db.Close())
	if _, err := present(db, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
	// It begins when it is switched on, and ends when it is switched off.
	db = openKeeping(t, fsys, "db", plenty)
	begin := db.Position()
	done(t, db.Put([]byte("kept"), nil))
	if _, err := present(db, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrTooOld) {
		t.Errorf("from the beginning: %v", err)
	}
	if all, err := present(db, siltstone.ChangeOptions{After: begin}); err != nil || len(all) != 1 {
		t.Errorf("from where it was switched on: %v, %v", all, err)
	}
	for _, keep := range []changes.Keep{{}, plenty} {
		done(t, db.Close())
		db = openKeeping(t, fsys, "db", keep)
	}
	var old *changes.TooOldError
	if _, err := present(db, siltstone.ChangeOptions{After: begin}); !errors.As(err, &old) || old.Oldest != db.Position() {
		t.Errorf("after it was switched off and on: %v, the store is at %v", err, db.Position())
	}
}

func TestWhatIsBeyondTheBoundIsTooOld(t *testing.T) {
	clock := newHandClock()
	for name, keep := range map[string]changes.Keep{"bytes": {Bytes: 300 << 10}, "age": {Age: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			db := openKeeping(t, fsys, "db", keep, func(o *siltstone.Options) { o.Clock = clock.Now })
			var positions []changes.Position
			for i := range 3000 {
				done(t, db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 200)))
				positions = append(positions, db.Position())
				clock.to(clock.Now().Add(50 * time.Millisecond))
			}
			done(t, db.Flush(context.Background()))
			if keep.Bytes > 0 && db.Metrics().Disk.Kept > keep.Bytes || db.Metrics().Disk.Kept == 0 {
				t.Errorf("%d bytes are kept", db.Metrics().Disk.Kept)
			}
			var old *changes.TooOldError
			if _, err := present(db, siltstone.ChangeOptions{}); !errors.As(err, &old) || !errors.Is(err, siltstone.ErrTooOld) || old.Oldest.IsZero() {
				t.Fatalf("from the beginning: %v", err)
			}
			all, err := present(db, siltstone.ChangeOptions{After: old.Oldest})
			done(t, err)
			for i, c := range all {
				if c.Position != positions[3000-len(all)+i] {
					t.Fatalf("change %d of %d has position %v", i, len(all), c.Position)
				}
			}
			if len(all) < 100 || keep.Age > 0 && len(all) < 1000 {
				t.Errorf("%d changes are kept", len(all))
			}
			// What is kept counts, and outlives Close as far as the bound allows.
			done(t, db.Close())
			db = openKeeping(t, fsys, "db", keep, func(o *siltstone.Options) { o.Clock = clock.Now })
			if again, err := present(db, siltstone.ChangeOptions{After: all[len(all)-50].Position}); err != nil || len(again) != 49 {
				t.Errorf("after Close there are %d changes, want 49: %v", len(again), err)
			}
		})
	}
}

func TestWhatIsKeptCountsInMaxDiskBytes(t *testing.T) {
	const limit = 4 << 20
	db := openKeeping(t, vfs.NewMem(), "db", changes.Keep{Bytes: limit / 2}, func(o *siltstone.Options) {
		o.MaxDiskBytes, o.Compression = limit, siltstone.NoCompression
	})
	value, taken := make([]byte, 1000), int64(0)
	for i := 0; ; i++ {
		err := db.Put(fmt.Appendf(nil, "key %d", i), value)
		if errors.Is(err, siltstone.ErrNoSpace) {
			break
		}
		done(t, err)
		taken += int64(len(value))
	}
	kept := db.Metrics().Disk.Kept
	if kept < limit/4 || kept > limit/2 {
		t.Errorf("%d bytes are kept for readers", kept)
	}
	if taken > limit-limit/4 {
		t.Errorf("%d bytes of values were taken beside the %d that are kept, of %d", taken, kept, int64(limit))
	}
	done(t, db.Delete([]byte("key 0"))) // that goes on
}

func TestAReaderOvertakenByTheBoundIsTold(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", changes.Keep{Bytes: 200 << 10})
	for i := range 1000 {
		done(t, db.Put(fmt.Appendf(nil, "key %d", i%500), make([]byte, 100)))
	}
	n := 0
	for _, err := range db.Changes(context.Background(), siltstone.ChangeOptions{After: oldest(t, db), NoWait: true}) {
		if err != nil {
			if !errors.Is(err, siltstone.ErrTooOld) {
				t.Error(err)
			}
			return
		}
		if n++; n == 1 { // a reader that does nothing for a long time
			for i := range 30000 {
				done(t, db.Put(fmt.Appendf(nil, "key %d", i%500), make([]byte, 100)))
			}
			done(t, db.Flush(context.Background()))
			if kept := db.Metrics().Disk.Kept; kept > 200<<10 {
				t.Errorf("%d bytes are kept", kept)
			}
		}
	}
	t.Errorf("the reader was shown %d changes and no error", n)
}

// oldest returns the oldest position there is.
func oldest(t *testing.T, db *siltstone.DB) changes.Position {
	t.Helper()
	var old *changes.TooOldError
	if _, err := present(db, siltstone.ChangeOptions{}); errors.As(err, &old) {
		return old.Oldest
	} else if err != nil {
		t.Fatal(err)
	}
	return changes.Position{}
}

func TestOnlyWhatSurvivesAPowerCutIsShown(t *testing.T) {
	for n := range uint64(20) {
		rng := rand.New(rand.NewPCG(n, 1))
		disk := vfstest.NewDisk(n)
		db := openKeeping(t, disk, "db", plenty, func(o *siltstone.Options) { o.Durability = siltstone.OSDurability })
		var seen atomic.Int64
		ctx, cancel := context.WithCancel(context.Background())
		var reading sync.WaitGroup
		reading.Go(func() {
			for c, err := range db.Changes(ctx, siltstone.ChangeOptions{}) {
				if err != nil {
					return
				}
				var i int64
				_, _ = fmt.Sscanf(string(c.Key), "key %d", &i)
				seen.Store(i)
			}
		})
		for i := range 200 + rng.Int64N(2000) {
			done(t, db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 50)))
			if rng.IntN(100) == 0 {
				done(t, db.Sync())
			}
		}
		known := seen.Load()
		image := disk.Image(vfstest.P1, rng)
		cancel()
		reading.Wait()
		done(t, db.Close())
		again := openKeeping(t, image, "db", plenty)
		for i := range known + 1 {
			if has, err := again.Has(fmt.Appendf(nil, "key %d", i)); err != nil || !has {
				t.Fatalf("seed %d: the feed had shown key %d of %d, which the power cut took: %v", n, i, known, err)
			}
		}
		all, err := present(again, siltstone.ChangeOptions{})
		if err != nil || int64(len(all)) <= known {
			t.Fatalf("seed %d: %d changes after the power cut, %d were shown before: %v", n, len(all), known+1, err)
		}
	}
}

func TestAWaitEndsWithTheContextAndWithClose(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", plenty)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	ends := make(chan error, 2)
	for _, ctx := range []context.Context{ctx, context.Background()} {
		go func() {
			for _, err := range db.Changes(ctx, siltstone.ChangeOptions{}) {
				ends <- err
			}
		}()
	}
	cancel(cause)
	if err := <-ends; err != cause {
		t.Errorf("the context ended the wait with %v", err)
	}
	done(t, db.Close())
	if err := <-ends; !errors.Is(err, siltstone.ErrClosed) {
		t.Errorf("Close ended the wait with %v", err)
	}
}

func TestAHundredReadersAreShownAllThatManyWritersCommit(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", plenty)
	const readers, writers, each = 100, 4, 100
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			next := map[byte]int{}
			n := 0
			for c, err := range db.Changes(context.Background(), siltstone.ChangeOptions{}) {
				if err != nil {
					t.Error(err)
					return
				}
				if int(c.Value[0]) != next[c.Key[0]] {
					t.Errorf("change %d of writer %d is %d", next[c.Key[0]], c.Key[0], c.Value[0])
				}
				next[c.Key[0]]++
				if n++; n == writers*each {
					return
				}
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := db.Put([]byte{byte(w)}, []byte{byte(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAFeedShowsAKeyspaceAndARangeAlone(t *testing.T) {
	db := openKeeping(t, vfs.NewMem(), "db", plenty)
	ks, err := db.CreateKeyspace("ks")
	done(t, err)
	var b siltstone.Batch
	b.Put([]byte("a"), nil)
	b.In(ks).Put([]byte("a"), nil)
	b.In(ks).Put([]byte("b"), nil)
	b.Put([]byte("b"), nil)
	b.DeleteRange(siltstone.Range{Lower: []byte("c"), Upper: []byte("d")})
	done(t, db.Apply(&b, siltstone.SyncDurability))
	for _, c := range []struct {
		o    siltstone.ChangeOptions
		want int
	}{
		{siltstone.ChangeOptions{}, 6},
		{siltstone.ChangeOptions{Keyspace: ks}, 3},
		{siltstone.ChangeOptions{Keyspace: ks, Range: siltstone.Prefix([]byte("b"))}, 2},
		{siltstone.ChangeOptions{Range: siltstone.Prefix([]byte("b"))}, 3},
		{siltstone.ChangeOptions{Range: siltstone.Range{Lower: []byte("cc")}}, 2},
	} {
		all, err := present(db, c.o)
		if err != nil || len(all) != c.want || !all[len(all)-1].Last {
			t.Errorf("%v shows %d changes, want %d: %v", c.o, len(all), c.want, err)
		}
	}
	if _, err := present(db, siltstone.ChangeOptions{Range: siltstone.Range{Lower: []byte("b"), Upper: []byte("a")}}); !errors.Is(err, siltstone.ErrBadRange) {
		t.Error(err)
	}
}

func TestDamageInAKeptLogIsTold(t *testing.T) {
	fsys := vfs.NewMem()
	db := openKeeping(t, fsys, "db", plenty)
	for i := range 2000 {
		done(t, db.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 100)))
	}
	done(t, db.Flush(context.Background()))
	names, err := fsys.List("db")
	done(t, err)
	slices.Sort(names)
	for _, name := range names {
		if name[len(name)-4:] != ".wal" {
			continue
		}
		damage(t, fsys, "db/"+name)
		break // the first
	}
	all, err := present(db, siltstone.ChangeOptions{})
	if !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("%d changes, then %v", len(all), err)
	}
	for _, name := range names {
		if name[len(name)-4:] == ".wal" {
			done(t, fsys.Remove("db/"+name))
			break
		}
	}
	if _, err := present(db, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("of a log that is missing: %v", err)
	}
	// The store does not need it, and the next Open takes the rest for what is kept.
	done(t, db.Check(context.Background()))
	done(t, db.Close())
	db = openKeeping(t, fsys, "db", plenty)
	if _, err := present(db, siltstone.ChangeOptions{}); !errors.Is(err, siltstone.ErrTooOld) {
		t.Errorf("of a log that was missing: %v", err)
	}
}

// damage changes a byte of the frames of a file.
func damage(t *testing.T, fsys vfs.FS, name string) {
	t.Helper()
	f, err := fsys.Open(name)
	done(t, err)
	st, err := f.Stat()
	done(t, err)
	b := make([]byte, st.Size())
	_, err = f.ReadAt(b, 0)
	done(t, err)
	done(t, f.Close())
	b[1000]++
	done(t, fsys.Remove(name))
	w, err := fsys.Create(name)
	done(t, err)
	_, err = w.Write(b)
	done(t, err)
	done(t, w.Close())
}
