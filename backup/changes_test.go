package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// openKeeping opens a store that keeps changes, in so many bytes beside its logs.
func openKeeping(t testing.TB, f vfs.FS, dir string, clock *wall, bytes int64) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open(dir, &siltstone.Options{
		FS: f, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10, Durability: siltstone.OSDurability,
		Clock: clock.now, LogicalClock: true, KeepChanges: changes.Keep{Bytes: bytes},
	})
	must(t, err)
	return db
}

// ship ships all that the store has committed, unless a call fails.
func ship(t testing.TB, r *Repository, db *siltstone.DB) error {
	t.Helper()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	_, want := db.Position().Parts()
	starts, err := r.shipStarts(ctx, db.ID())
	if err != nil || starts[0] >= want {
		return err
	}
	err = r.Ship(ctx, db, &ShipOptions{Every: time.Microsecond, Shipped: func(s Shipped) {
		if _, at := s.Position.Parts(); at >= want {
			cancel()
		}
	}})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// past is what a store held at a moment.
type past struct {
	at    changes.Position
	time  time.Time
	image string
}

// isRestoredTo restores a moment and compares what the store holds.
func isRestoredTo(t *testing.T, r *Repository, o RestoreOptions, p past) Restored {
	t.Helper()
	mem, then := vfs.NewMem(), &wall{}
	then.pass(p.time.Sub(begin))
	o.Options = &siltstone.Options{FS: mem, Clock: then.now, LogicalClock: true, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10}
	done, err := r.RestoreAt(bg, "again", o)
	must(t, err)
	db, err := siltstone.Open("again", o.Options)
	must(t, err)
	must(t, db.Check(bg))
	if got := image(t, db); got != p.image {
		t.Fatalf("restored %+v from %v: it holds\n%.500s\nwant\n%.500s", o, done, got, p.image)
	}
	must(t, db.Close())
	return done
}

// TestEachMomentThatWasShippedIsRestoredWhateverFails: shippers whose calls fail, are torn
// or are done twice, and whose process ends; runs and prunes beside; a store whose machine
// loses power.
func TestEachMomentThatWasShippedIsRestoredWhateverFails(t *testing.T) {
	rounds := 25
	if *long {
		rounds = 500
	}
	for _, seed := range []uint64{1, 2} {
		rng := rand.New(rand.NewPCG(seed, 9))
		clock, fake, disk := &wall{}, newFake(seed), vfstest.NewDisk(seed)
		r := opened(again{fake}, clock)
		db := openKeeping(t, disk, "db", clock, 1<<30)
		_, err := r.Run(bg, db, nil)
		must(t, err)
		fake.rate = 0.55
		var pasts []past
		failed, positions, times := 0, 0, 0
		for range rounds {
			for range 1 + rng.IntN(3) {
				clock.pass(time.Duration(1+rng.IntN(400)) * time.Minute)
				change(t, db, rng)
				pasts = append(pasts, past{db.Position(), clock.now(), image(t, db)})
			}
			switch rng.IntN(6) {
			case 0:
				_, _ = r.Run(bg, db, nil)
			case 1:
				_, _ = r.Prune(bg, Keep{Last: 2, Within: 100 * time.Hour})
			case 2: // the machine loses power
				must(t, db.Sync())
				cut := disk.Image(vfstest.Profiles()[rng.IntN(6)], rng)
				_ = db.Close()
				disk = cut
				db = openKeeping(t, disk, "db", clock, 1<<30)
				clock.pass(time.Minute)
				must(t, db.Put([]byte("after"), nil)) // the sequences before it are passed over
				pasts = append(pasts, past{db.Position(), clock.now(), image(t, db)})
			}
			if ship(t, r, db) != nil {
				failed++
			}
			rate := fake.rate
			fake.rate = 0
			must(t, ship(t, r, db))
			if rng.IntN(3) > 0 {
				fake.rate = rate
				continue
			}
			all, err := r.List(bg)
			must(t, err)
			p := pasts[rng.IntN(len(pasts))]
			_, at := p.at.Parts()
			if _, oldest := all[0].Position.Parts(); at >= oldest {
				isRestoredTo(t, r, RestoreOptions{At: p.at}, p)
				positions++
			}
			if !p.time.Before(all[0].Time) {
				isRestoredTo(t, r, RestoreOptions{Until: p.time}, p)
				times++
			}
			fake.rate = rate
		}
		fake.rate = 0
		isRestoredTo(t, r, RestoreOptions{}, pasts[len(pasts)-1])
		if v, err := r.Verify(bg); err != nil && !onlyBroken(r, err) || v.Segments == 0 || v.Commits == 0 {
			t.Errorf("%+v, %v", v, err)
		}
		if failed == 0 || positions == 0 || times == 0 {
			t.Errorf("seed %d: %d failed, %d positions and %d times restored: nothing was shown", seed, failed, positions, times)
		}
		for range 3 { // what no backup needs goes
			_, err := r.Run(bg, db, nil)
			must(t, err)
			_, err = r.Prune(bg, Keep{Last: 1})
			must(t, err)
			clock.pass(11 * time.Hour)
		}
		if _, err := r.RestoreAt(bg, "again", RestoreOptions{At: pasts[0].at, Options: &siltstone.Options{FS: vfs.NewMem()}}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a position before the first backup: %v", err)
		}
		for name := range fake.objects {
			if strings.HasPrefix(name, changesPrefix) {
				t.Errorf("seed %d: %s is left", seed, name)
			}
		}
		must(t, db.Close())
	}
}

// cutStore is a store whose process ends after some calls: the one at the end is done in
// part, or is done and not answered.
type cutStore struct {
	*fakeStore
	left  int
	whole bool
	err   error
}

func (c *cutStore) call() error {
	if c.left--; c.left < 0 {
		c.err = context.Canceled
	}
	return c.err
}

func (c *cutStore) List(ctx context.Context, prefix string) ([]Object, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	return c.fakeStore.List(ctx, prefix)
}

func (c *cutStore) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	return c.fakeStore.Get(ctx, name)
}

func (c *cutStore) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if c.err == nil && c.call() == nil {
		return c.fakeStore.Put(ctx, name, content)
	}
	if c.left == -1 {
		b, err := io.ReadAll(content)
		if err == nil && !c.whole {
			b = b[:len(b)/2]
		}
		c.left--
		_ = c.fakeStore.Put(ctx, name, bytes.NewReader(b))
	}
	return c.err
}

func TestAShipperThatEndsAtAnyCallIsGoneOnWith(t *testing.T) {
	clock := &wall{}
	cuts := 0
	for _, whole := range []bool{false, true} {
		for n := 0; ; n++ {
			fake := newFake(1)
			db := openKeeping(t, vfs.NewMem(), "db", clock, 1<<30)
			r := opened(fake, clock)
			must(t, db.Put([]byte("k"), []byte("0")))
			_, err := r.Run(bg, db, nil)
			must(t, err)
			cut := &cutStore{fakeStore: fake, left: n, whole: whole}
			for i := range 3 {
				must(t, db.Put(fmt.Appendf(nil, "k%d", i), []byte("1")))
				_ = ship(t, opened(cut, clock), db)
			}
			must(t, ship(t, r, db))
			p := past{db.Position(), clock.now(), image(t, db)}
			isRestoredTo(t, r, RestoreOptions{At: p.at}, p)
			if v, err := r.Verify(bg); err != nil || v.Commits < 3 {
				t.Fatalf("after %d calls: %+v, %v", n, v, err)
			}
			must(t, db.Close())
			if cut.err == nil {
				break
			}
			cuts++
		}
	}
	if cuts < 10 {
		t.Errorf("%d calls were cut", cuts)
	}
}

func TestShippersOfOneStoreAtTheSameTimeLeaveNoHole(t *testing.T) {
	clock, fake := &wall{}, newFake(1)
	r := opened(again{fake}, clock)
	db := openKeeping(t, vfs.NewMem(), "db", clock, 1<<30)
	_, err := r.Run(bg, db, nil)
	must(t, err)
	ctx, cancel := context.WithCancel(bg)
	ended := make(chan error, 2)
	var reached [2]atomic.Uint64
	for i := range reached {
		go func() {
			ended <- r.Ship(ctx, db, &ShipOptions{Every: time.Duration(i+1) * time.Millisecond, Shipped: func(s Shipped) {
				_, at := s.Position.Parts()
				reached[i].Store(at)
			}})
		}()
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var pasts []past
	for range 10 {
		clock.pass(time.Minute)
		change(t, db, rng)
		pasts = append(pasts, past{db.Position(), clock.now(), image(t, db)})
	}
	_, want := db.Position().Parts()
	for reached[0].Load() < want || reached[1].Load() < want {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for _, p := range []past{pasts[0], pasts[5], pasts[9]} {
		isRestoredTo(t, r, RestoreOptions{At: p.at}, p)
	}
	must(t, db.Close())
}

func TestChangesThatAreMissingAreSaidSo(t *testing.T) {
	clock, fake := &wall{}, newFake(1)
	r := opened(fake, clock)
	db := openKeeping(t, vfs.NewMem(), "db", clock, 1)
	if err := r.Ship(bg, db, nil); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "with Run first") {
		t.Errorf("without a backup: %v", err)
	}
	must(t, db.Put([]byte("k"), []byte("1")))
	_, err := r.Run(bg, db, nil)
	must(t, err)
	disk := vfs.NewMem()
	f, err := r.Follow(bg, "copy", &FollowOptions{Options: &siltstone.Options{FS: disk, Clock: clock.now}})
	must(t, err)
	// The store goes on, and keeps nothing of it.
	clock.pass(time.Minute)
	for range 4 {
		for range 300 {
			must(t, db.Put([]byte("k"), make([]byte, 300)))
		}
		must(t, db.Flush(bg))
		must(t, db.Compact(bg, siltstone.Range{}))
	}
	for i := 0; ; i++ { // logs are removed a moment later
		if err = ship(t, r, db); err != nil || i == 1000 {
			break
		}
		time.Sleep(time.Millisecond)
		must(t, db.Put([]byte("k"), nil))
		for name := range fake.objects {
			if strings.HasPrefix(name, changesPrefix) {
				delete(fake.objects, name)
			}
		}
	}
	if !errors.Is(err, siltstone.ErrTooOld) || !strings.Contains(err.Error(), "make a backup with Run") {
		t.Fatalf("changes that are not kept any more: %v", err)
	}
	lost := past{db.Position(), clock.now(), ""}
	clock.pass(time.Minute)
	must(t, db.Put([]byte("k"), []byte("2")))
	second, err := r.Run(bg, db, nil)
	must(t, err)
	must(t, db.Put([]byte("k"), []byte("3")))
	must(t, ship(t, r, db))
	p := past{db.Position(), clock.now(), image(t, db)}
	isRestoredTo(t, r, RestoreOptions{At: p.at}, p)
	for _, o := range []RestoreOptions{{At: lost.at}, {Until: lost.time}, {At: changes.NewPosition(7, 7)}, {Store: 7}, {Until: begin.Add(-time.Hour)}} {
		o.Options = &siltstone.Options{FS: vfs.NewMem()}
		if _, err := r.RestoreAt(bg, "again", o); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	_, end := db.Position().Parts()
	if _, err := r.RestoreAt(bg, "again", RestoreOptions{At: changes.NewPosition(db.ID(), end+1), Options: &siltstone.Options{FS: vfs.NewMem()}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a position that was not shipped: %v", err)
	}
	if err := f.Run(bg); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "remove copy and follow anew") {
		t.Errorf("a follower that lacks changes: %v", err)
	}
	must(t, f.Close())
	anew, err := r.Follow(bg, "anew", &FollowOptions{Options: &siltstone.Options{FS: disk, Clock: clock.now}})
	must(t, err)
	if anew.DB().Position() != second.Position {
		t.Errorf("the copy begins at %v, want the newest backup's %v", anew.DB().Position(), second.Position)
	}
	must(t, errors.Join(anew.Close(), db.Close()))
}

// TestAFollowerThatIsKilledGoesOn: its readers see each commit whole, and after the last one
// it holds what the store holds.
func TestAFollowerThatIsKilledGoesOn(t *testing.T) {
	clock, fake := &wall{}, newFake(1)
	r := opened(fake, clock)
	db := openKeeping(t, vfs.NewMem(), "db", clock, 1<<30)
	n := 0
	commit := func() {
		n++
		must(t, db.Update(bg, func(tx *siltstone.Tx) error {
			value := []byte(strconv.Itoa(n))
			for i := range 3 {
				if err := tx.Put(fmt.Appendf(nil, "n%d", i), value); err != nil {
					return err
				}
			}
			_, err := tx.Hash("h").Set(fmt.Sprint("f", n), value)
			return err
		}))
	}
	commit()
	_, err := r.Run(bg, db, nil)
	must(t, err)
	rng := rand.New(rand.NewPCG(1, 3))
	disk := vfstest.NewDisk(1)
	kills := 0
	for round := range 12 {
		f, err := r.Follow(bg, "copy", &FollowOptions{Every: time.Microsecond, Options: &siltstone.Options{
			FS: disk, Clock: clock.now, LogicalClock: true, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10,
		}})
		must(t, err)
		for range 100 {
			commit()
		}
		change(t, db, rng)
		must(t, ship(t, r, db))
		ctx, cancel := context.WithCancel(bg)
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		_, want := db.Position().Parts()
		for {
			_, at := f.DB().Position().Parts()
			must(t, f.DB().View(bg, func(tx *siltstone.Tx) error {
				var seen [3]string
				for i := range seen {
					v, err := tx.Get(fmt.Appendf(nil, "n%d", i))
					if err != nil {
						return err
					}
					seen[i] = string(v)
				}
				fields, err := tx.Hash("h").Len()
				if seen[0] != seen[1] || seen[1] != seen[2] || fmt.Sprint(fields) != seen[0] {
					t.Errorf("a reader sees %q and %d fields", seen, fields)
				}
				return err
			}))
			if at >= want || round%2 == 0 && rng.IntN(3) == 0 {
				break
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if round%3 == 0 { // killed
			kills++
			cut := disk.Image(vfstest.Profiles()[rng.IntN(6)], rng)
			_ = f.Close()
			disk = cut
			continue
		}
		if _, at := f.DB().Position().Parts(); at >= want {
			if got := image(t, f.DB()); got != image(t, db) {
				t.Fatalf("round %d: the copy holds\n%.500s", round, got)
			}
		}
		must(t, errors.Join(f.DB().Check(bg), f.Close()))
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	// The copy takes the place of the store.
	want := image(t, db)
	must(t, db.Close())
	own, err := siltstone.Open("copy", &siltstone.Options{FS: disk, Clock: clock.now, LogicalClock: true})
	must(t, err)
	if got := image(t, own); got != want {
		t.Errorf("the copy holds\n%.500s", got)
	}
	must(t, own.Put([]byte("own"), nil))
	must(t, own.Close())
	if _, err := r.Follow(bg, "copy", &FollowOptions{Options: &siltstone.Options{FS: disk}}); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("a store with commits of its own follows: %v", err)
	}
}

func TestASegmentThatIsDamagedIsRefused(t *testing.T) {
	clock, fake := &wall{}, newFake(1)
	r := opened(fake, clock)
	db := openKeeping(t, vfs.NewMem(), "db", clock, 1<<30)
	_, err := r.Run(bg, db, nil)
	must(t, err)
	must(t, db.Put([]byte("k"), []byte("v")))
	must(t, ship(t, r, db))
	all, torn, err := r.segments(bg, changesPrefix)
	if len(all) != 1 || len(torn) != 0 || err != nil {
		t.Fatal(all, torn, err)
	}
	s, name := all[0], all[0].name()
	object := fake.objects[name]
	if commits, err := decodeSegment(s, object); len(commits) != 1 || err != nil {
		t.Fatal(commits, err)
	}
	for i := range object {
		wrong := bytes.Clone(object)
		wrong[i] ^= 4
		_, err1 := decodeSegment(s, wrong)
		_, err2 := decodeSegment(s, object[:i])
		if !errors.Is(err1, siltstone.ErrCorruption) || !errors.Is(err2, siltstone.ErrCorruption) {
			t.Fatalf("damaged at %d: %v; cut there: %v", i, err1, err2)
		}
	}
	wrong := bytes.Clone(object)
	wrong[len(wrong)/2] ^= 4
	fake.objects[name] = wrong
	if _, err := r.Verify(bg); !errors.Is(err, siltstone.ErrCorruption) || !strings.Contains(err.Error(), name) {
		t.Errorf("a segment that is damaged: %v", err)
	}
	if _, err := r.RestoreAt(bg, "again", RestoreOptions{Options: &siltstone.Options{FS: vfs.NewMem()}}); !errors.Is(err, siltstone.ErrCorruption) {
		t.Errorf("a segment that is damaged, restored: %v", err)
	}
	fake.objects[name] = object[:len(object)/2]
	must(t, ship(t, r, db)) // what is torn is not there, and is shipped once more
	p := past{db.Position(), clock.now(), image(t, db)}
	isRestoredTo(t, r, RestoreOptions{}, p)
	must(t, db.Close())
}
