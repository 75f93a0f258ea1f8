package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/wal"
)

// sink is a log file in memory that knows what has been synced, and fails when
// told to.
type sink struct {
	mu       sync.Mutex
	data     []byte
	synced   int
	syncs    int
	closed   bool
	reserved int64
	full     error         // of Allocate
	broken   error         // of Write and Sync
	failHeld error         // of the Sync that waited
	hold     chan struct{} // if set, Sync waits for it
	held     chan struct{} // if set, is told that Sync waits
	onWrite  func(p []byte)
}

func (s *sink) Write(p []byte) (int, error) {
	if s.onWrite != nil {
		s.onWrite(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken
	}
	s.data = append(s.data, p...)
	return len(p), nil
}

func (s *sink) Sync() error {
	s.mu.Lock()
	hold, held := s.hold, s.held
	s.mu.Unlock()
	if hold != nil {
		if held != nil {
			held <- struct{}{}
		}
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs++
	switch {
	case s.closed:
		return errors.New("sync of a closed file")
	case hold != nil && s.failHeld != nil:
		return s.failHeld
	}
	if s.broken == nil {
		s.synced = len(s.data)
	}
	return s.broken
}

func (s *sink) Allocate(n int64) error {
	if s.full == nil {
		s.reserved = n
	}
	return s.full
}

func (s *sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// size returns how many bytes were written.
func (s *sink) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.data)
}

func (s *sink) segment(n base.FileNum) Segment {
	return Segment{Number: n, LogID: uint64(n) * 77, File: s, Allocate: s.Allocate, Closer: s}
}

// frames returns the payloads of the log's whole frames.
func (s *sink) frames(t *testing.T) (payloads []string, end error) {
	t.Helper()
	r, err := wal.Open(bytes.NewReader(s.data), int64(len(s.data)), "log")
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, p, err := r.Next()
		if err != nil {
			return payloads, err
		}
		payloads = append(payloads, string(p))
	}
}

func newLog(t *testing.T, s *sink) *Log {
	t.Helper()
	l := New(1, s.segment(1), nil)
	if err := l.Activate(wal.Predecessor{}, 0, 10); err != nil {
		t.Fatal(err)
	}
	return l
}

// committer appends under a lock, as a store's commit section does.
type committer struct {
	sync.Mutex
	l   *Log
	seq base.SeqNum
}

func (c *committer) append(payload string) Position {
	c.Lock()
	defer c.Unlock()
	c.seq++
	return c.l.Append(c.seq, 1, 20, []byte(payload), false)
}

func TestADurableCommitIsSyncedWhenWaitReturns(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	for i := range 3 {
		pos := c.append(fmt.Sprintf("commit %d", i))
		if err := c.l.Wait(pos, Durable); err != nil {
			t.Fatal(err)
		}
		if s.synced != len(s.data) {
			t.Fatalf("commit %d: %d of %d bytes are synced", i, s.synced, len(s.data))
		}
	}
	if got, _ := s.frames(t); fmt.Sprint(got) != "[commit 0 commit 1 commit 2]" {
		t.Errorf("frames %q", got)
	}
}

func TestALevelDoesNoMoreThanItSays(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	begin, synced := len(s.data), s.syncs
	if err := c.l.Wait(c.append("gathered"), Gathered); err != nil || len(s.data) != begin {
		t.Errorf("Gathered wrote %d bytes, error %v", len(s.data)-begin, err)
	}
	if err := c.l.Wait(c.append("written"), Written); err != nil || len(s.data) == begin || s.syncs != synced {
		t.Errorf("Written: %d bytes, %d syncs, error %v", len(s.data)-begin, s.syncs-synced, err)
	}
	if got, _ := s.frames(t); len(got) != 1 || got[0] != "gatheredwritten" {
		t.Errorf("frames %q, want both commits in one", got)
	}
}

func TestGatheredCommitsAreBounded(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	begin := len(s.data)
	payload := string(make([]byte, 1000))
	for range 2 * gatherLimit / 1000 {
		if err := c.l.Wait(c.append(payload), Gathered); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.data)-begin < gatherLimit {
		t.Errorf("%d bytes written after %d were appended", len(s.data)-begin, 2*gatherLimit)
	}
}

func TestCommitsThatWaitDuringASyncShareTheNext(t *testing.T) {
	s := &sink{hold: make(chan struct{})}
	l := New(1, s.segment(1), nil)
	close(s.hold) // let activation through
	if err := l.Activate(wal.Predecessor{}, 0, 1); err != nil {
		t.Fatal(err)
	}
	s.hold = make(chan struct{})
	c := committer{l: l}
	var done sync.WaitGroup
	first := c.append("first")
	done.Go(func() { _ = l.Wait(first, Durable) })
	// The others append while the first sync is held up.
	const others = 20
	for i := range others {
		pos := c.append(fmt.Sprintf("%02d", i))
		done.Go(func() {
			if err := l.Wait(pos, Durable); err != nil {
				t.Error(err)
			}
		})
	}
	syncs := s.syncs
	close(s.hold)
	done.Wait()
	if n := s.syncs - syncs; n > 3 {
		t.Errorf("%d syncs for %d commits", n, others+1)
	}
	if _, err := s.frames(t); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestRotationEndsALogBeforeItsSuccessorExists(t *testing.T) {
	old, next := &sink{}, &sink{}
	c := committer{l: newLog(t, old)}
	c.append("in the old log")
	c.l.Rotate(next.segment(2))
	pos := c.append("in the new log")
	if len(next.data) != 0 {
		t.Fatal("the new log was written before the old one ended")
	}
	if err := c.l.Wait(pos, Durable); err != nil {
		t.Fatal(err)
	}
	if got, _ := old.frames(t); fmt.Sprint(got) != "[in the old log]" || !old.closed || old.synced != len(old.data) {
		t.Errorf("old log: %q, closed %v, %d of %d bytes synced", got, old.closed, old.synced, len(old.data))
	}
	r, err := wal.Open(bytes.NewReader(next.data), int64(len(next.data)), "next")
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Header().Prev; p.Number != 1 || p.End != int64(len(old.data)) || p.LastSeq != 1 {
		t.Errorf("the new log's header names %+v", p)
	}
}

func TestAFailureIsFinalAndReachesEverybody(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	s.broken = errors.New("disk on fire")
	var done sync.WaitGroup
	for i := range 8 {
		pos := c.append(fmt.Sprint(i))
		done.Go(func() {
			if err := c.l.Wait(pos, Durable); !errors.Is(err, s.broken) {
				t.Errorf("commit %d: %v", i, err)
			}
		})
	}
	done.Wait()
	syncs, size := s.syncs, len(s.data)
	broken := s.broken
	s.broken = nil
	if err := c.l.Wait(c.append("later"), Durable); !errors.Is(err, broken) {
		t.Errorf("a later commit: %v", err)
	}
	if err := c.l.Close(); !errors.Is(err, broken) {
		t.Errorf("Close: %v", err)
	}
	if s.syncs != syncs || len(s.data) != size || !s.closed {
		t.Errorf("after a failure: %d more syncs, %d more bytes, closed %v", s.syncs-syncs, len(s.data)-size, s.closed)
	}
}

// Whoever waits while the leader syncs learns of its failure from the leader, not
// from the log.
func TestFollowersOfAFailedLeaderGetItsError(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	s.hold, s.held, s.failHeld = make(chan struct{}), make(chan struct{}), errors.New("disk on fire")
	const followers = 6
	outcomes := make(chan error, followers+1)
	wait := func(pos Position, level Level) { outcomes <- c.l.Wait(pos, level) }
	go wait(c.append("leader"), Durable)
	<-s.held
	for i := range followers {
		go wait(c.append(fmt.Sprint(i)), []Level{Durable, Written}[i%2])
	}
	for {
		c.l.mu.Lock()
		n := c.l.waiting.size()
		c.l.mu.Unlock()
		if n == followers {
			break
		}
		runtime.Gosched()
	}
	close(s.hold)
	for range followers + 1 {
		if err := <-outcomes; !errors.Is(err, s.failHeld) {
			t.Errorf("a commit of which nobody knows whether it is there: %v", err)
		}
	}
	_ = c.l.Close()
}

func TestRoomIsWhatWasReserved(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	if c.l.Room(1) {
		t.Error("there is room in a log for which nothing was reserved")
	}
	s.full = errors.New("no space")
	if err := c.l.Extend(1000); !errors.Is(err, s.full) || c.l.Room(1000) {
		t.Errorf("Extend on a full disk: %v, room %v", err, c.l.Room(1000))
	}
	s.full = nil
	if err := c.l.Extend(1000); err != nil || !c.l.Room(1000) {
		t.Errorf("Extend: %v, room %v", err, c.l.Room(1000))
	}
	for n := 0; c.l.Room(1000); n++ {
		if err := c.l.Wait(c.append(string(make([]byte, 1000))), Written); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.l.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(len(s.data)) > s.reserved {
		t.Errorf("%d bytes written, %d reserved", len(s.data), s.reserved)
	}
}

func TestALogThatIsFullToTheLastByteHasRoomForItsEnd(t *testing.T) {
	s, next := &sink{}, &sink{}
	first := s.segment(1)
	first.Reserved = 4 << 10
	c := committer{l: New(1, first, nil)}
	if err := c.l.Activate(wal.Predecessor{}, 0, 10); err != nil {
		t.Fatal(err)
	}
	most := int64(0)
	for c.l.Room(most + 1) {
		most++
	}
	c.append(string(make([]byte, most)))
	c.l.Rotate(next.segment(2))
	if err := c.l.Wait(c.append("in the next log"), Durable); err != nil {
		t.Fatal(err)
	}
	if n := int64(len(s.data)); most == 0 || n > first.Reserved {
		t.Errorf("a payload of %d bytes and the trailer make it %d bytes, %d are reserved", most, n, first.Reserved)
	}
}

func TestLargePayloadsAreReferencedInOrder(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	large := bytes.Repeat([]byte{'L'}, ownPiece)
	c.append("before ")
	c.Lock()
	c.seq++
	c.l.Append(c.seq, 1, 1, large, true)
	c.Unlock()
	pos := c.append(" behind")
	if err := c.l.Wait(pos, Durable); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.frames(t); len(got) != 1 || got[0] != "before "+string(large)+" behind" {
		t.Errorf("%d frames, the first of %d bytes", len(got), len(got[0]))
	}
}

func TestManyCommittersAtEveryLevelLoseNothing(t *testing.T) {
	logs := []*sink{{}, {}, {}}
	c := committer{l: newLog(t, logs[0])}
	var done sync.WaitGroup
	const workers, each = 16, 200
	for w := range workers {
		done.Go(func() {
			for i := range each {
				pos := c.append(fmt.Sprintf("%02d.%03d;", w, i))
				if err := c.l.Wait(pos, Level(i%3)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := 1; n < len(logs); n++ {
		c.Lock()
		c.l.Rotate(logs[n].segment(base.FileNum(n + 1)))
		c.Unlock()
		if err := c.l.Wait(c.l.Appended(), Durable); err != nil {
			t.Error(err)
		}
	}
	done.Wait()
	if err := c.l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := map[string]string{}
	for _, s := range logs {
		payloads, end := s.frames(t)
		if !errors.Is(end, io.EOF) {
			t.Error(end)
		}
		for _, p := range payloads {
			for ; len(p) > 0; p = p[7:] {
				worker, number := p[:2], p[3:6]
				if number <= last[worker] && last[worker] != "" {
					t.Fatalf("worker %s: %s behind %s", worker, number, last[worker])
				}
				last[worker] = number
				seen[p[:7]] = true
			}
		}
	}
	if len(seen) != workers*each {
		t.Errorf("%d of %d commits are in the logs", len(seen), workers*each)
	}
}

func TestWhatALogTookBeforeItWasClosedHasReachedEveryLevel(t *testing.T) {
	s := new(sink)
	l := newLog(t, s)
	pos := l.Append(1, 1, 0, []byte("payload"), false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, level := range []Level{Gathered, Written, Durable} {
		if err := l.Wait(pos, level); err != nil {
			t.Errorf("level %d: %v", level, err)
		}
		if err := l.Wait(pos+1, level); err != ErrClosed {
			t.Errorf("level %d, of what it never took: %v", level, err)
		}
	}
}
