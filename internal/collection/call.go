package collection

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
)

func begin(src Source, write bool, key string, attempt int) (Txn, error) {
	if src == nil {
		return nil, base.ErrClosed // a zero handle
	}
	return src.Begin(write, key, attempt)
}

// View runs body in a transaction that reads. body does not escape, so a call
// allocates nothing for it.
func View[T any](src Source, body func(Txn) (T, error)) (T, error) {
	var none T
	t, err := begin(src, false, "", 1)
	if err != nil {
		return none, err
	}
	v, err := body(t)
	t.Scratch().shrink()
	if _, err = src.End(t, err); err != nil {
		return none, err
	}
	return v, nil
}

// Update runs body in a transaction that writes, again for as long as it loses
// to others; body must not carry anything over from one run to the next.
func Update[T any](src Source, key string, body func(Txn) (T, error)) (T, error) {
	var none T
	for attempt := 1; ; attempt++ {
		t, err := begin(src, true, key, attempt)
		if err != nil {
			return none, err
		}
		v, err := body(t)
		t.Scratch().shrink()
		again, err := src.End(t, err)
		if again {
			continue
		}
		if err != nil {
			return none, err
		}
		return v, nil
	}
}

// loopScratch is the working memory of loops.
var loopScratch = sync.Pool{New: func() any { return new(Scratch) }}

// Stream runs body in a transaction that reads and lives as long as the user's
// loop: it ends when the loop ends, breaks or panics. body calls each for every
// item and returns as soon as that is false. It reads the state at the loop's
// start, whatever the user's body writes; once that has ended the transaction, the
// error that says so is the loop's last item.
func Stream[T any](src Source, yield func(T, error) bool, body func(t Txn, each func(T) bool) error) {
	stopped := false
	err := func() (err error) {
		t, err := begin(src, false, "", 1)
		if err != nil {
			return err
		}
		defer func() {
			if _, e := src.End(t, err); err == nil {
				err = e
			}
		}()
		sc := loopScratch.Get().(*Scratch)
		frozen := t.Frozen(sc)
		defer func() {
			frozen.Scratch().shrink()
			loopScratch.Put(sc)
		}()
		var ended error
		err = body(frozen, func(v T) bool {
			if stopped = !yield(v, nil); stopped {
				return false
			}
			ended = t.Err()
			return ended == nil
		})
		if ended != nil {
			return ended
		}
		return err
	}()
	if err != nil && !stopped {
		var none T
		yield(none, err)
	}
}
