package memtable

import (
	"math"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// Iter walks the records of a table: every version of each key, or of each key
// the newest one that a reader sees. It satisfies iterator.Iterator; its zero
// value stands nowhere and may be given a table with Init or InitAt. It is not
// safe for concurrent use.
//
// It sees every record that was published before it was last positioned (First,
// Last or a seek), and may see later ones, unless it reads at a sequence: the
// caller filters. It copies one leaf's nodes under a short lock and walks the
// copy, then goes on at the leaf that followed when it copied: leaves only ever
// split, and what has split off in between is in the copy already. Backward it
// goes on at the leaf in front of its fence, which never changes. A key's
// versions are looked up when it comes to the key.
type Iter struct {
	t        *Table
	keysOnly bool
	single   bool  // at most one version of a key
	limit    int64 // none newer than this, as records hold sequences

	// The copy: nodes of one leaf, as it was.
	leaf *leaf
	next *leaf // behind leaf when it was copied
	n    int
	node [pageCap]uint32

	// Where it stands: a version of the i-th node of the copy.
	i       int
	version uint32
	entry   iterator.Entry

	fetch fetcher
	probe fence
}

// NewIter returns an iterator over every version of each key that stands nowhere
// yet. With keysOnly its entries have no values.
func (t *Table) NewIter(keysOnly bool) *Iter {
	it := new(Iter)
	it.Init(t, keysOnly)
	return it
}

// Init makes it an iterator over every version of each key of t that stands
// nowhere yet, whatever it was before. It allocates nothing, and neither do
// moves.
func (it *Iter) Init(t *Table, keysOnly bool) {
	it.Close()
	it.t, it.keysOnly, it.limit = t, keysOnly, math.MaxInt64
	it.entry.Lasting, it.entry.LastingKey = true, true
}

// InitAt is Init for an iterator that has of each key only the newest version
// with a sequence of at most seq, and not the keys that have none. A move costs
// the same whatever the number of versions, but for the logarithm of how many
// are newer than seq. What it has does not change beside a writer whose
// sequences are above seq.
func (it *Iter) InitAt(t *Table, keysOnly bool, seq base.SeqNum) {
	it.Init(t, keysOnly)
	it.single, it.limit = true, t.limit(seq)
	it.entry.Sole = true
}

// First moves to the first entry.
func (it *Iter) First() *iterator.Entry {
	it.t.order.rlock()
	it.copyLeaf(it.t.order.first)
	it.t.order.mu.RUnlock()
	it.fetch.start()
	return it.forward(0)
}

// Last moves to the last entry.
func (it *Iter) Last() *iterator.Entry {
	it.t.order.rlock()
	it.copyLeaf(it.t.order.last)
	it.t.order.mu.RUnlock()
	it.fetch.start()
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
	it.fetch.start()
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
	version := it.newest(a.head(it.node[i]))
	if limit := it.t.limit(seq); version != 0 && int64(a.seq(version)) > limit {
		if it.single {
			return it.forward(i + 1)
		}
		version = a.atMost(version, limit)
	}
	if version == 0 {
		return it.forward(i + 1)
	}
	it.fetch.forward(it, i)
	it.i = i
	return it.stand(a.spot(it.node[i]), version)
}

// SeekLT moves to the oldest version of the last key below key.
func (it *Iter) SeekLT(key []byte) *iterator.Entry {
	i, _ := it.seek(key)
	return it.backward(i - 1)
}

// Next moves to the next older version of the key, or else to the newest of the
// next key.
func (it *Iter) Next() *iterator.Entry {
	if !it.single {
		if older := it.t.arena.older(it.version); older != 0 {
			return it.stand(it.t.arena.spot(it.node[it.i]), older)
		}
	}
	return it.forward(it.i + 1)
}

// Prev moves to the next newer version of the key, or else to the oldest of the
// key before. Among many versions of one key it costs the logarithm of their
// number.
func (it *Iter) Prev() *iterator.Entry {
	if !it.single {
		a := &it.t.arena
		if newer := a.above(a.head(it.node[it.i]), int64(a.seq(it.version))); newer != 0 {
			return it.stand(a.spot(it.node[it.i]), newer)
		}
	}
	return it.backward(it.i - 1)
}

// copyLeaf makes l the leaf the iterator stands in. order.mu is held.
func (it *Iter) copyLeaf(l *leaf) {
	it.leaf, it.next = l, l.next
	it.n = copy(it.node[:], l.ref[:l.n])
}

// newest returns the newest version there is to be seen of the chain from head,
// 0 if there is none.
func (it *Iter) newest(head uint32) uint32 {
	if a := &it.t.arena; int64(a.seq(head)) > it.limit {
		return a.atMost(head, it.limit)
	}
	return head
}

// forward moves to the newest version of the i-th node of the copy, or of the
// first node behind that has one.
func (it *Iter) forward(i int) *iterator.Entry {
	for a := &it.t.arena; ; i++ {
		if i >= it.n {
			if !it.nextLeaf() {
				return nil
			}
			i = 0
		}
		it.fetch.forward(it, i)
		s := a.spot(it.node[i])
		if version := it.newest(atomic.LoadUint32(s.word(nodeHead))); version != 0 {
			it.i = i
			return it.stand(s, version)
		}
	}
}

// Stride moves as Next does, with d −1 as Prev does, but stays in the leaf it
// stands in: if there is nothing more it returns nil and stands where it stood.
// It is for iterators made by InitAt.
func (it *Iter) Stride(d int) *iterator.Entry {
	a := &it.t.arena
	for i := it.i + d; i >= 0 && i < it.n; i += d {
		if d > 0 {
			it.fetch.forward(it, i)
		} else {
			it.fetch.backward(it, i)
		}
		s := a.spot(it.node[i])
		if version := it.newest(atomic.LoadUint32(s.word(nodeHead))); version != 0 {
			it.i = i
			return it.stand(s, version)
		}
	}
	return nil
}

// Edge returns the last key Stride may come to. It belongs to the table.
func (it *Iter) Edge(d int) []byte {
	if d > 0 {
		return it.t.arena.key(it.node[it.n-1])
	}
	return it.t.arena.key(it.node[0])
}

// nextLeaf copies the next leaf that has a node.
func (it *Iter) nextLeaf() bool {
	for it.next != nil {
		it.t.order.rlock()
		it.copyLeaf(it.next)
		it.t.order.mu.RUnlock()
		if it.n > 0 {
			it.fetch.enter()
			return true
		}
	}
	return false
}

// backward moves to the oldest version of the i-th node of the copy, or of the
// last node in front that has one; if there is but one version a key, to that.
func (it *Iter) backward(i int) *iterator.Entry {
	for a := &it.t.arena; ; i-- {
		if i < 0 {
			if !it.prevLeaf() {
				return nil
			}
			i = it.n - 1
		}
		it.fetch.backward(it, i)
		s := a.spot(it.node[i])
		version := atomic.LoadUint32(s.word(nodeHead))
		if it.single {
			version = it.newest(version)
		} else if a.older(version) != 0 {
			version = a.above(version, -1)
		}
		if version != 0 {
			it.i = i
			return it.stand(s, version)
		}
	}
}

// prevLeaf copies the leaf in front of the fence, or the first one before that
// has a node.
func (it *Iter) prevLeaf() bool {
	o := it.t.order
	o.rlock()
	l := it.leaf.prev
	for l != nil && l.n == 0 {
		l = l.prev
	}
	if l != nil {
		it.copyLeaf(l)
	}
	o.mu.RUnlock()
	it.fetch.enter()
	return l != nil
}

// stand fills the entry from a version of the i-th node, which lies at s.
func (it *Iter) stand(s spot, version uint32) *iterator.Entry {
	it.version = version
	e := &it.entry
	e.Key = s.bytes(nodeHeader, int(*s.word(nodeKeyLen)))
	at := it.t.arena.spot(version)
	var off uintptr
	e.Trailer, off = at.trailer()
	e.Seq += it.t.first
	if !it.keysOnly {
		e.Value = it.t.value(at, off)
	}
	return e
}

// Block has nothing to tell about a memtable.
func (it *Iter) Block() (r iterator.Block, ok bool) { return r, false }

// Err returns nil: memory does not fail.
func (it *Iter) Err() error { return nil }

// Close lets go of the table. What was lent stays readable.
func (it *Iter) Close() error {
	it.t, it.leaf, it.next = nil, nil, nil
	it.n, it.i, it.version, it.single = 0, 0, 0, false
	it.entry = iterator.Entry{}
	return nil
}
