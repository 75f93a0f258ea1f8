package commitlog

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/wal"
)

// heldSync begins a SyncBehind of l that waits in s's Sync until the channel is
// closed, and returns what it ends with.
func heldSync(l *Log, s *sink) (release chan struct{}, outcome chan error) {
	release, outcome = make(chan struct{}), make(chan error, 1)
	s.mu.Lock()
	s.hold, s.held = release, make(chan struct{}, 1)
	s.mu.Unlock()
	go func() { outcome <- l.SyncBehind() }()
	<-s.held
	s.mu.Lock()
	s.hold = nil
	s.mu.Unlock()
	return release, outcome
}

func TestLogIsWrittenWhileItIsSyncedBehind(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	release, outcome := heldSync(c.l, s)
	begin := len(s.data)
	if err := c.l.Wait(c.append("second"), Written); err != nil || len(s.data) == begin {
		t.Errorf("%d bytes written beside a sync, error %v", len(s.data)-begin, err)
	}
	close(release)
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	if left := c.l.Unsynced(); left != int64(len("second")) {
		t.Errorf("%d bytes are unsynced, want those written beside the sync", left)
	}
	if err := c.l.Wait(c.l.Appended(), Durable); err != nil || c.l.Unsynced() != 0 {
		t.Errorf("%d bytes are unsynced, error %v", c.l.Unsynced(), err)
	}
	syncs := s.syncs
	if err := c.l.SyncBehind(); err != nil || s.syncs != syncs {
		t.Errorf("%d syncs of what is durable, error %v", s.syncs-syncs, err)
	}
}

func TestWhatWasSyncedBehindIsOnRecordInTheNextFrame(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	end := len(s.data)
	if err := c.l.SyncBehind(); err != nil {
		t.Fatal(err)
	}
	if err := c.l.Wait(c.append("second"), Written); err != nil {
		t.Fatal(err)
	}
	s.data[end-1] ^= 1 // of a frame that had been durable: not a torn tail
	if got, err := s.frames(t); len(got) != 0 || !strings.Contains(err.Error(), "corrupt") {
		t.Errorf("frames %q, then %v", got, err)
	}
}

func TestASyncBehindMakesNothingDurableThatIsNotWritten(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	pos := c.append("second")
	if err := c.l.SyncBehind(); err != nil {
		t.Fatal(err)
	}
	if left := c.l.Unsynced(); left != int64(len("second")) {
		t.Errorf("%d bytes are unsynced, want those that were not written", left)
	}
	if err := c.l.Wait(pos, Durable); err != nil || s.synced != len(s.data) {
		t.Errorf("%d bytes written, %d synced, error %v", len(s.data), s.synced, err)
	}
	if got, _ := s.frames(t); len(got) != 2 {
		t.Errorf("frames %q", got)
	}
}

func TestWhatIsWrittenDuringASyncBehindIsNotOnRecordAsDurable(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	pos := c.append("second")
	release, outcome := heldSync(c.l, s)
	if err := c.l.Wait(pos, Written); err != nil {
		t.Fatal(err)
	}
	end := len(s.data)
	close(release)
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	if err := c.l.Wait(c.append("third"), Written); err != nil {
		t.Fatal(err)
	}
	s.data[end-1] ^= 1 // as a power cut may leave it
	if got, err := s.frames(t); len(got) != 1 || !errors.Is(err, wal.ErrTorn) {
		t.Errorf("frames %q, then %v", got, err)
	}
}

func TestFailureOfASyncBehindIsTheLogs(t *testing.T) {
	s, next := &sink{}, &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	release, outcome := heldSync(c.l, s)
	s.mu.Lock()
	s.failHeld = errors.New("disk on fire")
	s.mu.Unlock()
	// A commit that is to be durable must not be told so by a later sync of the
	// same file, which may succeed.
	pos, begin := c.append("second"), s.size()
	durable := make(chan error, 1)
	go func() { durable <- c.l.Wait(pos, Durable) }()
	for s.size() == begin {
		runtime.Gosched()
	}
	close(release)
	if err := <-outcome; err == nil {
		t.Error("the sync that failed says nothing")
	}
	if err := <-durable; err == nil {
		t.Error("a commit is durable behind a sync that failed")
	}
	syncs := s.syncs
	c.l.Rotate(next.segment(2))
	if err := c.l.Wait(c.append("third"), Durable); err == nil || s.syncs != syncs || len(next.data) != 0 {
		t.Errorf("a failed log went on: %d syncs, %d bytes in the next, error %v", s.syncs-syncs, len(next.data), err)
	}
	if err := c.l.Close(); err == nil || s.syncs != syncs {
		t.Errorf("Close: %v, %d syncs", err, s.syncs-syncs)
	}
}

func TestRotationWaitsForASyncBehind(t *testing.T) {
	s, next := &sink{}, &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	release, outcome := heldSync(c.l, s)
	c.Lock()
	c.l.Rotate(next.segment(2))
	c.Unlock()
	pos := c.append("second")
	done := make(chan error, 1)
	go func() { done <- c.l.Wait(pos, Durable) }()
	s.mu.Lock()
	if s.closed {
		t.Error("a file was closed while it was synced")
	}
	s.mu.Unlock()
	close(release)
	if err := errors.Join(<-outcome, <-done); err != nil {
		t.Fatal(err)
	}
	if got, _ := next.frames(t); !s.closed || len(got) != 1 {
		t.Errorf("closed %v, frames %q", s.closed, got)
	}
}

func TestSyncBehindKeepsOffALogThatIsBeingEnded(t *testing.T) {
	s, next := &sink{}, &sink{}
	c := committer{l: newLog(t, s)}
	if err := c.l.Wait(c.append("first"), Written); err != nil {
		t.Fatal(err)
	}
	release, outcome := make(chan struct{}), make(chan error, 1)
	s.onWrite = func(p []byte) { // of the trailer
		s.onWrite = nil
		s.mu.Lock()
		s.hold, s.held = release, make(chan struct{}, 1)
		s.mu.Unlock()
		go func() { outcome <- c.l.SyncBehind() }()
		for range 200_000 { // it gets nowhere
			runtime.Gosched()
			if len(s.held) > 0 {
				t.Error("a log that is being ended is synced behind")
				break
			}
		}
		s.mu.Lock()
		s.hold = nil
		s.mu.Unlock()
	}
	c.l.Rotate(next.segment(2))
	if err := c.l.Wait(c.append("second"), Durable); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-outcome; err != nil {
		t.Error(err)
	}
}

func TestSyncsBehindBesideEverythingElse(t *testing.T) {
	logs := []*sink{{}, {}, {}, {}}
	c := committer{l: newLog(t, logs[0])}
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := c.l.SyncBehind(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for n := 1; n < len(logs); n++ {
		for i := range 300 {
			if err := c.l.Wait(c.append(string(make([]byte, 500))), Level(i%3)); err != nil {
				t.Fatal(err)
			}
		}
		c.l.Rotate(logs[n].segment(base.FileNum(n + 1)))
	}
	if err := c.l.Wait(c.append("last"), Durable); err != nil {
		t.Fatal(err)
	}
	close(stop)
	done.Wait()
	if c.l.Unsynced() != 0 {
		t.Errorf("%d bytes are unsynced", c.l.Unsynced())
	}
	if err := c.l.Close(); err != nil {
		t.Error(err)
	}
}

func TestCommitsCallForAWriterAndGoOn(t *testing.T) {
	s := &sink{}
	calls := 0
	l := New(1, s.segment(1), nil)
	l.OnCrowd(func() { calls++ })
	if err := l.Activate(wal.Predecessor{}, 0, 1); err != nil {
		t.Fatal(err)
	}
	c, begin := committer{l: l}, len(s.data)
	put := func(bytes int) {
		for range bytes / 1000 {
			if err := l.Wait(c.append(string(make([]byte, 1000))), Gathered); err != nil {
				t.Fatal(err)
			}
		}
	}
	if put(gatherLimit - 2000); calls != 0 {
		t.Errorf("%d calls before much has gathered", calls)
	}
	if put(gatherLimit); calls != 1 || len(s.data) != begin {
		t.Errorf("%d calls, %d bytes written, want one call and none", calls, len(s.data)-begin)
	}
	if err := l.WriteOut(); err != nil {
		t.Fatal(err)
	}
	if put(gatherLimit + 2000); calls != 2 {
		t.Errorf("%d calls, want another for what has gathered since", calls)
	}
	before := len(s.data)
	if put(leadLimit); len(s.data)-before < gatherLimit {
		t.Errorf("nobody came, and a commit wrote %d bytes", len(s.data)-before)
	}
}

func TestBuffersOfAGroupAreUsedAgain(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	payload := string(make([]byte, 1000))
	fill := func() {
		for range 10 * bufferBytes / 1000 {
			c.append(payload)
		}
		if err := c.l.Wait(c.l.Appended(), Written); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	held := c.l.Stats().Buffered
	for range 5 {
		fill()
	}
	if got := c.l.Stats().Buffered; got != held || held < 10*bufferBytes || held > keepBuffers*bufferBytes {
		t.Errorf("the log holds %d bytes of buffers after a group, %d after six", held, got)
	}
	total := 0
	frames, _ := s.frames(t)
	for _, f := range frames {
		total += len(f)
	}
	if total != 6*(10*bufferBytes/1000)*1000 {
		t.Errorf("%d bytes are in the log", total)
	}
}

func TestTheOldestUnsyncedFrameIsTheOneThatNoSyncCovers(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	write := func(level Level) time.Time {
		t.Helper()
		begin := time.Now()
		if err := c.l.Wait(c.append("commit"), level); err != nil {
			t.Fatal(err)
		}
		return begin
	}
	// expect is that the oldest frame began after one moment and before another.
	expect := func(what string, after, before time.Time) {
		t.Helper()
		c.l.mu.Lock()
		since := c.l.unsynced.since
		c.l.mu.Unlock()
		if since.Before(after) || since.After(before) {
			t.Errorf("%s: the oldest began %v after the first moment, of %v", what, since.Sub(after), before.Sub(after))
		}
	}
	if oldest := c.l.Stats().Oldest; oldest != 0 {
		t.Errorf("with nothing written: %v", oldest)
	}
	first := write(Written)
	second := write(Written)
	expect("two are written", first, second)
	if oldest := c.l.Stats().Oldest; oldest <= 0 {
		t.Errorf("with two written: %v", oldest)
	}
	release, outcome := heldSync(c.l, s)
	expect("while both are synced", first, second)
	third := write(Written)
	fourth := write(Written)
	close(release)
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	expect("two more were written meanwhile", third, fourth)
	write(Durable)
	expect("all are durable", time.Time{}, time.Time{})
	fifth := write(Written)
	expect("one more", fifth, time.Now())
	if err := c.l.SyncBehind(); err != nil {
		t.Fatal(err)
	}
	expect("it is synced", time.Time{}, time.Time{})
}

func TestAFrameThatIsWrittenAsASyncBeginsIsNotCovered(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	for _, last := range []bool{false, true} { // whether the sync ends after the frame, or before
		var u unsynced
		u.wrote(at(1), true, false)
		u.syncs()
		if last {
			u.synced()
		}
		u.wrote(at(2), true, false) // which was not written yet when the sync began
		if !last {
			u.wrote(at(3), true, false)
			u.synced()
		}
		if u.since != at(2) {
			t.Errorf("the oldest is of %v", u.since)
		}
	}
}

func TestASyncThatHangsShowsAsTheAgeOfItsFrame(t *testing.T) {
	s := &sink{}
	c := committer{l: newLog(t, s)}
	release := make(chan struct{})
	s.mu.Lock()
	s.hold, s.held = release, make(chan struct{}, 1)
	s.mu.Unlock()
	outcome := make(chan error, 1)
	pos := c.append("commit")
	go func() { outcome <- c.l.Wait(pos, Durable) }()
	<-s.held
	s.mu.Lock()
	s.hold = nil
	s.mu.Unlock()
	first := c.l.Stats().Oldest
	if second := c.l.Stats().Oldest; first <= 0 || second <= first {
		t.Errorf("%v, then %v", first, second)
	}
	close(release)
	if err := <-outcome; err != nil || c.l.Stats().Oldest != 0 {
		t.Errorf("%v, and %v once it is durable", err, c.l.Stats().Oldest)
	}
}
