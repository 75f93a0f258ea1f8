package readstate

import (
	"bytes"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
)

// State is everything one read needs: the memtables and the tables of one
// moment. It is immutable; a new one is published whole with each rotation,
// flush and compaction.
//
//	mem      the memtable that takes writes (older states: took)
//	imms     memtables waiting to be flushed, newest first
//	runs     tables, newest run first
//
// A reader pins the current state, then loads the visible sequence: what was
// visible is in the pinned state, or was committed after the pin.
type State struct {
	Mem     *Mem
	Imms    []*Mem
	Version *manifest.Version
	Runs    []Run

	TableSeq base.SeqNum // largest sequence in any table
	LastSeq  base.SeqNum // of the one commit it shows, with States.Following
	Gaps     *Gaps       // what walks have found empty; those of States, or its own with Following

	Calls   PinCount     // calls in progress
	Holders atomic.Int64 // iterators, snapshots and transactions
	retired atomic.Bool  // no longer the current one
	ended   atomic.Bool  // its tables have been released
	// of States.mu
	replaced bool  // it is not the current one any more
	until    int64 // clock reading when it ceased to be

	olderMu invariants.Mutex
	older   atomic.Pointer[[]rangedel.Run] // see OlderDeletes
}

func (s *States) newState() *State {
	rs := &State{Gaps: &s.Gaps}
	if s.Following {
		rs.Gaps = &Gaps{} // what is empty in one state has keys in the next
	}
	invariants.SetRank(&rs.olderMu, invariants.RangeDeletes)
	return rs
}

// Mem is a memtable with its place in the logs.
type Mem struct {
	*memtable.Table
	Log   base.FileNum       // the oldest log that holds records of it
	End   commitlog.Position // behind its last record in the log; set when it is sealed
	Begin commitlog.Position // behind the records of those before it

	Reserved int64 // of the memory budget, once it is sealed
	Usual    bool  // made by a rotation: its table may be used again

	refs int // read states that list it; guarded by States.mu

	Lost atomic.Int64 // the loss of range reads to it, in bytes of merging

	Tombstones int // deletes and range deletes in it; guarded by the commit section
}

// Idle reports whether no call is in progress on the state.
func (rs *State) Idle() bool { return rs.Calls.Zero() }

// YoungBytes returns the size of the tables above the last level, or a sum that has
// reached enough.
func (rs *State) YoungBytes(enough int64) (sum int64) {
	for _, r := range rs.Version.Runs {
		if r.Level == manifest.LastLevel {
			break
		}
		for _, t := range r.Tables {
			if sum += int64(t.Size); sum >= enough {
				return sum
			}
		}
	}
	return sum
}

// OlderDeletes returns every range tombstone of the state but those of its newest
// memtable, which may still get more, source by source. They are found once and
// kept. They are not joined: most sources are those of the state before.
func (rs *State) OlderDeletes() ([]rangedel.Run, error) {
	if l := rs.older.Load(); l != nil {
		return *l, nil
	}
	rs.olderMu.Lock()
	defer rs.olderMu.Unlock()
	var runs []rangedel.Run
	for _, m := range rs.Imms {
		if l := m.RangeDeletes(); !l.Empty() {
			runs = append(runs, rangedel.Run{l})
		}
	}
	for i := range rs.Runs {
		r := &rs.Runs[i]
		if !r.rangeDeletes {
			continue
		}
		run, err := r.deletes()
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	rs.older.Store(&runs)
	return runs, nil
}

// deletes returns the range tombstones of the run's tables.
func (r *Run) deletes() (run rangedel.Run, err error) {
	for _, t := range r.Tables {
		if t.RangeDeletes == 0 {
			continue
		}
		rd, own, err := t.walk()
		if err != nil {
			return nil, err
		}
		if l := rd.RangeDeletes(); !l.Empty() {
			run = append(run, l)
		}
		if own != nil {
			own.close()
		}
	}
	return run, nil
}

// Found is the result of a point look-up: the newest record of the key at the
// read's sequence, if it is a put.
type Found struct {
	base.Trailer
	Value []byte // borrowed from memtable, block or loan
	OK    bool
	Loan  sstable.Loan // may be returned once the value has been copied
}

// Get looks up the newest record of row at seq. A range tombstone is asked in
// each source before its index or filter: whatever it covers is older, for
// sources are in order of age. Expiry is the caller's business.
func (rs *State) Get(row []byte, hash uint64, seq base.SeqNum) (f Found, err error) {
	return rs.Look(row, hash, seq, WantValue)
}

// Want is what a look-up wants of the value. What is in memory comes with its value
// whatever is wanted.
type Want = sstable.Want

const (
	WantValue = sstable.WantValue
	WantSmall = sstable.WantSmall
	WantKey   = sstable.WantKey
)

// Look is Get for callers who may not want the value.
func (rs *State) Look(row []byte, hash uint64, seq base.SeqNum, want Want) (f Found, err error) {
	f.Loan.Want = want
	err = rs.find(row, hash, seq, &f)
	return f, err
}

func (rs *State) find(row []byte, hash uint64, seq base.SeqNum, f *Found) error {
	if done := rs.Mem.lookup(row, hash, seq, f); done {
		return nil
	}
	for _, m := range rs.Imms {
		if done := m.lookup(row, hash, seq, f); done {
			return nil
		}
	}
	for i := range rs.Runs {
		r := &rs.Runs[i]
		var t *Table
		if len(r.Tables) == 1 {
			t = r.Tables[0]
			if t.EndsBefore(row) || bytes.Compare(t.Smallest, row) > 0 {
				continue
			}
		} else if t = r.Find(row); t == nil {
			continue
		}
		done, err := t.lookup(row, hash, seq, f)
		if done || err != nil {
			return err
		}
	}
	return nil
}

func (m *Mem) lookup(row []byte, hash uint64, seq base.SeqNum, f *Found) (done bool) {
	cover := m.CoverSeq(row, seq)
	v, t, ok := m.Get(hash, row, seq)
	return f.Settle(v, t, ok, cover)
}

func (t *Table) lookup(row []byte, hash uint64, seq base.SeqNum, f *Found) (done bool, err error) {
	r, err := t.Get()
	if err != nil {
		return false, err
	}
	var cover base.SeqNum
	if t.RangeDeletes > 0 {
		cover = r.RangeDeletes().Cover(row, seq)
	}
	v, tr, ok, err := r.Get(row, hash, seq, &f.Loan)
	if err != nil {
		return false, err
	}
	return f.Settle(v, tr, ok, cover), nil
}

// Settle takes one source's answer: its newest record, and its newest covering
// range tombstone. It reports whether older sources need not be asked.
func (f *Found) Settle(v []byte, t base.Trailer, ok bool, cover base.SeqNum) (done bool) {
	if ok && t.Seq >= cover { // both 0: a zeroed record under no tombstone
		f.Trailer, f.Value = t, v
		f.OK = t.Attr.Kind() == base.KindPut
		return true
	}
	if cover > 0 {
		f.Trailer = base.Trailer{Seq: cover, Attr: base.MakeAttr(base.KindRangeDelete, 0, false)}
		return true
	}
	return false
}
