package backup

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/leaktest"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

var long = flag.Bool("long", false, "do all there is")

var bg = context.Background()

func TestMain(m *testing.M) { leaktest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin is the time at which tests begin.
var begin = time.UnixMilli(1_800_000_000_000)

// wall is a clock that a test moves.
type wall struct{ passed atomic.Int64 }

func (w *wall) now() time.Time       { return begin.Add(time.Duration(w.passed.Load())) }
func (w *wall) pass(d time.Duration) { w.passed.Add(int64(d)) }

// openStore opens a store of little memory whose clock is now.
func openStore(t testing.TB, f vfs.FS, dir string, clock *wall) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open(dir, &siltstone.Options{
		FS: f, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10, Durability: siltstone.OSDurability,
		Clock: clock.now,
	})
	must(t, err)
	return db
}

// image is all that the store holds.
func image(t *testing.T, db *siltstone.DB) string {
	t.Helper()
	names, err := db.Keyspaces()
	must(t, err)
	all := typedtest.Image(t, db)
	for _, name := range names {
		ks, err := db.Keyspace(name)
		must(t, err)
		all += name + "\n" + typedtest.Image(t, ks)
	}
	return all
}

// isRestored restores a backup and compares what the store holds.
func isRestored(t *testing.T, r *Repository, name, want string, clock *wall) {
	t.Helper()
	mem := vfs.NewMem()
	must(t, r.Restore(bg, name, "again", &siltstone.Options{FS: mem}))
	db := openStore(t, mem, "again", clock)
	must(t, db.Check(bg))
	if got := image(t, db); got != want {
		t.Fatalf("backup %s holds\n%.500s\nwant\n%.500s", name, got, want)
	}
	must(t, db.Close())
}

// change changes the store at random.
func change(t *testing.T, db *siltstone.DB, rng *rand.Rand) {
	t.Helper()
	for range 1 + rng.IntN(300) {
		k := fmt.Appendf(nil, "k%03d", rng.IntN(400))
		switch rng.IntN(6) {
		case 0:
			must(t, db.Delete(k))
		case 1:
			_, err := db.Hash(fmt.Sprint("h", rng.IntN(5))).Set(string(k), k)
			must(t, err)
		case 2:
			_, err := db.ZSet("z").Add(string(k), float64(rng.IntN(100)))
			must(t, err)
		default:
			must(t, db.Put(k, bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(500))))
		}
	}
	if rng.IntN(4) == 0 {
		must(t, db.Compact(bg, siltstone.Range{}))
	}
}

func TestARunUploadsWhatIsNewAndEachBackupIsRestored(t *testing.T) {
	clock := &wall{}
	fake := newFake(1)
	r := opened(fake, clock)
	db := openStore(t, vfs.NewMem(), "db", clock)
	must(t, typedtest.Populate(db))
	ks, err := db.CreateKeyspace("tenant")
	must(t, err)
	must(t, typedtest.Populate(ks))
	for i := range 200 {
		must(t, ks.Put(fmt.Appendf(nil, "k%d", i), make([]byte, i)))
	}
	must(t, db.Compact(bg, siltstone.Range{}))
	want := map[string]string{}
	uploaded := int64(0)
	run := func() Backup {
		uploaded = 0
		b, err := r.Run(bg, db, &RunOptions{Uploaded: func(n int64) { uploaded += n }})
		must(t, err)
		want[b.Name] = image(t, db)
		clock.pass(time.Minute)
		return b
	}
	first := run()
	whole := uploaded
	second := run() // nothing is new
	if uploaded > 2000 || second.Tables != first.Tables || second.Bytes != first.Bytes {
		t.Errorf("nothing is new: %d bytes are uploaded, of %d before; %+v", uploaded, whole, second)
	}
	must(t, db.Put([]byte("k"), []byte("v")))
	third := run()
	if uploaded > whole/2 || third.Tables != first.Tables+1 {
		t.Errorf("a key is new: %d bytes are uploaded, of %d at first; %+v", uploaded, whole, third)
	}
	all, err := r.List(bg)
	must(t, err)
	if len(all) != 3 || all[0].Name != first.Name || all[2].Name != third.Name || all[0].Store == 0 || !all[0].Time.Equal(begin) {
		t.Errorf("%+v", all)
	}
	for _, b := range all {
		isRestored(t, r, b.Name, want[b.Name], clock)
	}
	isRestored(t, r, "", want[third.Name], clock)
	v, err := r.Verify(bg)
	if err != nil || v.Backups != 3 || v.Tables < third.Tables {
		t.Errorf("%+v, %v", v, err)
	}
	stream, err := r.Stream(bg, third.Name)
	must(t, err)
	mem := vfs.NewMem()
	_, err = siltstone.RestoreKeyspace(bg, "one", "tenant", &siltstone.Options{FS: mem}, stream)
	must(t, errors.Join(err, stream.Close()))
	stream, err = r.Stream(bg, third.Name) // given up before its end
	must(t, err)
	must(t, stream.Close())
	if _, err := r.Stream(bg, "20200101T000000.000Z-0123456789abcdef"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a backup that is not there: %v", err)
	}
	must(t, db.Close())
}

// TestWhatIsListedIsWholeWhateverFails: runs and prunes whose calls fail, are torn or are
// done twice, which are given up, and whose process goes on later.
func TestWhatIsListedIsWholeWhateverFails(t *testing.T) {
	rounds := 100
	if *long {
		rounds = 2000
	}
	for _, seed := range []uint64{1, 2} {
		rng := rand.New(rand.NewPCG(seed, 7))
		clock := &wall{}
		fake := newFake(seed)
		fake.rate = 0.4
		r := opened(again{fake}, clock)
		dbs := []*siltstone.DB{openStore(t, vfs.NewMem(), "a", clock), openStore(t, vfs.NewMem(), "b", clock)}
		want := map[string]string{}
		made, failed, restored, pruned := 0, 0, 0, 0
		for range rounds {
			clock.pass(time.Duration(rng.IntN(400)) * time.Minute)
			db := dbs[rng.IntN(2)]
			change(t, db, rng)
			switch rng.IntN(4) {
			case 0:
				if p, err := r.Prune(bg, Keep{Last: 3, Within: time.Hour}); err == nil {
					pruned += p.Objects
				}
				continue
			case 1: // the process ends after some calls
				ctx, cancel := context.WithCancel(bg)
				left := rng.IntN(8)
				fake.onPut = func(string) {
					if left--; left < 0 {
						cancel()
					}
				}
				if b, err := r.Run(ctx, db, nil); err == nil {
					want[b.Name] = image(t, db)
				}
				fake.onPut = nil
				cancel()
			default:
				if b, err := r.Run(bg, db, nil); err == nil {
					made++
					want[b.Name] = image(t, db)
				} else {
					failed++
				}
			}
			rate := fake.rate
			fake.rate = 0
			all, err := r.List(bg)
			must(t, err)
			for _, b := range all {
				if _, known := want[b.Name]; !known { // its run had failed when it was there
					want[b.Name] = image(t, db)
				}
			}
			if len(all) > 0 {
				b := all[rng.IntN(len(all))]
				isRestored(t, r, b.Name, want[b.Name], clock)
				restored++
			}
			if rng.IntN(10) == 0 {
				if _, err := r.Verify(bg); err != nil && !onlyBroken(r, err) {
					t.Fatal(err)
				}
			}
			fake.rate = rate
		}
		fake.rate = 0
		for range 3 { // what is left of failures goes
			_, err := r.Prune(bg, Keep{Last: 1})
			must(t, err)
			clock.pass(11 * time.Hour)
		}
		all, err := r.List(bg)
		must(t, err)
		tables := 0
		for _, b := range all {
			tables += b.Tables
		}
		most := 2*tables + len(all) // a table may have two objects
		if len(all) > 2 || len(fake.objects) > most {
			t.Errorf("%d backups of %d tables are left in %d objects", len(all), tables, len(fake.objects))
		}
		if _, err := r.Verify(bg); err != nil {
			t.Error(err)
		}
		if made < rounds/8 || failed == 0 || restored < rounds/4 || pruned == 0 {
			t.Errorf("%d made, %d failed, %d restored, %d objects pruned: nothing was shown", made, failed, restored, pruned)
		}
		t.Logf("%d rounds: %d made, %d failed, %d restored and equal, %d objects pruned", rounds, made, failed, restored, pruned)
		must(t, errors.Join(dbs[0].Close(), dbs[1].Close()))
	}
}

// onlyBroken reports whether err is about backups that are not listed.
func onlyBroken(r *Repository, err error) bool {
	s, serr := r.survey(bg)
	if serr != nil {
		return false
	}
	for line := range strings.Lines(err.Error()) {
		known := false
		for _, f := range s.broken {
			known = known || strings.Contains(line, f.backup.Name)
		}
		if !known {
			return false
		}
	}
	return true
}

func TestARunThatWasGivenUpIsGoneOnWith(t *testing.T) {
	clock := &wall{}
	fake := newFake(1)
	r := opened(fake, clock)
	db := openStore(t, vfs.NewMem(), "db", clock)
	for i := range 3 { // so few that nothing is merged
		must(t, db.Put(fmt.Appendf(nil, "k%d", i), nil))
		must(t, db.Flush(bg))
	}
	ctx, cancel := context.WithCancel(bg)
	puts := 0
	fake.onPut = func(string) {
		if puts++; puts == 2 {
			cancel()
		}
	}
	if _, err := r.Run(ctx, db, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fake.onPut = nil
	uploaded := len(fake.objects)
	if all, err := r.List(bg); uploaded == 0 || len(all) != 0 || err != nil {
		t.Fatalf("%d objects, %v, %v", uploaded, all, err)
	}
	fake.puts = nil
	b, err := r.Run(bg, db, nil)
	must(t, err)
	if len(fake.puts) != b.Tables-uploaded+1 {
		t.Errorf("%d objects were there of %d tables, %d were put: %v", uploaded, b.Tables, len(fake.puts), fake.puts)
	}
	isRestored(t, r, b.Name, image(t, db), clock)
	must(t, db.Close())
}

func TestAPruneBesideARunTakesNothingThatTheRunReliesOn(t *testing.T) {
	clock := &wall{}
	fake := newFake(1)
	r := opened(fake, clock)
	db := openStore(t, vfs.NewMem(), "db", clock)
	must(t, db.Put([]byte("old"), []byte("v")))
	must(t, db.Compact(bg, siltstone.Range{}))
	old, err := r.Run(bg, db, nil)
	must(t, err)
	prune := func() Pruned {
		t.Helper()
		p, err := r.Prune(bg, Keep{Last: 1})
		must(t, err)
		return p
	}
	delete(fake.objects, backupPrefix+old.Name) // the table is of no use any more
	prune()
	if len(fake.objects) != 2 { // the table, and its mark
		t.Fatalf("%v", fake.objects)
	}
	clock.pass(11 * time.Hour)
	// A run begins: the mark is old enough for the table to go at any moment.
	fake.onPut = func(name string) {
		if strings.HasPrefix(name, backupPrefix) {
			fake.onPut = nil
			if p := prune(); p.Objects != 1 {
				t.Errorf("nothing is removed beside the run: %+v", p)
			}
		}
	}
	b, err := r.Run(bg, db, nil)
	must(t, err)
	isRestored(t, r, b.Name, image(t, db), clock)
	// A run begins with the table in use, and its backup goes before it ends.
	must(t, db.Put([]byte("new"), []byte("v")))
	fake.onPut = func(name string) {
		if strings.HasPrefix(name, tablePrefix) {
			fake.onPut = nil
			delete(fake.objects, backupPrefix+b.Name)
			prune()
			clock.pass(4 * time.Hour)
			if p := prune(); p.Objects != 0 {
				t.Errorf("removed at once: %+v", p)
			}
		}
	}
	last, err := r.Run(bg, db, nil)
	must(t, err)
	clock.pass(20 * time.Hour)
	prune()
	isRestored(t, r, last.Name, image(t, db), clock)
	// A run that takes too long relies on nothing any more.
	must(t, db.Put([]byte("newer"), []byte("v")))
	fake.onPut = func(name string) { clock.pass(6 * time.Hour) }
	if _, err := r.Run(bg, db, nil); err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("a run of 6 hours, with a grace of 10: %v", err)
	}
	fake.onPut = nil
	must(t, db.Close())
}

func TestRunsGoOnAtTheSameTime(t *testing.T) {
	clock := &wall{}
	fake := newFake(1)
	r := opened(fake, clock)
	dbs := []*siltstone.DB{openStore(t, vfs.NewMem(), "a", clock), openStore(t, vfs.NewMem(), "b", clock)}
	for i, db := range dbs {
		must(t, db.Put([]byte("k"), []byte{byte(i)}))
		must(t, db.Flush(bg))
	}
	var runs sync.WaitGroup
	var mu sync.Mutex
	want := map[string]string{}
	for i := range 6 {
		runs.Go(func() {
			b, err := r.Run(bg, dbs[i%2], nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			want[b.Name] = image(t, dbs[i%2])
		})
	}
	runs.Wait()
	all, err := r.List(bg)
	must(t, err)
	if len(all) != 6 || len(fake.objects) != 6+2 {
		t.Errorf("%d backups in %d objects", len(all), len(fake.objects))
	}
	for _, b := range all {
		isRestored(t, r, b.Name, want[b.Name], clock)
	}
	// Of each store the last one stays.
	if p, err := r.Prune(bg, Keep{Last: 1}); err != nil || p.Backups != 4 {
		t.Errorf("%+v, %v", p, err)
	}
	must(t, errors.Join(dbs[0].Close(), dbs[1].Close()))
}

func TestPruneKeepsByCountAndByAge(t *testing.T) {
	at := func(h int) Backup {
		return Backup{Name: fmt.Sprint(h), Store: 1, Time: begin.Add(-time.Duration(h) * time.Hour)}
	}
	all := []Backup{at(50), at(30), at(20), at(10), at(5)}
	for _, c := range []struct {
		keep Keep
		goes string
	}{
		{Keep{Last: 2}, "50 30 20"}, {Keep{Within: 24 * time.Hour}, "50 30"}, {Keep{Last: 4, Within: time.Hour}, "50"},
		{Keep{Last: 1, Within: 40 * time.Hour}, "50"}, {Keep{Within: time.Minute}, "50 30 20 10"}, {Keep{Last: 9}, ""},
	} {
		var goes []string
		decided := c.keep.decide(all, begin)
		for _, b := range all {
			if decided[b.Name] {
				goes = append(goes, b.Name)
			}
		}
		if got := strings.Join(goes, " "); got != c.goes {
			t.Errorf("%+v: %q go, want %q", c.keep, got, c.goes)
		}
	}
	clock := &wall{}
	if _, err := opened(newFake(1), clock).Prune(bg, Keep{}); err == nil {
		t.Error("nothing is to be kept, and that is done")
	}
}

func TestVerifyNamesWhatIsDamagedOrMissing(t *testing.T) {
	clock := &wall{}
	fake := newFake(1)
	r := opened(fake, clock)
	db := openStore(t, vfs.NewMem(), "db", clock)
	must(t, db.Put([]byte("k"), []byte("v")))
	b, err := r.Run(bg, db, nil)
	must(t, err)
	for name, content := range fake.objects {
		for _, damage := range []func(){
			func() { delete(fake.objects, name) },
			func() { fake.objects[name] = content[:len(content)-1] },
			func() { wrong := bytes.Clone(content); wrong[len(wrong)/2] ^= 1; fake.objects[name] = wrong },
		} {
			damage()
			v, err := r.Verify(bg)
			if _, there := fake.objects[name]; (err == nil) != (!there && strings.HasPrefix(name, backupPrefix)) {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
			err = r.Restore(bg, b.Name, "again", &siltstone.Options{FS: vfs.NewMem()})
			if err == nil {
				t.Errorf("%s is damaged or gone, and restored", name)
			}
			fake.objects[name] = content
		}
	}
	_, err = r.Verify(bg)
	must(t, err)
	must(t, db.Close())
}

// TestTheNewestBackupIsTheOneWithTheLastCommit whatever a clock that was set back says.
func TestTheNewestBackupIsTheOneWithTheLastCommit(t *testing.T) {
	clock := &wall{}
	r := opened(newFake(1), clock)
	db := openStore(t, vfs.NewMem(), "db", clock)
	var last Backup
	clock.pass(1000 * time.Hour)
	for i := range 6 {
		must(t, db.Put([]byte("k"), fmt.Append(nil, i)))
		var err error
		last, err = r.Run(bg, db, nil)
		must(t, err)
		clock.pass(-time.Hour)
	}
	want := image(t, db)
	all, err := r.List(bg)
	must(t, err)
	for _, b := range all {
		t.Log(b.Name, b.Position)
	}
	isRestored(t, r, "", want, clock)
	_, err = r.Prune(bg, Keep{Last: 1})
	must(t, err)
	isRestored(t, r, last.Name, want, clock)
	isRestored(t, r, "", want, clock)
	must(t, db.Close())
}
