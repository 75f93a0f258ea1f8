package play

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/harness/sched/point"
)

// waiting is consumers who wait for items, one of whom leaves, and Close at any time.
// Each item is taken once or is still there.
func waiting(w *world) {
	const items = 6
	leaving, leave := context.WithCancel(ctx)
	defer leave()
	var pushed []string
	popped := map[string]int{}
	for c := range 3 {
		wait := ctx
		if c == 0 {
			wait = leaving
		}
		w.client(fmt.Sprint("pop", c), func() {
			for {
				v, err := w.db.List("l").WaitFront(wait)
				point.Woken("pop: served")
				if err != nil {
					must("wait for an item", err, context.Canceled, siltstone.ErrClosed)
					return
				}
				popped[string(v)]++
			}
		})
	}
	for c := range 2 {
		w.client(fmt.Sprint("push", c), func() {
			for i := range items / 2 {
				item := fmt.Sprintf("%d/%d", c, i)
				if _, err := w.db.List("l").PushBack([]byte(item)); err != nil {
					must("push", err, siltstone.ErrClosed)
					return
				}
				pushed = append(pushed, item)
			}
		})
	}
	w.client("watch", func() {
		for _, err := range w.db.Wait(leaving, []byte("l")) {
			must("watch", err, context.Canceled, siltstone.ErrClosed)
			point.Woken("watch")
		}
	})
	later := w.rand.IntN(200)
	w.client("leave", func() {
		for range later {
			point.At("leave: later")
		}
		leave()
	})
	w.client("close", func() {
		for range 3 * later {
			point.At("close: later")
		}
		must("close", w.db.Close())
	})
	w.mix()
	w.db = w.open()
	left := map[string]int{}
	for v, err := range w.db.List("l").Range(0, -1) {
		must("list", err)
		left[string(v)]++
	}
	for _, item := range pushed {
		if n := popped[item] + left[item]; n != 1 {
			point.Fail("item %s was taken %d times, and is there %d times", item, popped[item], left[item])
		}
	}
	for item, n := range popped {
		if n != 1 {
			point.Fail("item %s was taken %d times", item, n)
		}
	}
	w.end()
}

// served is a queue whose consumers all wait until there is nothing more to come.
func served(w *world) {
	const items, consumers = 6, 3
	taken, all := 0, make(chan struct{})
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	for c := range consumers {
		w.client(fmt.Sprint("pop", c), func() {
			for {
				_, err := w.db.List("l").WaitBack(stopped)
				point.Woken("pop: served")
				if err != nil {
					must("wait for an item", err, context.Canceled)
					return
				}
				if taken++; taken == items {
					close(all)
				}
			}
		})
	}
	for c := range 2 {
		w.client(fmt.Sprint("push", c), func() {
			for range items / 2 {
				_, err := w.db.List("l").PushFront([]byte("item"))
				must("push", err)
			}
		})
	}
	w.client("flush", func() { must("flush", w.db.Flush(ctx)) })
	w.client("stop", func() {
		<-all
		point.Woken("stop: all are served")
		stop()
	})
	w.mix()
	w.end()
}

// follower reads the changes of a store and knows of each writer how far it has got.
type follower struct {
	after changes.Position
	last  map[string]string // of a key that ends in /last
	parts int               // of the batch at hand
	gaps  bool              // it was told that some are gone
}

// take takes a change in. A batch has three.
func (f *follower) take(c changes.Change) {
	f.parts++
	if name, ok := strings.CutSuffix(string(c.Key), "/last"); ok {
		var was, is int
		_, _ = fmt.Sscan(f.last[name], &was)
		_, _ = fmt.Sscan(string(c.Value), &is)
		if is != was+1 && !(f.gaps && is > was) {
			point.Fail("batch %d of %s is told behind %d", is, name, was)
		}
		f.last[name] = string(c.Value)
	}
	if c.Last {
		if f.parts != 3 {
			point.Fail("a batch of %d changes is told", f.parts)
		}
		f.parts, f.after = 0, c.Position
	}
}

// read reads until ctx ends, or with noWait what there is. Behind a gap it goes on.
func (f *follower) read(ctx context.Context, db *siltstone.DB, noWait bool) error {
	for {
		var failed error
		f.parts = 0
		for c, err := range db.Changes(ctx, siltstone.ChangeOptions{After: f.after, NoWait: noWait}) {
			if failed = err; err == nil {
				f.take(c)
			}
		}
		var old *changes.TooOldError
		if !errors.As(failed, &old) {
			return failed
		}
		f.gaps, f.after = true, old.Oldest
	}
}

// following is readers of changes, also beside the writer, while commits go on, logs are
// changed and old ones removed.
func following(w *world) {
	must("close", w.db.Close())
	bound := []int64{1, 4 << 10, 1 << 30}[w.rand.IntN(3)]
	w.options.KeepChanges = changes.Keep{Bytes: bound}
	w.db = w.open()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	followers := []*follower{}
	writers := []*writer{{name: "a"}, {name: "b"}}
	writing := len(writers)
	for c := range 2 {
		f := &follower{last: map[string]string{}}
		followers = append(followers, f)
		w.client(fmt.Sprint("follow", c), func() {
			must("follow", f.read(reading, w.db, false), context.Canceled)
		})
	}
	for _, r := range writers {
		w.client(r.name, func() {
			r.run(w, 6)
			if writing--; writing == 0 {
				stop()
			}
		})
	}
	w.client("flush", func() {
		for range 3 {
			must("flush", w.db.Flush(ctx))
		}
	})
	w.client("beside", func() {
		o := w.options
		o.ReadOnly, o.Beside, o.KeepChanges = true, true, changes.Keep{}
		db, err := siltstone.Open("db", &o)
		must("open beside", err)
		f := &follower{last: map[string]string{}}
		for range 3 {
			must("follow beside", f.read(ctx, db, true))
			must("refresh", db.Refresh(ctx))
		}
		must("close", db.Close())
	})
	w.mix()
	for _, f := range followers {
		must("follow to the end", f.read(ctx, w.db, true))
		for _, r := range writers {
			if f.last[r.name] != fmt.Sprint(r.acknowledged) && !f.gaps {
				point.Fail("%s has %d batches, and %s is told", r.name, r.acknowledged, f.last[r.name])
			}
		}
		if f.gaps && bound == 1<<30 {
			point.Fail("changes are gone that are kept")
		}
	}
	w.again()
	w.end()
}
