package commit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
)

const testMemtable = 1 << 20

// newSection returns a section over nothing, for tests that do not commit.
func newSection(t *testing.T, limit int64) *Section {
	t.Helper()
	dir := storedir.Dir{FS: vfs.NewMem(), Path: "db"}
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	states := readstate.NewStates(readstate.NewTables(dir, 10, cache.New(testMemtable), func() {}))
	states.Drained, states.Spent = func() {}, func(*readstate.Mem) {}
	next := base.FileNum(0)
	files := commitlog.NewPrepared(dir, func() (base.FileNum, error) { next++; return next, nil }, func(base.FileNum) {})
	t.Cleanup(files.Close)
	return New(Config{
		States: states, Clock: clock.New(nil), Life: lifecycle.New(func(error) {}), Dir: dir, Files: files,
		MemtableBytes: testMemtable, MaxDiskBytes: limit,
	}, Hooks{})
}

func beginTurn(t *testing.T, s *Section, d time.Duration) *Turn {
	t.Helper()
	turn, err := s.BeginTurn(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return turn
}

// beginElsewhere begins a turn in another goroutine.
func beginElsewhere(ctx context.Context, s *Section) <-chan error {
	began := make(chan error, 1)
	go func() {
		turn, err := s.BeginTurn(ctx, time.Hour)
		if err == nil {
			turn.End()
		}
		began <- err
	}()
	return began
}

func TestTheNextTurnBeginsWhenOneEnds(t *testing.T) {
	for name, end := range map[string]func(*Turn){
		"ended":       func(t *Turn) { t.End() },
		"ended twice": func(t *Turn) { t.End(); t.End() },
		"panic": func(t *Turn) {
			defer func() { _ = recover() }()
			defer t.End()
			panic("in the closure")
		},
	} {
		s := newSection(t, 0)
		turn := beginTurn(t, s, time.Hour)
		next := beginElsewhere(context.Background(), s)
		if !s.Turns.holdsBack(NewChange()) {
			t.Errorf("%s: a commit passes while somebody has a turn", name)
		}
		end(turn)
		if err := <-next; err != nil {
			t.Errorf("%s: the next one gets %v", name, err)
		}
		if s.Turns.holdsBack(NewChange()) {
			t.Errorf("%s: a commit waits for a turn that is over", name)
		}
		if !turn.Undisturbed() {
			t.Errorf("%s: disturbed, though nobody was let through", name)
		}
	}
}

func TestATurnEndsWhenItsTimeIsUp(t *testing.T) {
	s := newSection(t, 0)
	turn := beginTurn(t, s, time.Nanosecond)
	<-turn.done
	if turn.Undisturbed() {
		t.Error("an attempt whose time was up counts as undisturbed")
	}
	beginTurn(t, s, time.Hour).End()
}

func TestAStoreCommitPassesATurnAndIsNoticed(t *testing.T) {
	s := newSection(t, 0)
	turn := beginTurn(t, s, time.Hour)
	defer turn.End()
	if s.Turns.holdsBack(&Change{Turn: turn}) || !turn.Undisturbed() {
		t.Error("the attempt's own commit is held back, or disturbs it")
	}
	if s.Turns.holdsBack(&Change{Urgent: true}) || turn.Undisturbed() {
		t.Error("the store's own commit is held back, or is not noticed")
	}
}

func TestATurnInATurnOfOneGoroutineIsRefused(t *testing.T) {
	s := newSection(t, 0)
	turn := beginTurn(t, s, time.Hour)
	if _, err := s.BeginTurn(context.Background(), time.Hour); !errors.Is(err, base.ErrNested) {
		t.Errorf("a turn in a turn: %v", err)
	}
	c := NewChange()
	if err := turn.wait(c, nil); err != nil || c.Turn != turn {
		t.Errorf("a commit from the goroutine of the attempt waits for itself: %v", err)
	}
	turn.End()
	beginTurn(t, s, time.Hour).End()
}

func TestWhoWaitsForATurnLeavesWithTheStoreOrTheContext(t *testing.T) {
	s := newSection(t, 0)
	turn := beginTurn(t, s, time.Hour)
	defer turn.End()
	ctx, cancel := context.WithCancel(context.Background())
	next := beginElsewhere(ctx, s)
	cancel()
	if err := <-next; err != context.Canceled {
		t.Errorf("with a context that ends: %v", err)
	}
	next = beginElsewhere(context.Background(), s)
	waited := make(chan error)
	go func() { waited <- turn.wait(NewChange(), s.life.Quit()) }()
	s.life.End()
	if err := <-next; err != base.ErrClosed {
		t.Errorf("the next turn: %v", err)
	}
	if err := <-waited; err != base.ErrClosed {
		t.Errorf("a commit: %v", err)
	}
}

func TestAllowancesGrowWithTheAttemptsWithinBounds(t *testing.T) {
	var a Allowance
	for _, c := range []struct{ longest, want time.Duration }{
		{0, minAllowance}, {0, 2 * minAllowance}, {time.Second, 1500 * time.Millisecond},
		{time.Second, 3 * time.Second}, {time.Hour, maxAllowance}, {0, maxAllowance},
	} {
		if got := a.Next(c.longest); got != c.want {
			t.Errorf("after an attempt of %v: %v, want %v", c.longest, got, c.want)
		}
	}
}
