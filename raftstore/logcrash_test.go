package raftstore

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// logState is what a log is to hold: the round of each entry from first to last, and a
// stable number.
type logState struct {
	first, last uint64
	rounds      map[uint64]uint64
	stable      uint64
}

func (l *logState) clone() *logState {
	c := *l
	c.rounds = make(map[uint64]uint64, len(l.rounds))
	for i, r := range l.rounds {
		c.rounds[i] = r
	}
	return &c
}

// draw returns a change of the log that is drawn from rng, and the state after it.
func (l *logState) draw(rng *rand.Rand, round uint64) (next *logState, do func(*LogStore) error) {
	next = l.clone()
	switch what := rng.IntN(8); {
	case what == 0 && l.first > 0: // the front, as after a snapshot
		to := l.first + rng.Uint64N(l.last-l.first+1)
		next.remove(l.first, to)
		return next, func(s *LogStore) error { return s.DeleteRange(l.first, to) }
	case what == 1 && l.first > 0: // the end, as of a follower whose leader knows better
		from := l.first + rng.Uint64N(l.last-l.first+1)
		next.remove(from, l.last)
		return next, func(s *LogStore) error { return s.DeleteRange(from, l.last) }
	case what == 2:
		next.stable = round
		return next, func(s *LogStore) error { return s.SetUint64([]byte("term"), round) }
	}
	from := l.last + 1
	if l.first == 0 {
		from = 1 + rng.Uint64N(1000)
		next.first = from
	}
	next.last = from + rng.Uint64N(20)
	for i := from; i <= next.last; i++ {
		next.rounds[i] = round
	}
	return next, func(s *LogStore) error { return s.StoreLogs(entriesOf(from, next.last, round)) }
}

// remove takes off entries at one end.
func (l *logState) remove(from, to uint64) {
	for i := from; i <= to; i++ {
		delete(l.rounds, i)
	}
	switch {
	case len(l.rounds) == 0:
		l.first, l.last = 0, 0
	case from == l.first:
		l.first = to + 1
	default:
		l.last = from - 1
	}
}

// differs says what in s is not as in l; nil: nothing.
func (l *logState) differs(s *LogStore) error {
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if first != l.first || last != l.last {
		return fmt.Errorf("the log is from %d to %d, not from %d to %d", first, last, l.first, l.last)
	}
	for i, round := range l.rounds {
		var got raft.Log
		if err := s.GetLog(i, &got); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if want := entryOf(i, round); got.Term != round || string(got.Data) != string(want.Data) {
			return fmt.Errorf("entry %d is of round %d, not of %d", i, got.Term, round)
		}
	}
	n, err := s.GetUint64([]byte("term"))
	if err != nil && !errors.Is(err, ErrKeyNotFound) {
		return err
	}
	if n != l.stable {
		return fmt.Errorf("the number is %d, not %d", n, l.stable)
	}
	return nil
}

// TestAPowerCutLosesNoEntry cuts the power at operations of the disk, and looks at what
// the next start finds: the state after the last change that had returned, or after the
// one that was under way.
func TestAPowerCutLosesNoEntry(t *testing.T) {
	n := seed.New(t)
	disk := vfstest.NewDisk(n)
	s := openLog(t, "log", disk)
	type pair struct{ before, after *logState }
	empty := &logState{rounds: map[uint64]uint64{}}
	var states atomic.Pointer[pair]
	states.Store(&pair{empty, empty})
	var cuts atomic.Int64
	draws := rand.New(rand.NewPCG(n, 1)) // of the hook, which is called by one at a time
	disk.OnOp(func(vfstest.Op) {
		if draws.IntN(4) > 0 {
			return
		}
		cut := cuts.Add(1)
		now := states.Load()
		o, err := OpenLogStore("log", &siltstone.Options{FS: disk.Image(vfstest.P5, draws), MemoryLimit: 8 << 20})
		if err != nil {
			t.Errorf("after cut %d: %v", cut, err)
			return
		}
		defer o.Close()
		if before, after := now.before.differs(o), now.after.differs(o); before != nil && after != nil {
			t.Errorf("after cut %d: %v; %v", cut, before, after)
		}
	})
	rng, state := rand.New(rand.NewPCG(n, 2)), empty
	for round := uint64(1); round <= 80 && !t.Failed(); round++ {
		next, do := state.draw(rng, round)
		states.Store(&pair{state, next})
		if err := do(s); err != nil {
			t.Fatal(err)
		}
		state = next
		states.Store(&pair{state, state})
	}
	disk.OnOp(nil)
	if err := state.differs(s); err != nil {
		t.Error(err)
	}
	if cuts.Load() == 0 {
		t.Error("there was no cut")
	}
}

func init() { programs[childLogDir] = runLogChild }

// childLogDir is set in a child that stores entries until it is killed: the log's
// directory. It says on its standard output which entry it stored last.
const childLogDir = "RAFTSTORE_CHILD_LOG"

func runLogChild(dir string) {
	s, err := OpenLogStore(dir, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		last, _ := s.LastIndex()
		to := last + 1 + last%7
		if err := s.StoreLogs(entriesOf(last+1, to, 1)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(to)
		if first, _ := s.FirstIndex(); to-first > 500 {
			if err := s.DeleteRange(first, to-100); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

func TestAKilledProcessLosesNoEntry(t *testing.T) {
	dir := t.TempDir()
	stored := uint64(0)
	for range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childLogDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			to, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				break // a line that was cut
			}
			stored = to
			if n == 150 {
				child.Process.Kill()
			}
		}
		_ = child.Wait() // it was killed
		s := openLog(t, dir, nil)
		first, _ := s.FirstIndex()
		last, _ := s.LastIndex()
		if last < stored {
			t.Errorf("entry %d was stored, the last is %d", stored, last)
		}
		wantLog(t, s, first, last)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if stored == 0 {
		t.Error("no child stored anything")
	}
}
