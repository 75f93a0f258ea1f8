package siltstone

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/commit"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// readState is everything one read needs: the memtables and the tables of one
// moment. It is immutable; a new one is published whole with each rotation,
// flush and compaction.
//
//	mem      the memtable that takes writes (older states: took)
//	imms     memtables waiting to be flushed, newest first
//	runs     tables, newest run first
//
// A reader pins the current state, then loads the visible sequence: what was
// visible is in the pinned state, or was committed after the pin.
type readState struct {
	mem     *memState
	imms    []*memState
	version *manifest.Version
	runs    []runView

	tableSeq base.SeqNum // largest sequence in any table

	calls   pinCount     // calls in progress
	holders atomic.Int64 // iterators, snapshots and transactions
	retired atomic.Bool  // no longer the current one
	ended   atomic.Bool  // its tables have been released

	olderMu sync.Mutex
	older   atomic.Pointer[[]rangedel.Run] // see olderDeletes
}

// memState is a memtable with its place in the logs.
type memState struct {
	*memtable.Table
	log   base.FileNum    // the oldest log that holds records of it
	end   commit.Position // behind its last record in the log; set when it is sealed
	begin commit.Position // behind the records of those before it

	reserved int64 // of the memory budget, once it is sealed
	usual    bool  // made by a rotation: its table may be used again

	refs int // read states that list it; guarded by states.mu

	lost atomic.Int64 // nanoseconds that range reads have lost to its being there

	tombstones int // deletes and range deletes in it; guarded by the commit section
}

// runView is one run of tables, ready for searching.
type runView struct {
	rangeDeletes bool // some table has range tombstones
	tables       []*table
	last8        []uint64 // Prefix8 of each table's largest key behind skip
	skip         int      // bytes that all bounds of the run share
}

// prepare builds the searchable form of the bounds.
func (r *runView) prepare() {
	if len(r.tables) < 2 {
		return
	}
	r.skip = base.CommonPrefix(r.tables[0].Smallest, r.tables[len(r.tables)-1].Largest)
	r.last8 = make([]uint64, len(r.tables))
	for i, t := range r.tables {
		r.last8[i] = base.Prefix8(t.Largest, r.skip)
	}
}

// search returns the index of the first table that may hold key or larger ones.
func (r *runView) search(key []byte) int {
	lo, hi := 0, len(r.tables)
	if r.last8 != nil && base.CommonPrefix(key, r.tables[0].Smallest) >= r.skip {
		k := base.Prefix8(key, r.skip)
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if r.last8[m] < k {
				lo = m + 1
			} else {
				hi = m
			}
		}
		hi = len(r.tables)
		for lo < hi && r.tables[lo].endsBefore(key) {
			lo++
		}
		return lo
	}
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if r.tables[m].endsBefore(key) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// endsBefore reports whether every key of the table is below key.
func (t *table) endsBefore(key []byte) bool {
	c := bytes.Compare(t.Largest, key)
	return c < 0 || c == 0 && t.LargestExclusive
}

// find returns the table that may hold key, or nil.
func (r *runView) find(key []byte) *table {
	i := r.search(key)
	if i == len(r.tables) || bytes.Compare(r.tables[i].Smallest, key) > 0 {
		return nil
	}
	return r.tables[i]
}

// olderDeletes returns every range tombstone of the state but those of its
// newest memtable, which may still get more, source by source. They are found once
// and kept. They are not joined: most sources are those of the state before.
func (rs *readState) olderDeletes() ([]rangedel.Run, error) {
	if l := rs.older.Load(); l != nil {
		return *l, nil
	}
	rs.olderMu.Lock()
	defer rs.olderMu.Unlock()
	var runs []rangedel.Run
	for _, m := range rs.imms {
		if l := m.RangeDeletes(); !l.Empty() {
			runs = append(runs, rangedel.Run{l})
		}
	}
	for i := range rs.runs {
		r := &rs.runs[i]
		if !r.rangeDeletes {
			continue
		}
		var run rangedel.Run
		for _, t := range r.tables {
			if t.RangeDeletes == 0 {
				continue
			}
			rd, err := t.get()
			if err != nil {
				return nil, err
			}
			if l := rd.RangeDeletes(); !l.Empty() {
				run = append(run, l)
			}
		}
		runs = append(runs, run)
	}
	rs.older.Store(&runs)
	return runs, nil
}

// found is the result of a point look-up: the newest record of the key at the
// read's sequence, if it is a put.
type found struct {
	base.Trailer
	value []byte // borrowed from memtable, block or loan
	ok    bool
	loan  sstable.Loan // may be returned once the value has been copied
}

// get looks up the newest record of row at seq. A range tombstone is asked in
// each source before its index or filter: whatever it covers is older, for
// sources are in order of age. Expiry is the caller's business.
func (rs *readState) get(row []byte, hash uint64, seq base.SeqNum) (f found, err error) {
	if done := rs.mem.lookup(row, hash, seq, &f); done {
		return f, nil
	}
	for _, m := range rs.imms {
		if done := m.lookup(row, hash, seq, &f); done {
			return f, nil
		}
	}
	for i := range rs.runs {
		r := &rs.runs[i]
		var t *table
		if len(r.tables) == 1 {
			t = r.tables[0]
			if t.endsBefore(row) || bytes.Compare(t.Smallest, row) > 0 {
				continue
			}
		} else if t = r.find(row); t == nil {
			continue
		}
		done, err := t.lookup(row, hash, seq, &f)
		if done || err != nil {
			return f, err
		}
	}
	return f, nil
}

func (m *memState) lookup(row []byte, hash uint64, seq base.SeqNum, f *found) (done bool) {
	cover := m.CoverSeq(row, seq)
	v, t, ok := m.Get(hash, row, seq)
	return f.settle(v, t, ok, cover)
}

func (t *table) lookup(row []byte, hash uint64, seq base.SeqNum, f *found) (done bool, err error) {
	r, err := t.get()
	if err != nil {
		return false, err
	}
	var cover base.SeqNum
	if t.RangeDeletes > 0 {
		cover = r.RangeDeletes().Cover(row, seq)
	}
	v, tr, ok, err := r.Get(row, hash, seq, &f.loan)
	if err != nil {
		return false, err
	}
	return f.settle(v, tr, ok, cover), nil
}

// settle takes one source's answer: its newest record, and its newest covering
// range tombstone. It reports whether older sources need not be asked.
func (f *found) settle(v []byte, t base.Trailer, ok bool, cover base.SeqNum) (done bool) {
	if ok && t.Seq >= cover { // both 0: a zeroed record under no tombstone
		f.Trailer, f.value = t, v
		f.ok = t.Attr.Kind() == base.KindPut
		return true
	}
	if cover > 0 {
		f.Trailer = base.Trailer{Seq: cover, Attr: base.MakeAttr(base.KindRangeDelete, 0, false)}
		return true
	}
	return false
}
