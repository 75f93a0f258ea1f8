package waiters

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Registry has all who wait in one store. The zero Registry is ready. It is safe for
// concurrent use.
type Registry struct {
	waiting atomic.Int64 // callers in lines, and watches
	wakes   atomic.Int64 // of them

	mu      invariants.Mutex
	topics  map[string]*topic
	lines   map[string]*line // by the row of the key
	watches map[*Watch]struct{}
}

// topic is a row that somebody waits for.
type topic struct{ listeners []listener }

// listener is told of each commit that wrote a row of its topic, with Registry.mu held.
// seq is the commit's last sequence; gone is true if the key was deleted. Commits may be
// told of in another order than that of their sequences.
type listener interface {
	writtenLocked(seq base.SeqNum, gone bool)
}

// Ops are the operations of a commit.
type Ops interface {
	Len() int
	Op(i int) record.Op
}

// Any reports whether anybody waits. Who begins to wait after the answer sees the state
// that was visible before the question.
func (r *Registry) Any() bool { return r.waiting.Load() != 0 }

// Waiting returns how many callers wait, and Wakes how often one has been woken, or has
// looked at once because it was the first of its line.
func (r *Registry) Waiting() int64 { return r.waiting.Load() }
func (r *Registry) Wakes() int64   { return r.wakes.Load() }

// perLock is how many operations of a commit are looked up before others have a chance
// to take the lock.
const perLock = 1024

// Published tells those who wait of a commit that has become visible, whose last sequence
// is seq. served is the caller whose own commit it is: it has its element, and leaves its
// line; nil: it is nobody's.
func (r *Registry) Published(c Ops, seq base.SeqNum, served *Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if served != nil {
		served.serveLocked(seq)
	}
	for i := range c.Len() {
		if i%perLock == perLock-1 {
			r.mu.Unlock()
			r.mu.Lock()
		}
		r.writtenLocked(c.Op(i), seq)
	}
}

// writtenLocked tells those who wait for what the operation wrote.
func (r *Registry) writtenLocked(o record.Op, seq base.SeqNum) {
	if o.Attr.Kind() == base.KindRangeDelete {
		for row, t := range r.topics {
			if string(o.Key) <= row && row < string(o.Value) {
				t.writtenLocked(seq, false) // the keyspace may be gone, which ends a wait
			}
		}
		return
	}
	prefix, rest, ok := keyenc.KeyspaceOf(o.Key)
	if !ok {
		return
	}
	row, gone := o.Key, o.Attr.Kind() == base.KindDelete
	if rest[0] == keyenc.SpaceElements {
		row, gone = row[:min(len(row), keyenc.CollectionHeaderLen(prefix)-1)], false
	}
	if t := r.topics[string(row)]; t != nil {
		t.writtenLocked(seq, gone)
	}
}

func (t *topic) writtenLocked(seq base.SeqNum, gone bool) {
	for _, l := range t.listeners {
		l.writtenLocked(seq, gone)
	}
}

// LookAgain wakes everybody: the store may have been poisoned.
func (r *Registry) LookAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		for p := l.first; p != nil; p = p.next {
			p.wake()
		}
	}
	for w := range r.watches {
		w.wake()
	}
}

// Due wakes those whose time has come by now, a reading of the store's clock. They have
// alarms of their own, which a clock that jumps does not move.
func (r *Registry) Due(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if at := l.first.due; at != 0 && at <= now {
			l.wakeLocked()
		}
	}
	for w := range r.watches {
		if at := w.due; at != 0 && at <= now {
			w.wake()
		}
	}
}

// listenLocked makes l a listener of the row.
func (r *Registry) listenLocked(row []byte, l listener) {
	if r.topics == nil {
		r.topics = map[string]*topic{}
	}
	t := r.topics[string(row)]
	if t == nil {
		t = new(topic)
		r.topics[string(row)] = t
	}
	t.listeners = append(t.listeners, l)
}

// leaveLocked is the reverse of listenLocked.
func (r *Registry) leaveLocked(row []byte, l listener) {
	t := r.topics[string(row)]
	i := slices.Index(t.listeners, l)
	if t.listeners = slices.Delete(t.listeners, i, i+1); len(t.listeners) == 0 {
		delete(r.topics, string(row))
	}
}

// moveLocked makes l a listener of the row to instead of the row *from, either of which
// may be empty, and reports whether it was not before.
func (r *Registry) moveLocked(from *[]byte, to []byte, l listener) (moved bool) {
	if bytes.Equal(*from, to) {
		return false
	}
	if len(*from) > 0 {
		r.leaveLocked(*from, l)
	}
	if *from = bytes.Clone(to); len(to) > 0 {
		r.listenLocked(to, l)
	}
	return true
}
