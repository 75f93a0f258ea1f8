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

// loopScratch is for inline collections that loops walk.
var loopScratch = sync.Pool{New: func() any { return new(inlineScratch) }}

// Stream runs body in a transaction that reads and lives as long as the user's
// loop: it ends when the loop ends, breaks or panics. body calls each for every
// item and returns as soon as that is false.
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
		// The body of the user's loop may be other calls of the transaction.
		sc := t.Scratch()
		others, own := sc.inline, loopScratch.Get().(*inlineScratch)
		sc.inline = *own
		defer func() {
			sc.inline.shrink()
			*own, sc.inline = sc.inline, others
			loopScratch.Put(own)
		}()
		return body(t, func(v T) bool {
			mine := sc.inline
			sc.inline = others
			stopped = !yield(v, nil)
			others, sc.inline = sc.inline, mine
			return !stopped
		})
	}()
	if err != nil && !stopped {
		var none T
		yield(none, err)
	}
}
