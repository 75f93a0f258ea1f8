package memtable

import (
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Table is a memtable. One goroutine at a time may call Add, AddReferenced,
// AddRangeDelete, Reserve, Fits and Rebase; every other method is safe beside it
// and from any number of goroutines.
//
// A sequence is 0 or more; the versions of one key are added in rising sequence,
// and no two records share one.
type Table struct {
	arena arena
	index hashIndex
	order *order
	// first is added to every sequence on the way out (Rebase). It is set before
	// the table is published.
	first base.SeqNum

	large   atomic.Pointer[[][]byte] // values outside the arena, by index; it only grows
	deleted atomic.Pointer[tombstones]

	records atomic.Int64
	minSeq  atomic.Uint64 // +1; 0: nothing added
	maxSeq  atomic.Uint64 // +1
	outside atomic.Int64  // bytes held outside the arena
	indexed atomic.Int64  // bytes of indexes in use, as indexBytes returned them last

	probes sync.Pool // of *fence, for searches of the ordered index by readers
}

// opOverhead is the most a record takes beside its key and value: in the arena,
// of a leaf that is half full, and of a hash table that has just doubled.
const opOverhead = nodeHeader + maxVersion + 2*unitBytes + 2*leafBytes/pageCap + 8*16/5

// New returns an empty table with room for that many bytes of records and indexes,
// as Fits counts them. An empty table holds a few KiB; memory is taken as it
// fills.
func New(room int) *Table {
	t := new(Table)
	t.order = newOrder(&t.arena)
	t.arena.limit = arenaLimit(room)
	t.index.table.Store(newHashTable(firstSlots))
	t.large.Store(new([][]byte))
	t.outside.Store(firstSlots*8 + leafBytes + branchBytes)
	return t
}

func arenaLimit(bytes int) int64 { return max(0, min(int64(bytes), maxArena)) }

// Release gives the table's chunks to the Chunks it was made from, once. Until
// Reset nothing else may be done with it but what Chunks allows.
func (t *Table) Release() { t.arena.release() }

// Reset makes the table, whose chunks are released, as New(room) returns it, but
// keeps its indexes, so that they need not grow again. Nobody may be reading it,
// nor hold anything it handed out.
func (t *Table) Reset(room int) {
	t.arena.reset(arenaLimit(room))
	t.order.reset()
	t.index.reset()
	t.first = 0
	t.large.Store(new([][]byte))
	t.deleted.Store(nil)
	t.records.Store(0)
	t.minSeq.Store(0)
	t.maxSeq.Store(0)
	slots, leaves := len(t.index.table.Load().slots), len(t.order.spare)+1
	t.outside.Store(int64(slots)*8 + int64(leaves)*leafBytes + branchBytes)
	t.indexed.Store(t.indexBytes())
}

// indexBytes returns how many bytes of indexes are in use beyond an empty
// table's. Writer only.
func (t *Table) indexBytes() int64 {
	slots, o := len(t.index.table.Load().slots), t.order
	return int64(slots-firstSlots)*8 + int64(len(o.leaves)-1)*leafBytes + int64(o.count-1)*branchBytes
}

// Footprint returns the most a batch of that many operations, with so many bytes
// of keys and values together, takes of a table's room.
func Footprint(ops int, bytes int64) int64 { return bytes + int64(ops)*opOverhead }

// Fits reports whether a batch of that many operations (range deletes too), with
// so many bytes of keys and values together, fits whatever they are. It is a
// budget, not a wall: adding never fails, and what is added without asking makes
// the table larger than it should be.
func (t *Table) Fits(ops int, bytes int64) bool {
	left := t.arena.limit - t.arena.used - t.indexed.Load()
	return bytes <= left && int64(ops) <= (left-bytes)/opOverhead
}

// Reserve prepares the hash index for the given number of keys, so that it need
// not double on the way. It is worth calling before the first Add, with the
// Capacity of the table before this one.
func (t *Table) Reserve(keys int) {
	n := len(t.index.table.Load().slots)
	want := n
	for want/8*5 < keys && want < 1<<24 {
		want *= 2
	}
	if want > n {
		t.index.resize(want)
		t.outside.Add(int64(want-n) * 8)
		t.indexed.Store(t.indexBytes())
	}
}

// Capacity returns how many keys the hash index has room for before it doubles.
func (t *Table) Capacity() int { return len(t.index.table.Load().slots) / 8 * 5 }

// Fetch has the processor bring what a look-up or an insertion of a key with this
// hash will need first, and does not wait for it. Any goroutine may call it.
func (t *Table) Fetch(hash uint64) { t.index.table.Load().fetch(hash) }

// Add adds a record; hash is xxhash.Sum64(key). Key and value are copied. The
// caller has checked them against base.MaxRowKeyLen and base.MaxValueLen. The
// cost is logarithmic in the number of keys for a new key, constant for another
// version of a key.
func (t *Table) Add(hash uint64, key []byte, tr base.Trailer, value []byte) {
	if len(value) > LargeValue {
		value = append(make([]byte, 0, len(value)), value...)
	}
	t.AddReferenced(hash, key, tr, value)
}

// AddReferenced is Add, but a value longer than LargeValue is not copied: it
// belongs to the table from now on.
func (t *Table) AddReferenced(hash uint64, key []byte, tr base.Trailer, value []byte) {
	a := &t.arena
	h := t.index.table.Load()
	node, free := h.find(a, hash, key)
	if node == 0 && free < 0 && h.leaves.Load() {
		node = t.findOrdered(key, &t.order.probe)
	}
	if node != 0 {
		t.order.leaves[*a.word(node, nodeLeaf)].raise(tr.Seq)
		t.addVersion(node, tr, value)
		t.count(tr.Seq)
		return
	}
	node = t.writeNode(key, tr, value)
	slots, leaves := len(h.slots), len(t.order.leaves)
	if grown := t.order.insert(node, tr.Seq); grown > 0 {
		t.outside.Add(grown)
	}
	t.index.insert(free, hash, node)
	now := len(t.index.table.Load().slots)
	if now != slots {
		t.outside.Add(int64(now-slots) * 8)
	}
	if now != slots || len(t.order.leaves) != leaves {
		t.indexed.Store(t.indexBytes())
	}
	t.count(tr.Seq)
}

// writeNode writes a node for key with one version. Nobody sees it yet: the
// indexes publish it.
func (t *Table) writeNode(key []byte, tr base.Trailer, value []byte) (node uint32) {
	a := &t.arena
	size := versionBytes(tr.Attr, false) + inlineBytes(len(value))
	node, version := a.newNode(key, size)
	t.writeValue(version, a.writeVersion(version, 0, tr, len(value), false), value)
	n := a.spot(node)
	*n.word(nodeVersions) = 1
	*n.word(nodeHead) = version
	return node
}

// addVersion hangs a record in front of the others of its key.
func (t *Table) addVersion(node uint32, tr base.Trailer, value []byte) {
	a := &t.arena
	head := a.head(node)
	versions := *a.word(node, nodeVersions) + 1
	*a.word(node, nodeVersions) = versions
	canJump := versions%jumpSpacing == 0
	version := a.alloc(versionBytes(tr.Attr, canJump) + inlineBytes(len(value)))
	off := a.writeVersion(version, head, tr, len(value), canJump)
	if canJump {
		a.writeJumps(version, head)
	}
	t.writeValue(version, off, value)
	a.publish(node, version)
}

// writeValue puts a value at its place behind a version, or a reference to it.
func (t *Table) writeValue(version uint32, off uintptr, value []byte) {
	if len(value) <= LargeValue {
		copy(t.arena.spot(version).bytes(off, len(value)), value)
		return
	}
	all := *t.large.Load()
	*t.arena.long(version, off) = uint64(len(all))
	all = append(all, value)
	t.large.Store(&all)
	t.arena.used += int64(len(value))
	t.outside.Add(int64(len(value)))
}

// count notes a record of the given sequence, after it is in place and before
// the caller publishes it.
func (t *Table) count(seq base.SeqNum) {
	t.records.Store(t.records.Load() + 1)
	t.span(seq)
}

// span widens the range of sequences the table knows of.
func (t *Table) span(seq base.SeqNum) {
	s := uint64(seq) + 1
	if low := t.minSeq.Load(); low == 0 || s < low {
		t.minSeq.Store(s)
	}
	if s > t.maxSeq.Load() {
		t.maxSeq.Store(s)
	}
}

// Rebase adds first to every sequence of the table, those of range deletes
// included: a table that was filled outside the commit section, with sequences
// counted from 0, is given its place there. Its readers must not be at work, and
// what is added afterwards is counted from the new first as well. It may be
// called again: first wraps around, so that a smaller one can be reached. The
// cost is that of a copy of its range tombstones.
func (t *Table) Rebase(first base.SeqNum) {
	t.first += first
	t.rebaseTombstones(first)
}

// findOrdered returns the node of key by the ordered index, 0 if there is none.
// The caller is the writer or holds order.mu.
func (t *Table) findOrdered(key []byte, probe *fence) uint32 {
	l := t.order.leafFor(key, probe)
	if i, found := l.search(&t.arena, key); found {
		return l.ref[i]
	}
	return 0
}

// find returns the node of key, 0 if it has none.
func (t *Table) find(hash uint64, key []byte) uint32 {
	h := t.index.table.Load()
	node, free := h.find(&t.arena, hash, key)
	if node == 0 && free < 0 && h.leaves.Load() {
		probe := t.takeProbe()
		t.order.rlock()
		node = t.findOrdered(key, probe)
		t.order.mu.RUnlock()
		t.probes.Put(probe)
	}
	return node
}

func (t *Table) takeProbe() *fence {
	if p, ok := t.probes.Get().(*fence); ok {
		return p
	}
	return new(fence)
}

// limit turns a sequence to read at into one as records hold it; −1 sees nothing.
func (t *Table) limit(seq base.SeqNum) int64 { return max(-1, int64(seq)-int64(t.first)) }

// Get returns the newest point record of key with a sequence of at most seq; ok
// is false if there is none. hash is xxhash.Sum64(key). The value is borrowed
// from the table: it never changes and stays readable for as long as it is kept.
// Range deletes are not considered. Get takes no lock (but for keys made to
// collide) and allocates nothing; it costs a few cache lines, one if the key is
// absent.
func (t *Table) Get(hash uint64, key []byte, seq base.SeqNum) (value []byte, tr base.Trailer, ok bool) {
	node := t.find(hash, key)
	if node == 0 {
		return nil, tr, false
	}
	version := t.arena.atMost(t.arena.head(node), t.limit(seq))
	if version == 0 {
		return nil, tr, false
	}
	at := t.arena.spot(version)
	tr, off := at.trailer()
	tr.Seq += t.first
	return t.value(at, off), tr, true
}

// value returns the value of the version at s, which lies off bytes behind it.
func (t *Table) value(s spot, off uintptr) []byte {
	n := int(*s.word(versionLen) &^ jumps)
	if n > LargeValue {
		return (*t.large.Load())[*s.long(off)]
	}
	return s.bytes(off, n)
}

// Len returns the number of point records.
func (t *Table) Len() int { return int(t.records.Load()) }

// Empty reports whether nothing was added, range deletes included.
func (t *Table) Empty() bool { return t.minSeq.Load() == 0 }

// Bytes returns how much memory the table holds, with its indexes, the
// prepared one included, and what its chunks have free, in bytes.
func (t *Table) Bytes() int64 {
	return t.arena.held.Load() + t.index.aheadBytes() + t.outside.Load()
}

// Filled returns about how many bytes of its room the table has used, indexes
// included; values outside the arena do not count. It may be asked at any time.
func (t *Table) Filled() int64 { return t.arena.held.Load() + t.indexed.Load() }

// MinSeq returns the smallest sequence of the table, range deletes included; 0
// if it is empty.
func (t *Table) MinSeq() base.SeqNum { return t.outer(t.minSeq.Load()) }

// MaxSeq returns the largest sequence of the table, range deletes included; 0
// if it is empty.
func (t *Table) MaxSeq() base.SeqNum { return t.outer(t.maxSeq.Load()) }

// outer turns a noted sequence, which is one too large so that 0 says none, into
// the one it stands for.
func (t *Table) outer(noted uint64) base.SeqNum {
	if noted == 0 {
		return 0
	}
	return base.SeqNum(noted-1) + t.first
}
