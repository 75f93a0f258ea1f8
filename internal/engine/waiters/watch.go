package waiters

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Watch is the keys that one caller wants to know the changes of. It belongs to the
// caller's goroutine, but for its being told.
type Watch struct {
	sleeper
	keys []*watched
	last int // key that Next returned
}

// watched is one key of a watch. It counts as changed at first.
type watched struct {
	of       *Watch
	row      []byte
	elements []byte // what the rows of its collection begin with; none: it has no rows
	expiry   int64  // 0: none
	changed  bool   // and Next has not said so yet; guarded by Registry.mu
}

// Watch begins to watch the keys with the given rows. The caller ends it with Close.
func (r *Registry) Watch(rows [][]byte) *Watch {
	w := &Watch{sleeper: newSleeper(r), last: len(rows) - 1}
	r.waiting.Add(1) // before it looks: see Any
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		k := &watched{of: w, row: bytes.Clone(row), changed: true}
		w.keys = append(w.keys, k)
		r.listenLocked(k.row, k)
	}
	if r.watches == nil {
		r.watches = map[*Watch]struct{}{}
	}
	r.watches[w] = struct{}{}
	return w
}

// Next returns the number of a key that has changed, or has expired by now, since Next
// last returned it; ok is false if there is none. Keys that change all the time do not
// hide others.
func (w *Watch) Next(now int64) (i int, ok bool) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	for range w.keys {
		w.last = (w.last + 1) % len(w.keys)
		k := w.keys[w.last]
		if expired := k.expiry != 0 && k.expiry <= now; k.changed || expired {
			k.changed = false
			return w.last, true
		}
	}
	return 0, false
}

// Follow says what else changes key i: its rows that begin with elements, and its expiry.
// It reports whether the watch did not listen to those rows before; then the caller looks
// at the key again.
func (w *Watch) Follow(i int, elements []byte, expiry int64) (moved bool) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	k := w.keys[i]
	k.expiry = expiry
	return w.of.moveLocked(&k.elements, elements, k)
}

// Expiry returns when the first of the keys expires; 0: none does.
func (w *Watch) Expiry() (first int64) {
	for _, k := range w.keys {
		if k.expiry != 0 && (first == 0 || k.expiry < first) {
			first = k.expiry
		}
	}
	return first
}

// Close ends the watch.
func (w *Watch) Close() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	for _, k := range w.keys {
		w.of.moveLocked(&k.elements, nil, k)
		w.of.leaveLocked(k.row, k)
	}
	delete(w.of.watches, w)
	w.of.waiting.Add(-1)
}

// writtenLocked implements listener.
func (k *watched) writtenLocked(base.SeqNum, bool) {
	k.changed = true
	k.of.wake()
}
