package memtable

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// Iter walks all records of a table, every version of each key. It satisfies
// iterator.Iterator; its zero value stands nowhere and may be given a table with
// Init. It is not safe for concurrent use.
//
// It sees every record that was published before it was last positioned (First,
// Last or a seek), and may see later ones; the caller filters by sequence. It
// copies one leaf's nodes under a short lock and walks the copy, then goes on at
// the leaf that followed when it copied: leaves only ever split, and what has
// split off in between is in the copy already. Backward it goes on at the leaf
// in front of its fence, which never changes. A key's versions are looked up
// when it comes to the key.
type Iter struct {
	t        *Table
	keysOnly bool

	// The copy: nodes of one leaf, as it was.
	leaf *leaf
	next *leaf // behind leaf when it was copied
	n    int
	node [pageCap]uint32

	// Where it stands: a version of the i-th node of the copy.
	i       int
	version uint32
	entry   iterator.Entry

	// How far touch has come: nodes below ahead, nodes from behind on.
	ahead, behind int
	window        int    // how many it loads next
	touched       uint32 // keeps its loads alive

	probe fence
}

// NewIter returns an iterator over the table that stands nowhere yet. With
// keysOnly its entries have no values.
func (t *Table) NewIter(keysOnly bool) *Iter {
	it := new(Iter)
	it.Init(t, keysOnly)
	return it
}

// Init makes it an iterator over t that stands nowhere yet, whatever it was
// before. It allocates nothing, and neither do moves.
func (it *Iter) Init(t *Table, keysOnly bool) {
	it.Close()
	it.t, it.keysOnly = t, keysOnly
}

// First moves to the newest version of the first key.
func (it *Iter) First() *iterator.Entry {
	it.t.order.rlock()
	it.copyLeaf(it.t.order.first)
	it.t.order.mu.RUnlock()
	it.window = 1
	return it.forward(0)
}

// Last moves to the oldest version of the last key.
func (it *Iter) Last() *iterator.Entry {
	it.t.order.rlock()
	it.copyLeaf(it.t.order.last)
	it.t.order.mu.RUnlock()
	it.window = 1
	return it.backward(it.n - 1)
}

// seek copies the leaf between whose fences key lies and returns the index of
// the first key at or above it, and whether it is key itself.
func (it *Iter) seek(key []byte) (i int, found bool) {
	o := it.t.order
	o.rlock()
	l := o.leafFor(key, &it.probe)
	i, found = l.search(&it.t.arena, key)
	it.copyLeaf(l)
	o.mu.RUnlock()
	it.window = 1
	return i, found
}

// SeekGE moves to the newest version of key that is not newer than seq, or to
// the newest version of the next key.
func (it *Iter) SeekGE(key []byte, seq base.SeqNum) *iterator.Entry {
	i, found := it.seek(key)
	if !found {
		return it.forward(i)
	}
	a := &it.t.arena
	version := a.atMost(a.head(it.node[i]), it.t.limit(seq))
	if version == 0 {
		return it.forward(i + 1)
	}
	it.i = i
	return it.stand(version)
}

// SeekLT moves to the oldest version of the last key below key.
func (it *Iter) SeekLT(key []byte) *iterator.Entry {
	i, _ := it.seek(key)
	return it.backward(i - 1)
}

// Next moves to the next older version of the key, or else to the newest of the
// next key.
func (it *Iter) Next() *iterator.Entry {
	if older := it.t.arena.older(it.version); older != 0 {
		return it.stand(older)
	}
	return it.forward(it.i + 1)
}

// Prev moves to the next newer version of the key, or else to the oldest of the
// key before. Among many versions of one key it costs the logarithm of their
// number.
func (it *Iter) Prev() *iterator.Entry {
	a := &it.t.arena
	if newer := a.above(a.head(it.node[it.i]), int64(a.seq(it.version))); newer != 0 {
		return it.stand(newer)
	}
	return it.backward(it.i - 1)
}

// copyLeaf makes l the leaf the iterator stands in. order.mu is held.
func (it *Iter) copyLeaf(l *leaf) {
	it.leaf, it.next = l, l.next
	it.n = copy(it.node[:], l.ref[:l.n])
	it.ahead, it.behind = 0, it.n
}

// forward moves to the newest version of the i-th node of the copy, or of the
// first node behind the copy.
func (it *Iter) forward(i int) *iterator.Entry {
	for i >= it.n {
		if it.next == nil {
			return nil
		}
		it.t.order.rlock()
		it.copyLeaf(it.next)
		it.t.order.mu.RUnlock()
		i = 0
	}
	if i >= it.ahead {
		it.ahead = min(i+it.widen(), it.n)
		it.touch(i, it.ahead)
	}
	it.i = i
	return it.stand(it.t.arena.head(it.node[i]))
}

// backward moves to the oldest version of the i-th node of the copy, or of the
// last node in front of the copy.
func (it *Iter) backward(i int) *iterator.Entry {
	for i < 0 {
		o := it.t.order
		o.rlock()
		l := it.leaf.prev
		if l != nil {
			it.copyLeaf(l)
		}
		o.mu.RUnlock()
		if l == nil {
			return nil
		}
		i = it.n - 1
	}
	if i < it.behind {
		it.behind = max(i+1-it.widen(), 0)
		it.touch(it.behind, i+1)
	}
	it.i = i
	a := &it.t.arena
	version := a.head(it.node[i])
	if a.older(version) != 0 {
		version = a.above(version, -1)
	}
	return it.stand(version)
}

// widest is how many nodes are loaded together on a long walk.
const widest = 32

// widen returns how many nodes to load now: few behind a seek, twice as many
// each time.
func (it *Iter) widen() int {
	w := it.window
	it.window = min(2*w, widest)
	return w
}

// touch loads nodes ahead of their turn, with the start of the first version
// behind each. They lie anywhere in the arena: asked for together they arrive
// together, one by one each is waited for.
func (it *Iter) touch(from, to int) {
	a := &it.t.arena
	sum := it.touched
	for _, node := range it.node[from:to] {
		s := a.spot(node)
		sum += *s.word(nodeKeyLen) + *s.word(nodeHeader + versionHeader)
	}
	it.touched = sum
}

// stand fills the entry from a version of the i-th node.
func (it *Iter) stand(version uint32) *iterator.Entry {
	it.version = version
	a, e := &it.t.arena, &it.entry
	e.Key = a.key(it.node[it.i])
	at := a.spot(version)
	var off uintptr
	e.Trailer, off = at.trailer()
	e.Seq += it.t.first
	if !it.keysOnly {
		e.Value, e.Lasting = it.t.value(at, off), true
	}
	return e
}

// Run has nothing to tell about a memtable.
func (it *Iter) Run() (r iterator.Run, ok bool) { return r, false }

// Err returns nil: memory does not fail.
func (it *Iter) Err() error { return nil }

// Close lets go of the table. What was lent stays readable.
func (it *Iter) Close() error {
	it.t, it.leaf, it.next = nil, nil, nil
	it.n, it.i, it.version = 0, 0, 0
	it.entry = iterator.Entry{}
	return nil
}
