package beside_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

var long = flag.Bool("long", false, "thousands of refreshes")

// many is how many refreshes a test makes.
func many(short, usual, most int) int {
	switch {
	case *long:
		return most
	case testing.Short():
		return short
	}
	return usual
}

// writeOn commits from n on and flushes, merges and drops between, until the end.
func writeOn(db *siltstone.DB, n int, end <-chan struct{}, returned func(n int)) error {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	for ; ; n++ {
		select {
		case <-end:
			return nil
		default:
		}
		if err := commit(db, n); err != nil {
			return err
		}
		returned(n)
		var err error
		switch rng.IntN(60) {
		case 0:
			err = db.Flush(bg)
		case 1:
			err = db.Compact(bg, siltstone.Range{})
		case 2:
			err = tenant(db, n)
		case 3:
			if err = db.DropKeyspace("tenant"); errors.Is(err, siltstone.ErrNotFound) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("after commit %d: %w", n, err)
		}
	}
}

// tenant writes a number to two keys of a keyspace which is dropped now and then.
func tenant(db *siltstone.DB, n int) error {
	ks, err := db.CreateKeyspace("tenant")
	if err != nil {
		return err
	}
	return db.Update(bg, func(tx *siltstone.Tx) error {
		for _, key := range []string{"a", "b"} {
			if err := tx.In(ks).Put([]byte(key), fmt.Append(nil, n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkTenant reads both keys in one state.
func checkTenant(db *siltstone.DB) error {
	ks, err := db.Keyspace("tenant")
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	a, errA := snap.In(ks).Get([]byte("a"))
	b, errB := snap.In(ks).Get([]byte("b"))
	switch {
	case errors.Is(errA, siltstone.ErrDropped) && errors.Is(errB, siltstone.ErrDropped): // refreshed by another goroutine
	case errors.Is(errA, siltstone.ErrNotFound) && errors.Is(errB, siltstone.ErrNotFound):
	case errA != nil || errB != nil || string(a) != string(b):
		return fmt.Errorf("the keyspace holds %q, %w and %q, %w", a, errA, b, errB)
	}
	return nil
}

// refreshes refreshes a reader so many times, and holds what it shows against what had
// returned before. It keeps an old state open now and then.
func refreshes(r *siltstone.DB, times int, returned *atomic.Int64) error {
	rng := rand.New(rand.NewPCG(uint64(times), 2))
	last := 0
	var old *siltstone.Snapshot
	var oldState int
	drop := func() error {
		if old == nil {
			return nil
		}
		n, err := stateOf(r, old)
		if err == nil && n != oldState {
			err = fmt.Errorf("the old state was that after commit %d, and is that after %d", oldState, n)
		}
		old.Close()
		old = nil
		return err
	}
	for i := range times {
		least := int(returned.Load())
		if err := r.Refresh(bg); err != nil {
			return fmt.Errorf("refresh %d: %w", i, err)
		}
		n, err := state(r)
		if err == nil {
			err = checkTenant(r)
		}
		if err != nil {
			return fmt.Errorf("refresh %d: %w", i, err)
		}
		if n < least || n < last {
			return fmt.Errorf("refresh %d shows the state after commit %d; %d had returned, %d was shown", i, n, least, last)
		}
		last = n
		switch rng.IntN(20) {
		case 0:
			if err := drop(); err != nil {
				return err
			}
			if old, err = r.NewSnapshot(); err == nil {
				oldState, err = stateOf(r, old)
			}
			if err != nil {
				return err
			}
		case 1:
			if rng.IntN(10) == 0 {
				if err := r.Check(bg); err != nil {
					return fmt.Errorf("refresh %d: %w", i, err)
				}
			}
		}
	}
	return drop()
}

// several runs f in so many goroutines, tells them from each other, and returns the
// errors.
func several(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func TestReadersBesideABusyWriterFindOneCommitsStateEach(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	var returned atomic.Int64
	must(t, commit(w, 1))
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- writeOn(w, 2, end, func(n int) { returned.Store(int64(n)) }) }()
	shared := reader(t, mem)
	times := many(30, 200, 1500)
	err := several(4, func(i int) error {
		if i < 2 {
			return refreshes(shared, times, &returned)
		}
		r, err := siltstone.Open("db", options(mem, besides))
		if err != nil {
			return err
		}
		return errors.Join(refreshes(r, times, &returned), r.Close())
	})
	close(end)
	must(t, errors.Join(err, <-ended))
	must(t, shared.Refresh(bg))
	wantState(t, shared, int(returned.Load()))
	must(t, shared.Close())
	must(t, w.Check(bg))
	must(t, w.Close())
	if left := own(t, mem); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	t.Logf("%d refreshes, %d commits", 4*times, returned.Load())
}

const (
	childDir  = "SILTSTONE_BESIDE_DIR"  // set in a child: the store's directory
	childRole = "SILTSTONE_BESIDE_ROLE" // writer or reader
)

// TestChild is a process that another test starts and kills, and does nothing else.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs in the processes that other tests start")
	}
	if os.Getenv(childRole) == "reader" {
		r, err := siltstone.Open(dir, options(nil, besides))
		must(t, err)
		var none atomic.Int64
		fmt.Println("A 0")
		must(t, refreshes(r, 1<<30, &none))
	}
	db, err := siltstone.Open(dir, options(nil))
	must(t, err)
	n, err := state(db)
	must(t, err)
	fmt.Printf("\nA %d\n", n)
	must(t, writeOn(db, n+1, nil, func(n int) { fmt.Printf("\nA %d\n", n) }))
}

// child starts a process and calls said for what it says of the commits that have
// returned.
func child(t testing.TB, role, dir string, said func(n int)) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childRole+"="+role)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	began, read := make(chan struct{}), make(chan []string)
	go func() {
		var other []string
		lines := bufio.NewScanner(out)
		first := sync.OnceFunc(func() { close(began) })
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "A %d", &n); err != nil {
				other = append(other, lines.Text())
				continue
			}
			said(n)
			first()
		}
		first()
		read <- other
	}()
	<-began
	return func() {
		t.Helper()
		_ = cmd.Process.Kill()
		other := <-read
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		if cmd.ProcessState.Exited() {
			t.Errorf("the %s ended by itself: %v\n%s\n%s", role, cmd.ProcessState, strings.Join(other, "\n"), &stderr)
		}
	}
}

// most makes n the largest number that has returned. A line that a kill cut short may
// name a smaller one.
func most(returned *atomic.Int64) func(n int) {
	return func(n int) {
		if int64(n) > returned.Load() {
			returned.Store(int64(n))
		}
	}
}

func TestReadersOutliveAWriterThatIsKilledAndStartedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	var returned atomic.Int64
	kill := child(t, "writer", dir, most(&returned))
	for returned.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	var lives, made atomic.Int64
	lives.Store(1)
	go func() {
		defer close(ended)
		rng := rand.New(rand.NewPCG(3, 3))
		for {
			select {
			case <-end:
				kill()
				return
			case <-time.After(time.Duration(20+rng.IntN(200)) * time.Millisecond):
				kill()
				kill = child(t, "writer", dir, most(&returned))
				lives.Add(1)
			}
		}
	}()
	times, deaths := many(30, 300, 5000), many(3, 10, 200)
	err := several(2, func(int) error {
		r, err := siltstone.Open(dir, options(nil, besides))
		for err == nil && (lives.Load() <= int64(deaths) || made.Load() < int64(times)) {
			err = refreshes(r, 10, &returned)
			made.Add(10)
		}
		return errors.Join(err, r.Close())
	})
	close(end)
	<-ended
	must(t, err)
	w, err := siltstone.Open(dir, options(nil))
	must(t, err)
	if got, err := state(w); err != nil || got < int(returned.Load()) {
		t.Errorf("the store is after commit %d, %d had returned: %v", got, returned.Load(), err)
	}
	must(t, w.Check(bg))
	must(t, w.Close())
	t.Logf("%d refreshes, %d commits, %d lives of the writer", made.Load(), returned.Load(), lives.Load())
}

func TestAReaderThatIsKilledLeavesNothingForLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	w, err := siltstone.Open(dir, options(nil))
	must(t, err)
	must(t, commit(w, 1))
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- writeOn(w, 2, end, func(int) {}) }()
	readers := func() (n int) {
		names, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range names {
			if strings.HasPrefix(e.Name(), "READER-") {
				n++
			}
		}
		return n
	}
	for range many(2, 5, 50) {
		first := child(t, "reader", dir, func(int) {})
		second := child(t, "reader", dir, func(int) {})
		if n := readers(); n != 2 {
			t.Errorf("two readers have %d directories", n)
		}
		time.Sleep(20 * time.Millisecond)
		first()
		third := child(t, "reader", dir, func(int) {})
		if n := readers(); n != 2 {
			t.Errorf("two readers live and one is dead: %d directories", n)
		}
		second()
		third()
	}
	r, err := siltstone.Open(dir, options(nil, besides))
	must(t, err)
	must(t, r.Close())
	if n := readers(); n != 0 {
		t.Errorf("%d directories are left", n)
	}
	close(end)
	must(t, <-ended)
	must(t, w.Check(bg))
	must(t, w.Close())
}

func TestAReaderMeasuresTheFilesOfTheWriter(t *testing.T) {
	mem := vfs.NewMem()
	w := open(t, mem)
	defer w.Close()
	for n := range 50 {
		must(t, commit(w, n))
	}
	must(t, w.Flush(bg))
	must(t, commit(w, 50))
	r := reader(t, mem)
	defer r.Close()
	got, want := r.Metrics().Disk, w.Metrics().Disk
	if want.Logs == 0 || want.Manifest == 0 || want.Tables == 0 {
		t.Fatalf("the writer's files are %+v", want)
	}
	if got.Logs != want.Logs || got.Manifest != want.Manifest || got.Ballast != want.Ballast || got.Tables != want.Tables {
		t.Errorf("the reader says %+v, the writer %+v", got, want)
	}
}
