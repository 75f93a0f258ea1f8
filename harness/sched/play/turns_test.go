package play

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/sched/point"
)

// contend makes the Updates of a key lose, with puts.
func (w *world) contend(name string, n int, allowed ...error) {
	w.client(name, func() {
		for i := range n {
			if err := w.db.Put([]byte("hot"), key("%d", i)); err != nil {
				must("put", err, allowed...)
				return
			}
		}
	})
}

var errOnPurpose = errors.New("on purpose")

// loses is an Update that loses to a put of its own until it has its turn, and then
// runs last.
func (w *world) loses(ctx context.Context, name string, last func(tx *siltstone.Tx) error) error {
	return w.db.Update(ctx, func(tx *siltstone.Tx) error {
		if _, err := tx.Has([]byte("hot")); err != nil {
			return err
		}
		if tx.Attempt() > 4 {
			if err := last(tx); err != nil {
				return err
			}
			return tx.Put([]byte(name), []byte("done"))
		}
		if err := w.db.Put([]byte("hot"), []byte(name)); err != nil {
			return err
		}
		return tx.Put([]byte(name), nil)
	})
}

// turn is Updates that have turns and leave them in every way.
func turn(w *world) {
	for i, leave := range []func() error{
		func() error { panic(errOnPurpose) },
		func() error { return errOnPurpose },
		func() error { return nil },
	} {
		w.client(fmt.Sprint("update", i), func() {
			defer func() {
				if p := recover(); p != nil && p != errOnPurpose {
					panic(p)
				}
			}()
			must("update", w.loses(ctx, fmt.Sprint("u", i), func(*siltstone.Tx) error { return leave() }), errOnPurpose)
		})
	}
	w.contend("rival", 6)
	w.client("flush", func() { must("flush", w.db.Flush(ctx)) })
	w.mix()
	if v := w.get("u2"); v != "done" {
		point.Fail("an Update that returned nil left %q", v)
	}
	if v := w.get("u0") + w.get("u1"); v != "" {
		point.Fail("an Update that failed left %q", v)
	}
	w.end()
}

// nested is an Update inside the turn of another, under another context.
func nested(w *world) {
	w.client("outer", func() {
		must("outer", w.loses(ctx, "outer", func(*siltstone.Tx) error {
			return w.loses(context.Background(), "inner", func(*siltstone.Tx) error { return nil })
		}), siltstone.ErrNested)
	})
	w.contend("rival", 4)
	w.client("incr", func() { _, err := w.db.String("n").Incr(1); must("incr", err) })
	w.mix()
	w.end()
}

// sitting is an Update that sits in its turn until others, who wait for it, are done.
func sitting(w *world) {
	begun, done := make(chan struct{}), make(chan struct{})
	w.client("sits", func() {
		first := true
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			if first {
				first = false
				close(begun)
				<-done
				point.Woken("sits: done")
			}
			return nil
		}))
	})
	w.client("waits", func() {
		<-begun
		point.Woken("waits")
		must("put", w.db.Put([]byte("k"), nil))
		_, err := w.db.String("n").Incr(1)
		must("incr", err)
		must("another", w.loses(ctx, "other", func(*siltstone.Tx) error { return nil }))
		close(done)
	})
	w.contend("rival", 3)
	w.mix()
	w.end()
}

// leaving is an Update that sits in its turn until another, which waits for it, has
// ended, and Close, which ends the other.
func leaving(w *world) {
	begun, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.client("sits", func() {
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			once.Do(func() { close(begun) })
			<-done
			point.Woken("sits: done")
			return nil
		}), siltstone.ErrClosed)
	})
	var others sync.WaitGroup
	for name, call := range point.InOrder(map[string]func() error{
		"put":    func() error { return w.db.Put([]byte("k"), nil) },
		"update": func() error { return w.loses(ctx, "other", func(*siltstone.Tx) error { return nil }) },
	}) {
		others.Add(1)
		w.client(name, func() {
			defer others.Done()
			<-begun
			point.Woken("waits")
			must(name, call(), siltstone.ErrClosed)
		})
	}
	w.client("done", func() {
		others.Wait()
		point.Woken("done")
		close(done)
	})
	w.client("close", func() {
		<-begun
		point.Woken("close")
		_ = w.db.Close() // which counts the transaction that is open
	})
	w.mix()
	w.db = w.open()
	w.end()
}

// deadline is a put with a time to live that waits for a turn: its time begins when it
// is visible. Here nothing takes time but what sleeps.
func deadline(w *world) {
	point.Still()
	const life = 70 * time.Millisecond
	begun := make(chan struct{})
	var once sync.Once
	w.client("sits", func() {
		must("sits", w.loses(ctx, "sits", func(*siltstone.Tx) error {
			once.Do(func() { close(begun) })
			point.Sleep("sits", 80*time.Millisecond)
			return nil
		}))
	})
	w.client("puts", func() {
		<-begun
		point.Woken("puts")
		must("put", w.db.PutTTL([]byte("k"), nil, life))
		left, err := w.db.TTL([]byte("k"))
		if err != nil || left < life {
			point.Fail("a key that was put to live for %v has %v left at once, %v", life, left, err)
		}
	})
	w.mix()
	w.end()
}
