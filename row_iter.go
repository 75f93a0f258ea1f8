package siltstone

import (
	"bytes"
	"math"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// rowIter walks the live rows of one read state at one read point: the newest
// visible version of each key that is a put, not covered by a range tombstone
// and not expired. It is the one place where visibility is decided for ranges;
// iterators, loops, typed values and conflict checks stand on it.
//
// Bounds and keys are row keys. What it lends is valid until the next move. Not
// safe for concurrent use.
type rowIter struct {
	db *DB
	readView
	lower, upper []byte // [lower, upper); nil is open
	upper8       uint64 // keys with smaller first bytes are below upper
	keysOnly     bool

	merge   iterator.Merging
	deletes coverage // by range tombstones

	key      []byte // of the row it stands on
	value    []byte
	trailer  base.Trailer // rowTrailer has the sequence, too
	valid    bool
	backward bool            // merge stands before the row, unless in a stretch
	entry    *iterator.Entry // where merge stands
	err      error
	buffer   []byte // behind key, outside a stretch
	kept     []byte // behind value, where a move would overwrite it

	stretch stretch
	refused int  // rows before it is worth asking for a stretch again
	sole    int  // rows of a memtable in a row
	sought  bool // no move forward since the walk began
	cost    readCost

	reads *readset.Set // of the transaction that walks; nil if nobody asks
	from  []byte       // where the walk that is to be noted began
	walks bool

	// storage for the children, kept between uses
	children []iterator.Iterator
	mems     []memtable.Iter
	tables   []sstable.Iter
	runs     []readstate.RunIter
	firstRun int    // index of the first run among the children
	bounds   []byte // of the public iterator over it
	target   []byte // the key of its last seek
}

// readView is what a read sees of a state: everything up to seq, and of a
// transaction's own writes everything up to own, at one clock reading.
type readView struct {
	rs   *readstate.State
	seq  base.SeqNum
	now  int64
	mine *memtable.Table // a transaction's writes; nil if there are none
	own  base.SeqNum     // largest own sequence seen; they lie above ownBase
}

// ownBase is below every sequence of a transaction's own, uncommitted writes
// and above every committed one.
const ownBase base.SeqNum = 1 << 55

func (v *readView) visible(s base.SeqNum) bool {
	return s <= v.seq || s > ownBase && s <= v.own
}

var rowIterPool = sync.Pool{New: func() any { return new(rowIter) }}

// newRowIter returns an iterator over [lower, upper), positioned nowhere.
// Nothing is read before the first move, but for range tombstones. The caller
// keeps the state pinned until release. The bounds are kept, not copied.
func (db *DB) newRowIter(v readView, lower, upper []byte, keysOnly bool) (*rowIter, error) {
	return rowIterPool.Get().(*rowIter).init(db, v, lower, upper, keysOnly)
}

func (it *rowIter) init(db *DB, v readView, lower, upper []byte, keysOnly bool) (*rowIter, error) {
	it.db, it.readView = db, v
	it.lower, it.upper, it.keysOnly = lower, upper, keysOnly
	it.upper8 = math.MaxUint64
	if upper != nil {
		it.upper8 = base.Prefix8(upper, 0)
	}
	it.valid, it.entry, it.err = false, nil, nil
	it.reads, it.walks = nil, false
	if err := it.deletes.gather(&it.readView); err != nil {
		it.release()
		return nil, err
	}
	it.open()
	return it, nil
}

// refresh makes the iterator see v, which differs from what it saw in own
// writes only. It stands nowhere afterwards.
func (it *rowIter) refresh(v readView) {
	it.note()
	_ = it.merge.Close()
	it.readView, it.valid, it.stretch = v, false, stretch{}
	_ = it.deletes.gather(&it.readView) // what may fail was found before
	it.open()
}

// open makes the children, newest source first: own writes, memtables, runs.
func (it *rowIter) open() {
	rs, keysOnly := it.rs, it.keysOnly
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
	if it.mine != nil {
		add(mems, it.mine, it.own)
	}
	add(0, rs.Mem.Table, it.seq)
	for i, m := range rs.Imms {
		add(i+1, m.Table, it.seq)
	}
	it.firstRun = len(it.children)
	for i := range rs.Runs {
		it.children = append(it.children, it.runs[i].Init(&rs.Runs[i], &it.tables[i], keysOnly))
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

// release ends the iterator and keeps its memory for another one.
func (it *rowIter) release() {
	it.note()
	it.countCost()
	_ = it.merge.Close()
	it.merge.Init(nil)
	clear(it.children)
	it.db, it.readView, it.reads = nil, readView{}, nil
	it.deletes.forget()
	it.lower, it.upper, it.value = nil, nil, nil
	for i := range it.runs {
		it.runs[i].Run = nil
	}
	it.key, it.stretch = nil, stretch{}
	if cap(it.buffer) > 4096 {
		it.buffer = nil
	}
	if cap(it.kept) > 64<<10 {
		it.kept = nil
	}
	rowIterPool.Put(it)
}

// begin notes what was walked so far and begins a walk at key, nil being the
// start or end of all keys.
func (it *rowIter) begin(key []byte, backward bool) {
	it.note()
	it.noteSeek()
	it.backward, it.stretch, it.refused, it.sole, it.sought = backward, stretch{}, 0, 0, true
	if it.reads != nil {
		it.from, it.walks = append(it.from[:0], key...), true
	}
}

// note adds the interval between where the walk began and where it stands now,
// both included, to the read set: gaps were read too.
func (it *rowIter) note() {
	if it.reads == nil || !it.walks {
		return
	}
	it.walks = false
	end := it.from
	if len(end) == 0 {
		end = nil
	}
	switch {
	case it.backward && it.valid:
		it.reads.AddInterval(it.key, end, false)
	case it.backward:
		it.reads.AddInterval(it.lower, end, false)
	case it.valid:
		it.reads.AddInterval(it.from, it.key, true)
	default:
		it.reads.AddInterval(it.from, it.upper, false)
	}
}

// first moves to the first row.
func (it *rowIter) first() bool { return it.seekGE(it.lower) }

// last moves to the last row.
func (it *rowIter) last() bool {
	it.begin(it.upper, true)
	if it.upper == nil {
		it.entry = it.merge.Last()
	} else {
		it.entry = it.merge.SeekLT(it.upper)
	}
	return it.settleBackward()
}

// seekGE moves to the first row at or behind key.
func (it *rowIter) seekGE(key []byte) bool {
	if bytes.Compare(key, it.lower) < 0 {
		key = it.lower
	}
	it.begin(key, false)
	if key == nil {
		it.entry = it.merge.First()
	} else {
		it.entry = it.merge.SeekGE(key, base.SeqMax)
	}
	return it.settleForward()
}

// seekLT moves to the last row before key.
func (it *rowIter) seekLT(key []byte) bool {
	if it.upper != nil && bytes.Compare(key, it.upper) > 0 {
		key = it.upper
	}
	it.begin(key, true)
	it.entry = it.merge.SeekLT(key)
	return it.settleBackward()
}

// keepKey makes the key of an entry that merge is about to leave the row's.
func (it *rowIter) keepKey(e *iterator.Entry) {
	if e.LastingKey {
		it.key = e.Key
		return
	}
	it.setKey(e.Key)
}

// setKey copies a key that the next move would overwrite.
func (it *rowIter) setKey(key []byte) {
	it.buffer = append(it.buffer[:0], key...)
	it.key = it.buffer
}

// next moves to the next row; it must stand on one.
func (it *rowIter) next() bool {
	if it.stretch.left > 0 && !it.backward {
		return it.strideOn(1)
	}
	it.leaveStretch()
	if it.backward {
		it.begin(it.key, false)
		it.entry = it.merge.SeekGE(it.key, 0)
		it.skipVersions()
	} else {
		if it.sought {
			if it.sought = false; it.lookAhead() {
				return it.strideOn(1)
			}
		}
		it.nextKey()
	}
	return it.settleForward()
}

// prev moves to the previous row; it must stand on one.
func (it *rowIter) prev() bool {
	if it.stretch.left > 0 && it.backward {
		return it.strideOn(-1)
	}
	on := it.leaveStretch()
	switch {
	case !it.backward:
		it.begin(it.key, true)
		it.entry = it.merge.SeekLT(it.key)
	case on:
		it.entry = it.merge.Prev()
	}
	return it.settleBackward()
}

// manyVersions is how many versions of one key are stepped over before a seek
// to the next key is cheaper.
const manyVersions = 16

// nextKey moves merge from a version of the current key behind all of them.
func (it *rowIter) nextKey() {
	it.entry = it.merge.Next()
	if !it.merge.Other() {
		it.skipVersions()
	}
}

// skipVersions moves merge behind every version of the current key.
func (it *rowIter) skipVersions() {
	for n := 0; it.entry != nil && bytes.Equal(it.entry.Key, it.key); n++ {
		if n == manyVersions {
			it.entry = it.merge.SeekGE(append(it.key[:len(it.key):len(it.key)], 0), base.SeqMax)
			return
		}
		it.entry = it.merge.Next()
	}
}

// settleForward finds the row at or behind the entry merge stands on, which is
// the newest version of its key, or an invisible one before it.
func (it *rowIter) settleForward() bool {
	it.valid = false
	for e := it.entry; e != nil; e = it.entry {
		if base.Prefix8(e.Key, 0) >= it.upper8 && it.upper != nil && bytes.Compare(e.Key, it.upper) >= 0 {
			return false
		}
		if !it.visible(e.Seq) {
			it.entry = it.merge.Next()
			continue
		}
		it.keepKey(e)
		if it.live(e.Trailer) {
			it.trailer, it.value, it.valid = e.Trailer, e.Value, true
			it.enterStretch(e)
			return true
		}
		it.nextKey()
	}
	return it.ended()
}

// settleBackward finds the row at or before the entry merge stands on, which is
// the oldest version of its key. It leaves merge before the row.
func (it *rowIter) settleBackward() bool {
	it.valid = false
	for e := it.entry; e != nil; {
		if bytes.Compare(e.Key, it.lower) < 0 {
			return false
		}
		if it.enterStretch(e) {
			it.key, it.trailer, it.value, it.valid = e.Key, e.Trailer, e.Value, true
			return true
		}
		it.keepKey(e)
		seen := false
		for same := true; same; same = e != nil && !it.merge.Other() && bytes.Equal(e.Key, it.key) {
			if it.visible(e.Seq) {
				it.trailer, it.value, seen = e.Trailer, e.Value, true
				if !e.Lasting {
					it.kept = append(it.kept[:0], e.Value...)
					it.value = it.kept
				}
			}
			e = it.merge.Prev()
		}
		it.entry = e
		if seen && it.live(it.trailer) {
			it.valid = true
			return true
		}
	}
	return it.ended()
}

func (it *rowIter) ended() bool {
	if err := it.merge.Err(); err != nil {
		it.err = it.db.states.ReadError(err)
	}
	return false
}

// live reports whether the newest visible version of the current key, with
// trailer t, is there to be seen.
func (it *rowIter) live(t base.Trailer) bool {
	if t.Attr.Kind() != base.KindPut || t.Expired(it.now) {
		return false
	}
	if it.deletes.any() && it.deletes.cover(&it.readView, it.key) > t.Seq {
		return false
	}
	if it.reads != nil && t.Seq <= it.seq {
		it.reads.AddExpiry(it.key, t.Expiry)
	}
	return true
}
