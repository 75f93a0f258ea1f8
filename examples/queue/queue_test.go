package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// clock is a clock that a test moves.
type clock struct{ ms atomic.Int64 }

func (c *clock) Now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// open opens a queue on a file system.
func open(t testing.TB, disk vfs.FS, now func() time.Time, set settings) *queue {
	t.Helper()
	db, err := siltstone.Open("queue", &siltstone.Options{FS: disk, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	q, err := newQueue(db, set)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// story is a queue whose clock is moved, and the first error of what is done with it.
type story struct {
	*clock
	*queue
	t *testing.T
}

func newStory(t *testing.T) story {
	c := &clock{}
	c.ms.Store(1_900_000_000_000)
	return story{c, open(t, vfs.NewMem(), c.Now, settings{lease: time.Minute, attempts: 3, retry: time.Second}), t}
}

func (s story) add(body string, delay time.Duration) {
	s.t.Helper()
	if _, err := s.queue.add(s.t.Context(), job{Body: body}, delay); err != nil {
		s.t.Fatal(err)
	}
}

// take takes the job with this body; "": none is due.
func (s story) take(body string) job {
	s.t.Helper()
	j, _, err := s.queue.take(s.t.Context())
	if none := errors.Is(err, errNone); none != (body == "") || !none && err != nil || j.Body != body {
		s.t.Fatalf("took %q, %v, want %q", j.Body, err, body)
	}
	return j
}

func (s story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestJobsAreTakenWhenTheyAreDue(t *testing.T) {
	s := newStory(t)
	s.add("later", time.Hour)
	s.add("first", 0)
	s.advance(time.Millisecond)
	s.add("second", 0)
	s.must(s.done(t.Context(), s.take("first")))
	s.must(s.done(t.Context(), s.take("second")))
	s.take("")
	s.advance(30 * time.Minute)
	if _, wait, _ := s.queue.take(t.Context()); wait != time.Minute {
		t.Errorf("wait %v", wait)
	}
	s.advance(30*time.Minute - time.Second)
	if _, wait, _ := s.queue.take(t.Context()); wait > time.Second || wait < 900*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	s.advance(time.Second)
	s.must(s.done(t.Context(), s.take("later")))
	if got, err := s.standing(t.Context()); err != nil || got.Jobs != 0 || len(got.Dead) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAJobThatFailsIsTriedAgainAndGivenUpAfterTheLastAttempt(t *testing.T) {
	s := newStory(t)
	s.add("job", 0)
	for _, pause := range []time.Duration{time.Second, 2 * time.Second} {
		s.must(s.failed(t.Context(), s.take("job"), errors.New("no luck")))
		s.advance(pause - time.Millisecond)
		s.take("")
		s.advance(time.Millisecond)
	}
	last := s.take("job")
	s.must(s.failed(t.Context(), last, errors.New("no luck")))
	s.advance(24 * time.Hour)
	s.take("")
	got, err := s.standing(t.Context())
	if err != nil || got.Jobs != 0 || len(got.Dead) != 1 || got.Dead[0].Attempts != 3 || got.Dead[0].Error != "no luck" {
		t.Fatalf("%+v, %v", got, err)
	}
	s.must(s.again(t.Context(), last.ID))
	if j := s.take("job"); j.Attempts != 1 {
		t.Errorf("attempt %d", j.Attempts)
	}
	if err := s.again(t.Context(), last.ID); !errors.Is(err, siltstone.ErrNotFound) {
		t.Error(err)
	}
}

func TestAJobOfAWorkerThatDiedIsTakenBySomebodyElse(t *testing.T) {
	s := newStory(t)
	s.add("job", 0)
	died := s.take("job")
	s.advance(time.Minute - time.Millisecond)
	s.take("")
	s.advance(time.Millisecond)
	other := s.take("job")
	// The first one was only slow, and comes too late.
	for _, err := range []error{s.done(t.Context(), died), s.failed(t.Context(), died, errors.New("late"))} {
		if !errors.Is(err, errLost) {
			t.Error(err)
		}
	}
	s.must(s.done(t.Context(), other))
	if err := s.done(t.Context(), other); !errors.Is(err, errLost) {
		t.Error(err)
	}
}

func TestAJobThatEndsItsWorkersIsGivenUp(t *testing.T) {
	s := newStory(t)
	s.add("poison", 0)
	s.advance(time.Millisecond)
	s.add("next", time.Hour)
	for range 3 {
		s.take("poison")
		s.advance(time.Minute)
	}
	s.take("")
	got, err := s.standing(t.Context())
	if err != nil || got.Jobs != 1 || len(got.Dead) != 1 || got.Dead[0].Body != "poison" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestManyWorkersDoEachJobOnce(t *testing.T) {
	s := newStory(t)
	const jobs = 200
	for i := range jobs {
		s.add(fmt.Sprint(i), 0)
	}
	var mu sync.Mutex
	seen, left := map[string]int{}, jobs
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			s.work(ctx, func(_ context.Context, j job) error {
				mu.Lock()
				defer mu.Unlock()
				seen[j.Body]++
				return nil
			}, slog.New(slog.DiscardHandler))
		})
	}
	for left > 0 {
		got, err := s.standing(t.Context())
		s.must(err)
		left = int(got.Jobs)
		time.Sleep(time.Millisecond)
	}
	cancel()
	workers.Wait()
	for i := range jobs {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("job %d was done %d times", i, n)
		}
	}
}

// TestAJobThatWasAddedSurvivesAPowerCut cuts the power at some operations of the disk and
// looks which jobs are there afterwards.
func TestAJobThatWasAddedSurvivesAPowerCut(t *testing.T) {
	for _, cut := range []int64{40, 60, 80, 100, 120} {
		disk := vfstest.NewDisk(uint64(cut))
		disk.CutAt(cut)
		added := map[string]bool{}
		func() {
			db, err := siltstone.Open("queue", &siltstone.Options{FS: disk})
			if err != nil {
				return
			}
			defer db.Close()
			q, err := newQueue(db, defaults)
			for i := 0; err == nil; i++ {
				var id string
				if id, err = q.add(context.Background(), job{Body: fmt.Sprint(i)}, 0); err == nil {
					added[id] = true
				}
				if i%3 == 2 && err == nil {
					var j job
					if j, _, err = q.take(context.Background()); err == nil {
						if err = q.done(context.Background(), j); !errors.Is(err, vfstest.ErrPowerCut) {
							delete(added, j.ID)
						}
					}
				}
			}
		}()
		if len(added) == 0 {
			t.Errorf("cut at %d: before anything was added", cut)
		}
		after := disk.Image(vfstest.P3, rand.New(rand.NewPCG(1, uint64(cut))))
		q := open(t, after, func() time.Time { return time.Now().Add(time.Hour) }, defaults)
		found := map[string]bool{}
		for {
			j, _, err := q.take(t.Context())
			if errors.Is(err, errNone) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			found[j.ID] = true
		}
		for id := range added {
			if !found[id] {
				t.Errorf("cut at %d: job %s of %d is lost", cut, id, len(added))
			}
		}
	}
}

// TestTheServiceDelivers runs all of it: a receiver refuses twice and then takes the request.
func TestTheServiceDelivers(t *testing.T) {
	var asked atomic.Int64
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		b, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("Job-Id") + " " + string(b)
	}))
	defer receiver.Close()
	q := open(t, vfs.NewMem(), nil, settings{lease: time.Minute, attempts: 5, retry: time.Millisecond})
	service := httptest.NewServer(q.handler())
	defer service.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() { q.work(ctx, deliver, slog.New(slog.DiscardHandler)) })
	defer worker.Wait()
	defer cancel()

	answer, err := http.PostForm(service.URL+"/jobs", url.Values{"url": {receiver.URL}, "body": {"hello"}, "delay": {"1ms"}})
	if err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatal(answer, err)
	}
	if said := <-got; !strings.HasSuffix(said, " hello") || len(said) < 20 {
		t.Errorf("delivered %q", said)
	}
	for _, bad := range []url.Values{{}, {"url": {"ftp://x"}}, {"url": {receiver.URL}, "delay": {"soon"}}} {
		answer, err := http.PostForm(service.URL+"/jobs", bad)
		if err != nil || answer.StatusCode != http.StatusBadRequest {
			t.Error(bad, answer, err)
		}
	}
	if answer, err := http.Post(service.URL+"/jobs/nobody/again", "", nil); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Error(answer, err)
	}
}

func TestTheProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := parse([]string{"-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-workers", "2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- serve(ctx, c, slog.New(slog.DiscardHandler)) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := parse([]string{"-workers", "0"}, io.Discard); err == nil {
		t.Error("no worker is taken for some")
	}
}
