package siltstone

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// session runs a workload against a store, with the oracle beside it. Every
// change goes to both; what comes back is compared. It belongs to one goroutine,
// and so does its store: there are no workers, the session steps.
type session struct {
	t     testing.TB
	fs    vfs.FS
	dir   string
	clock *handClock
	rng   *rand.Rand
	model *oracle
	db    *DB

	// For runs in which the file system fails.
	faulty   bool
	damaging bool           // reads may come back damaged: ErrCorruption is honest
	blocked  bool           // the store could not be opened
	openOpts func(*Options) // further options
	onError  func(error)    // told each error that a change met
	unsure   map[int]bool   // commits whose outcome is unknown
	kept     Durability     // weakest level whose commits outlive a failure
}

// handClock is a clock that moves when told.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock { return &handClock{now: time.UnixMilli(1_700_000_000_000)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *handClock) copy() *handClock { return &handClock{now: c.Now()} }

// denseOptions make a store so small that every switch point is met often.
func denseOptions(f vfs.FS, clock *handClock) Options {
	return Options{
		FS: f, Clock: clock.Now, MemoryLimit: leastMemory, MemtableBytes: 4 << 10,
		blockSize: 256, tableBytes: 8 << 10, runLimit: 2, manualWork: true,
	}
}

func newSession(t testing.TB, f vfs.FS, dir string, seed uint64) *session {
	s := &session{t: t, fs: f, dir: dir, clock: newHandClock(), rng: rand.New(rand.NewPCG(seed, 1)), unsure: map[int]bool{}, kept: OSDurability}
	s.model = newOracle(func() int64 { return s.clock.Now().UnixMilli() }, func() int64 { return s.db.clock.Shown() })
	return s
}

func (s *session) options() Options {
	o := denseOptions(s.fs, s.clock)
	if s.openOpts != nil {
		s.openOpts(&o)
	}
	return o
}

// open opens the store; false if it could not be, which only a failing file
// system may cause.
func (s *session) open() bool {
	s.t.Helper()
	o := s.options()
	db, err := Open(s.dir, &o)
	if err != nil {
		s.legal("open", err)
		s.blocked = true
		return false
	}
	s.db = db
	if s.faulty && s.model.issued() > 0 {
		return s.adopt()
	}
	return true
}

// adopt asks a store that was opened again after failures which commits it
// still has; from here on those are durable and the others never were.
func (s *session) adopt() bool {
	s.t.Helper()
	got, err := readAll(s.db)
	if err != nil {
		s.legal("read", err)
		s.close()
		return false
	}
	lo, hi := s.model.acked[s.kept], s.model.issued()
	j, ok := s.model.find(got.sum, got.now, lo, hi)
	if !ok {
		j, ok = s.model.find(got.sum, got.now, 0, hi)
		s.t.Fatalf("opened again, the store shows the state after commit %d (known: %v), want one of %d to %d:\n%v", j, ok, lo, hi, &got)
	}
	s.model.rewind(j)
	s.model.ack(j, SyncDurability)
	return true
}

func (s *session) close() {
	s.t.Helper()
	if s.db == nil {
		return
	}
	if err := s.db.Close(); err != nil {
		s.legal("close", err)
	} else if s.model.issued() > 0 {
		s.ackAll(SyncDurability)
	}
	s.db = nil
}

// ackAll notes that everything issued has reached level d.
func (s *session) ackAll(d Durability) { s.model.ack(s.model.issued(), d) }

// legal fails the test if an error is not one the injected fault explains.
func (s *session) legal(what string, err error) {
	s.t.Helper()
	switch {
	case err == nil:
	case !s.faulty:
		s.t.Fatalf("%s: %v", what, err)
	case errors.Is(err, vfstest.ErrInjected), errors.Is(err, ErrPoisoned), errors.Is(err, ErrNoSpace), errors.Is(err, ErrIndeterminate):
	case s.damaging && errors.Is(err, ErrCorruption):
	default:
		s.t.Fatalf("%s: an error that the fault does not explain: %v", what, err)
	}
}

// commit makes one change at level d, to the model and the store.
func (s *session) commit(d Durability, change func(m *oracle), do func() error) {
	s.t.Helper()
	j := s.model.begin(change)
	err := do()
	if s.onError != nil && err != nil {
		s.onError(err)
	}
	switch {
	case err == nil:
		if d == DefaultDurability {
			d = SyncDurability
		}
		s.model.ack(j, d)
	case errors.Is(err, ErrIndeterminate):
		s.legal("commit", err)
		s.unsure[j] = true
	default:
		s.legal("commit", err)
		s.model.cancel()
	}
}

// put is the simplest commit.
func (s *session) put(d Durability, key, value string) {
	s.t.Helper()
	s.commit(d, func(m *oracle) { m.put(key, value) }, func() error {
		var b Batch
		b.Put([]byte(key), []byte(value))
		return s.db.Apply(&b, d)
	})
}

// do runs something that changes no visible state.
func (s *session) do(what string, err error) {
	s.t.Helper()
	s.legal(what, err)
}

// step does all background work, or a part of it.
func (s *session) step() {
	s.t.Helper()
	switch s.rng.IntN(4) {
	case 0:
		_, err := s.db.work.FlushStep()
		s.do("flush", err)
	case 1:
		s.db.keepStep()
	default:
		s.do("step", s.db.step())
	}
}

// compare reads the whole store and compares it with the model.
func (s *session) compare() {
	s.t.Helper()
	got, err := readAll(s.db)
	if err != nil {
		s.legal("read", err)
		return
	}
	j := s.model.issued()
	if want := s.model.history[j].at(got.now); got.sum != want {
		at, ok := s.model.find(got.sum, got.now, 0, j)
		s.t.Fatalf("the store does not show the state after commit %d (it shows another's: %v, %d):\n%v", j, ok, at, &got)
	}
}

// check compares, and asks the store to check itself.
func (s *session) check() {
	s.t.Helper()
	s.compare()
	if err := s.db.Check(context.Background()); err != nil {
		s.legal("check", err)
	}
}

// key picks one of few keys.
func (s *session) key() string { return fmt.Sprintf("key%02d", s.rng.IntN(40)) }

// value makes a value that no other commit makes, of 1 to n bytes and a bit.
func (s *session) value(n int) string {
	b := fmt.Appendf(nil, "%d:", s.model.issued()+1)
	for range s.rng.IntN(n) {
		b = append(b, 'a'+byte(s.rng.IntN(26)))
	}
	return string(b)
}

// level picks a durability.
func (s *session) level() Durability { return SyncDurability + Durability(s.rng.IntN(3)) }

// liveKeys returns the live keys in order.
func (s *session) liveKeys() []string {
	var keys []string
	for key := range maps.Keys(s.model.keys) {
		if s.model.live(key) != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// readWhole opens the store in dir for reading, reads everything twice over and
// calls every kind of write.
func readWhole(t testing.TB, dir string) (keys int) {
	t.Helper()
	o := killedOptions()
	o.ReadOnly = true
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(dir, o)
	if err != nil {
		t.Fatalf("a second reader beside the first: %v", err)
	}
	for _, r := range []*DB{db, second} {
		got, err := readAll(r)
		if err != nil {
			t.Fatal(err)
		}
		keys = len(got.lines)
		if err := r.Check(bg); err != nil {
			t.Fatal(err)
		}
	}
	_, herr := db.Hash("h").Set("f", nil)
	for what, err := range map[string]error{
		"Put": db.Put([]byte("k"), nil), "Delete": db.Delete([]byte("k")), "DeleteRange": db.DeleteRange(Range{}),
		"Hash.Set": herr, "Flush": db.Flush(bg), "Compact": db.Compact(bg, Range{}),
		"Update": db.Update(bg, func(tx *Tx) error { return tx.Put([]byte("k"), nil) }),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s in a read-only store: %v", what, err)
		}
	}
	mustClose(t, db)
	mustClose(t, second)
	return keys
}

func TestReadersLeaveAClosedStoreAsItIs(t *testing.T) {
	dir := t.TempDir() + "/db"
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 200; n++ {
		if err := db.Update(bg, func(tx *Tx) error { return numbered(tx, n) }); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	before := tree(t, dir)
	if keys := readWhole(t, dir); keys != 62 {
		t.Errorf("the readers see %d keys", keys)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("the directory was\n%.2000s\nand is\n%.2000s", before, after)
	}
}

func TestReadersLeaveAKilledStoreAsItIs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	looked := 0
	for seed := uint64(1); looked < 4; seed++ {
		k := &killedStore{t: t, dir: t.TempDir(), rng: seeded(seed), writers: 2, done: []int{0, 0}}
		said := k.kill()
		logs, err := filepath.Glob(k.dir + "/*.wal")
		if err != nil {
			t.Fatal(err)
		}
		if len(logs) == 0 || !bytes.Contains(said, []byte("\nA ")) {
			continue // killed before there was anything to replay
		}
		before := tree(t, k.dir)
		if keys := readWhole(t, k.dir); keys == 0 {
			t.Error("the readers see nothing")
		}
		if after := tree(t, k.dir); after != before {
			t.Errorf("the directory was\n%.2000s\nand is\n%.2000s", before, after)
		}
		looked++
	}
}

func TestAReaderBesideAWriterIsToldItsProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFirsts+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "A ") { // until something was acknowledged
	}
	// Nobody reads on: once the pipe is full the child stands still, the store open.
	for _, readOnly := range []bool{true, false} {
		o := killedOptions()
		o.ReadOnly = readOnly
		_, err = Open(dir, o)
		if want := fmt.Sprintf("process %d", cmd.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("open beside the writer, read-only %v: %v, want it to name %q", readOnly, err, want)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if keys := readWhole(t, dir); keys == 0 {
		t.Error("the readers see nothing")
	}
}

func TestAReaderNeedsNoLockFile(t *testing.T) {
	dir := t.TempDir() + "/db"
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("k"), nil); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if err := os.Remove(dir + "/LOCK"); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	readWhole(t, dir)
	if tree(t, dir) != before {
		t.Error("a reader made something")
	}
}

// A process changes its working directory, as daemons do, to one where there is
// another store of that name.
func TestStoreOpenedByARelativeNameOutlivesChdir(t *testing.T) {
	o := &Options{MemtableBytes: 64 << 10, MemoryLimit: 8 << 20, Durability: OSDurability}
	fill := func(db *DB, prefix string, n int) {
		t.Helper()
		for i := range n {
			if err := db.Put(fmt.Appendf(nil, "%s%06d", prefix, i), make([]byte, 100)); err != nil {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	open := func(name string) *DB {
		t.Helper()
		db, err := Open(name, o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	here, there := t.TempDir(), t.TempDir()
	db := open(filepath.Join(there, "data"))
	fill(db, "other", 3000)
	mustClose(t, db)

	t.Chdir(here)
	db = open("data")
	fill(db, "first", 600)
	t.Chdir(there)
	fill(db, "second", 3000)
	if err := db.Checkpoint(t.Context(), "copy"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if _, err := Repair(t.Context(), "copy", "mended", o); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{here + "/data": 3600, there + "/data": 3000, there + "/copy": 3600, there + "/mended": 3600} {
		db := open(name)
		if err := db.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := 0
		for _, err := range db.Scan(Range{}) {
			if err != nil {
				t.Fatal(err)
			}
			got++
		}
		if got != n {
			t.Errorf("%s has %d keys, want %d", name, got, n)
		}
		mustClose(t, db)
	}
}
