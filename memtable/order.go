package memtable

import (
	"bytes"
	"sync"

	"github.com/huandu/skiplist"

	"github.com/siltstonedb/siltstone/internal/base"
)

// order is the ordered index: the leaves in a row, branches over them, and a
// skiplist of the branches by their fences. The writer changes it under mu and
// may search it without; everybody else holds mu for reading, for no longer than
// it takes to look through a few leaves, and goes on from leaf to leaf without
// searching.
//
// The skiplist holds branches and not the leaves themselves because a search in
// it visits some twenty elements, most of them out of the first cache: with half
// a million keys that was two fifths of an insertion.
type order struct {
	mu       sync.RWMutex
	list     *skiplist.SkipList // of *fence
	learned  []byte             // what the scores leave out at the front of a fence
	first    *leaf
	last     *leaf
	branches *branch // the first

	// Writer only.
	arena *arena
	tail  *branch // the last
	count int     // branches
	// leaves by number; a node holds its leaf's, so that an overwrite can raise
	// the leaf's maxSeq without a search.
	leaves []*leaf
	spare  []*leaf // from before a reset, to be cleared
	probe  fence   // what the writer searches for
	coin   coin
}

// Sizes of what the collector sees of the order, about, with the skiplist's own.
const (
	leafBytes   = 1536 + 8
	branchBytes = 2688 + 96 + 24
)

// spins is how often a lock is tried before waiting for it. It is held for some
// hundred nanoseconds, and waiting costs some thousand.
const spins = 100

func newOrder(a *arena) *order {
	o := &order{arena: a}
	o.reset()
	return o
}

// reset empties the index and keeps its leaves for what comes. Nothing of it
// points into the arena any more.
func (o *order) reset() {
	for _, l := range o.leaves {
		l.lo, l.sample = nil, nil
	}
	o.spare = append(o.spare, o.leaves...)
	clear(o.leaves)
	o.leaves = o.leaves[:0]
	o.coin, o.count, o.learned = 0x9E3779B97F4A7C15, 1, nil
	l, _ := o.newLeaf()
	b := &branch{}
	l.open, b.open = true, true
	b.branch, b.leaf[0] = b, l
	o.first, o.last = l, l
	o.branches, o.tail = b, b
	o.list = newFenceList(nil, &o.coin)
	o.list.Set(&b.fence, nil)
}

// newLeaf returns an empty leaf with the next number, and how many bytes it took.
func (o *order) newLeaf() (l *leaf, grown int64) {
	if last := len(o.spare) - 1; last >= 0 {
		l, o.spare = o.spare[last], o.spare[:last]
		l.clear()
	} else {
		l, grown = new(leaf), leafBytes
	}
	l.number = uint32(len(o.leaves))
	o.leaves = append(o.leaves, l)
	return l, grown
}

func (o *order) lock() {
	for range spins {
		if o.mu.TryLock() {
			return
		}
	}
	o.mu.Lock()
}

func (o *order) rlock() {
	for range spins {
		if o.mu.TryRLock() {
			return
		}
	}
	o.mu.RLock()
}

// branchFor returns the branch between whose fences key lies. The probe is the
// caller's; it is in use only for the call.
func (o *order) branchFor(key []byte, probe *fence) *branch {
	if o.branches.next == nil {
		return o.branches
	}
	// Copied: were it lent to an interface, every caller's key would have to be
	// on the heap.
	probe.key = append(probe.key[:0], key...)
	e := o.list.Find(probe)
	if e == nil {
		e = o.list.Back()
	} else if f := e.Key().(*fence); !bytes.Equal(f.key, key) {
		e = e.Prev()
	}
	return e.Key().(*fence).branch
}

// leafFor returns the leaf between whose fences key lies.
func (o *order) leafFor(key []byte, probe *fence) *leaf {
	b := o.branchFor(key, probe)
	return b.leaf[b.find(o.arena, key)]
}

// insert adds the node of a new key and returns how many bytes of index that
// took. Writer only.
func (o *order) insert(node uint32, seq base.SeqNum) (grown int64) {
	a := o.arena
	key := a.key(node)
	l, b := o.last, o.tail
	at := int(b.n)
	if bytes.Compare(key, l.lo) < 0 {
		b = o.branchFor(key, &o.probe)
		at = b.find(a, key)
		l = b.leaf[at]
	}
	i, _ := l.search(a, key)
	o.lock()
	if l.n == pageCap {
		var right *leaf
		right, grown = o.newLeaf()
		var fence uint32
		fence, l, i = l.split(a, i, node, right)
		if right.next == nil {
			o.last = right
		}
		grown += o.addLeaf(b, at, fence, right)
	}
	l.insert(a, i, key, node)
	*a.word(node, nodeLeaf) = l.number
	l.raise(seq)
	o.mu.Unlock()
	return grown
}

// addLeaf puts a new leaf behind the at-th of b and returns how many bytes that
// took. Fence is the node its fence is the key of.
func (o *order) addLeaf(b *branch, at int, fence uint32, right *leaf) (grown int64) {
	a := o.arena
	if b.n < pageCap {
		b.insert(a, at, fence, right)
		return 0
	}
	fresh := new(branch)
	if at == pageCap && (b.stream() || b.next == nil) {
		b.follow(a, fresh, right)
	} else {
		b, at = b.split(a, at, fresh)
		b.insert(a, at, fence, right)
	}
	if fresh.next == nil {
		o.tail = fresh
	}
	o.count++
	o.list.Set(&fresh.fence, nil)
	o.learn()
	return branchBytes
}

// learn lets the scores of the skiplist start behind what all fences share,
// when their number has reached a power of two and that has changed.
func (o *order) learn() {
	if o.count&(o.count-1) != 0 || o.count < 4 || o.count > 1024 {
		return
	}
	shared := o.shared()
	if !bytes.Equal(shared, o.learned) {
		o.relist(shared)
	}
}

// shared returns what all fences share but the first, which is empty.
func (o *order) shared() []byte {
	lo, hi := o.branches.next.key, o.tail.key
	return lo[:base.CommonPrefix(lo, hi)]
}

// relist makes the skiplist anew, with scores that leave out what is shared.
func (o *order) relist(shared []byte) {
	o.learned = shared
	o.list = newFenceList(shared, &o.coin)
	for b := o.branches; b != nil; b = b.next {
		o.list.Set(&b.fence, nil)
	}
}
