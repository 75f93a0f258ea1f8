package rows

import (
	"bytes"
	"math"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// Iter walks the live rows of one read state at one read point: the newest
// visible version of each key that is a put, not covered by a range tombstone
// and not expired. It is the one place where visibility is decided for ranges;
// iterators, loops, typed values and conflict checks stand on it.
//
// Bounds and keys are row keys. Its slices are valid until the next move. Not
// safe for concurrent use.
type Iter struct {
	src *Source
	View
	lower, upper []byte // [lower, upper); nil is open
	upper8       uint64 // keys with smaller first bytes are below upper
	keysOnly     bool
	blind        bool // gaps are not looked at, and none is made

	row
	err error

	merge    iterator.Merging
	deletes  tombstones
	entry    *iterator.Entry // where merge stands
	backward bool            // merge stands before the row, unless in a block run
	sought   bool            // no move forward since the walk began

	dead    deadRun
	block   blockRun
	refused int // rows before it is worth asking for a block run again
	sole    int // rows of a memtable in a row
	cost    readCost

	walk
	sources

	// Bounds and Target are memory for its user: for the bounds, and for the key of
	// a seek.
	Bounds, Target []byte
}

// row is where an Iter stands.
type row struct {
	key     []byte
	value   []byte
	trailer base.Trailer // Trailer has the sequence, too
	valid   bool
	buffer  []byte // behind key, outside a block run
	kept    []byte // behind value, where a move would overwrite it
}

// walk is the stretch that an Iter has passed and not noted in the read set.
type walk struct {
	Reads *readset.Set // of the transaction that walks; nil if there is none
	from  []byte       // where the walk began
	walks bool
}

// sources are the children of an Iter's merge, and their storage between uses.
type sources struct {
	children []iterator.Iterator
	mems     []memtable.Iter
	tables   []sstable.Iter
	runs     []readstate.RunIter
	firstRun int // index of the first run among the children
}

// Source is shared by the iterators of one store.
type Source struct {
	States *readstate.States
	Loss   Loss
}

var rowIterPool = sync.Pool{New: func() any { return new(Iter) }}

// New returns an iterator over [lower, upper), positioned nowhere.
// Nothing is read before the first move, but for range tombstones. The caller
// keeps the state pinned until Release. The bounds are kept, not copied.
func New(src *Source, v View, lower, upper []byte, keysOnly bool) (*Iter, error) {
	return Take().Init(src, v, lower, upper, keysOnly)
}

// Take returns an iterator that Init makes ready, or GiveBack returns.
func Take() *Iter { return rowIterPool.Get().(*Iter) }

// GiveBack returns an iterator that was not made ready.
func (it *Iter) GiveBack() { rowIterPool.Put(it) }

func (it *Iter) Init(src *Source, v View, lower, upper []byte, keysOnly bool) (*Iter, error) {
	it.src, it.View = src, v
	it.lower, it.upper, it.keysOnly = lower, upper, keysOnly
	it.upper8 = math.MaxUint64
	if upper != nil {
		it.upper8 = base.Prefix8(upper, 0)
	}
	it.valid, it.entry, it.err = false, nil, nil
	it.Reads, it.walks = nil, false
	if err := it.deletes.gather(&it.View); err != nil {
		it.Release()
		return nil, err
	}
	it.open()
	return it, nil
}

// Refresh makes the iterator see v, which differs from what it saw in own
// writes only. It stands nowhere afterwards.
func (it *Iter) Refresh(v View) {
	it.Note()
	_ = it.merge.Close()
	it.View, it.valid, it.block = v, false, blockRun{}
	_ = it.deletes.gather(&it.View) // what may fail was found before
	it.open()
}

// open makes the children, newest source first: own writes, memtables, runs.
func (it *Iter) open() {
	rs, keysOnly := it.State, it.keysOnly
	o := sstable.IterOptions{KeysOnly: keysOnly, Lower: it.lower, Upper: it.upper}
	mems := 1 + len(rs.Imms)
	it.children = it.children[:0]
	it.mems = grow(it.mems, mems+1)
	it.tables = grow(it.tables, len(rs.Runs))
	it.runs = grow(it.runs, len(rs.Runs))
	add := func(i int, t *memtable.Table, seq base.SeqNum) {
		if !t.Empty() {
			it.mems[i].InitAt(t, keysOnly, seq)
			it.children = append(it.children, &it.mems[i])
		}
	}
	if it.Own != nil {
		add(mems, it.Own, it.OwnSeq)
	}
	add(0, rs.Mem.Table, it.Seq)
	for i, m := range rs.Imms {
		add(i+1, m.Table, it.Seq)
	}
	it.firstRun = len(it.children)
	for i := range rs.Runs {
		it.children = append(it.children, it.runs[i].Init(&rs.Runs[i], &it.tables[i], o))
	}
	it.merge.Init(it.children)
}

// grow returns s with length n, keeping its elements' storage.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		s = append(s[:cap(s)], make([]T, n-cap(s))...)
	}
	return s[:n]
}

// Release ends the iterator and keeps its memory for another one.
func (it *Iter) Release() {
	it.Note()
	it.countCost()
	_ = it.merge.Close()
	it.merge.Init(nil)
	clear(it.children)
	it.src, it.View, it.Reads = nil, View{}, nil
	it.deletes.forget()
	it.lower, it.upper, it.value = nil, nil, nil
	for i := range it.runs {
		it.runs[i].Forget()
	}
	it.key, it.block = nil, blockRun{}
	if cap(it.buffer) > 4096 {
		it.buffer = nil
	}
	if cap(it.kept) > 64<<10 {
		it.kept = nil
	}
	if invariants.Enabled {
		for _, b := range [][]byte{it.buffer, it.kept, it.from, it.Bounds, it.Target} {
			invariants.Poison(b)
		}
	}
	rowIterPool.Put(it)
}

// begin notes what was walked so far and begins a walk at key, nil being the
// start or end of all keys.
func (it *Iter) begin(key []byte, backward bool) {
	it.Note()
	it.noteSeek()
	it.backward, it.block, it.refused, it.sole, it.sought = backward, blockRun{}, 0, 0, true
	if it.Reads != nil {
		it.from, it.walks = append(it.from[:0], key...), true
	}
}

// Note adds the interval between where the walk began and where it stands now,
// both included, to the read set: gaps were read too.
func (it *Iter) Note() {
	if it.Reads == nil || !it.walks {
		return
	}
	it.walks = false
	end := it.from
	if len(end) == 0 {
		end = nil
	}
	switch {
	case it.backward && it.valid:
		it.Reads.AddInterval(it.key, end, false)
	case it.backward:
		it.Reads.AddInterval(it.lower, end, false)
	case it.valid:
		it.Reads.AddInterval(it.from, it.key, true)
	default:
		it.Reads.AddInterval(it.from, it.upper, false)
	}
}

// Key returns the key of the row the iterator stands on.
func (it *Iter) Key() []byte { return it.key }

// Value returns the value of the row the iterator stands on; nil with keysOnly.
func (it *Iter) Value() []byte { return it.value }

// Attr returns the attributes of the row the iterator stands on.
func (it *Iter) Attr() base.Attr { return it.trailer.Attr }

// Valid reports whether the iterator stands on a row.
func (it *Iter) Valid() bool { return it.valid }

// Invalidate makes the iterator stand on no row.
func (it *Iter) Invalidate() { it.valid = false }

// Err returns the error that ended the walk, if one did.
func (it *Iter) Err() error { return it.err }

// Lower returns the lower bound.
func (it *Iter) Lower() []byte { return it.lower }

// First moves to the first row.
func (it *Iter) First() bool { return it.SeekGE(it.lower) }

// Last moves to the last row.
func (it *Iter) Last() bool {
	if it.upper != nil {
		return it.SeekLT(it.upper)
	}
	it.begin(nil, true)
	it.entry = it.merge.Last()
	return it.settleBackward(nil)
}

// SeekGE moves to the first row at or after key.
func (it *Iter) SeekGE(key []byte) bool {
	if bytes.Compare(key, it.lower) < 0 {
		key = it.lower
	}
	it.begin(key, false)
	if key == nil {
		it.entry = it.merge.First()
	} else if to := it.gapEnd(key, false); to != nil {
		return it.findBeyond(key, to, false)
	} else {
		it.entry = it.merge.SeekGE(key, base.SeqMax)
	}
	return it.settleForward(key)
}

// SeekLT moves to the last row before key.
func (it *Iter) SeekLT(key []byte) bool {
	if it.upper != nil && bytes.Compare(key, it.upper) > 0 {
		key = it.upper
	}
	it.begin(key, true)
	if to := it.gapEnd(key, true); to != nil {
		return it.findBeyond(key, to, true)
	}
	it.entry = it.merge.SeekLT(key)
	return it.settleBackward(key)
}

// keepKey makes the key of an entry that merge is about to leave the row's.
func (it *Iter) keepKey(e *iterator.Entry) {
	if e.LastingKey {
		it.key = e.Key
		return
	}
	it.setKey(e.Key)
}

// setKey copies a key that the next move would overwrite.
func (it *Iter) setKey(key []byte) {
	it.buffer = append(it.buffer[:0], key...)
	it.key = it.buffer
}

// Next moves to the next row; it must stand on one.
func (it *Iter) Next() bool {
	if it.InBlock(false) {
		return it.StepInBlock(1)
	}
	return it.nextRow()
}

// nextRow is Next outside a block run.
func (it *Iter) nextRow() bool {
	it.leaveBlock()
	if it.backward {
		it.begin(it.key, false)
		it.entry = it.merge.SeekGE(it.key, 0)
		it.skipVersions()
	} else {
		if it.sought {
			if it.sought = false; it.enterAfterSeek() {
				return it.StepInBlock(1)
			}
		}
		it.nextKey()
	}
	return it.settleForward(nil)
}

// Prev moves to the previous row; it must stand on one.
func (it *Iter) Prev() bool {
	if it.InBlock(true) {
		return it.StepInBlock(-1)
	}
	return it.prevRow()
}

// prevRow is Prev outside a block run.
func (it *Iter) prevRow() bool {
	on := it.leaveBlock()
	switch {
	case !it.backward:
		it.begin(it.key, true)
		it.entry = it.merge.SeekLT(it.key)
	case on:
		it.entry = it.merge.Prev()
	}
	return it.settleBackward(nil)
}

// manyVersions is how many versions of one key are stepped over before a seek
// to the next key is cheaper.
const manyVersions = 16

// nextKey moves merge from a version of the current key behind all of them.
func (it *Iter) nextKey() {
	it.entry = it.merge.Next()
	if !it.merge.Other() {
		it.skipVersions()
	}
}

// skipVersions moves merge behind every version of the current key.
func (it *Iter) skipVersions() {
	for n := 0; it.entry != nil && bytes.Equal(it.entry.Key, it.key); n++ {
		if n == manyVersions {
			it.entry = it.merge.SeekGE(append(it.key[:len(it.key):len(it.key)], 0), base.SeqMax)
			return
		}
		it.entry = it.merge.Next()
	}
}
