package memtable

import (
	"slices"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// tombstones is the set of range tombstones of a table: runs whose sizes are
// falling powers of two, each a list. Another tombstone is a run of one; equal runs
// are joined. So each is joined only as often as its run doubles, and a look-up
// asks about log₂ n lists.
//
//	adding the 8th   4 · 2 · 1 · 1  →  4 · 2 · 2  →  4 · 4  →  8
//
// Every tombstone stays, also below a newer one of the same keys: a reader whose
// sequence lies between the two may still come. It is immutable but for whole,
// which any reader may fill in.
type tombstones struct {
	runs  []tombstoneRun
	whole atomic.Pointer[rangedel.List]
}

type tombstoneRun struct {
	list *rangedel.List
	size int // tombstones added
}

// tombstoneBytes is about what a tombstone takes beside its bounds: two words of
// bounds and a sequence in its run, as much again in two stretches of its picture.
const tombstoneBytes = 3 * 56

// AddRangeDelete deletes every record with start ≤ key < end and a smaller
// sequence, in this table and in all older sources. The bounds are copied. An
// empty range is counted and otherwise ignored. Adding n costs about n·log n.
func (t *Table) AddRangeDelete(start, end []byte, seq base.SeqNum) {
	added := tombstoneRun{rangedel.New([]rangedel.Tombstone{t.tombstone(start, end, seq)}), 1}
	var runs []tombstoneRun
	if old := t.deleted.Load(); old != nil {
		runs = old.runs
	}
	keep := len(runs)
	for keep > 0 && runs[keep-1].size <= added.size {
		keep--
		added = tombstoneRun{rangedel.Merge(runs[keep].list, added.list), runs[keep].size + added.size}
	}
	t.deleted.Store(&tombstones{runs: append(slices.Clone(runs[:keep]), added)})
}

// tombstone copies the bounds of a range tombstone and counts it.
func (t *Table) tombstone(start, end []byte, seq base.SeqNum) rangedel.Tombstone {
	// Outside the arena: lists made of tombstones may outlive the table.
	room := make([]byte, len(start)+len(end))
	copy(room[copy(room, start):], end)
	t.arena.used += int64(len(room))
	t.outside.Add(tombstoneBytes + int64(len(room)))
	t.span(seq)
	n := len(start)
	return rangedel.Tombstone{Start: room[:n:n], End: room[n:], Seq: t.first + seq}
}

// rebaseTombstones adds first to every range tombstone's sequence.
func (t *Table) rebaseTombstones(first base.SeqNum) {
	old := t.deleted.Load()
	if old == nil {
		return
	}
	moved := &tombstones{}
	for _, run := range old.runs {
		moved.runs = append(moved.runs, tombstoneRun{run.list.Shift(first), run.size})
	}
	t.deleted.Store(moved)
}

// CoverSeq returns the largest sequence, at most limit, of a range tombstone of
// this table that covers key; 0 if none does. It allocates as List.Cover does.
func (t *Table) CoverSeq(key []byte, limit base.SeqNum) (seq base.SeqNum) {
	set := t.deleted.Load()
	if set == nil {
		return 0
	}
	for i := range set.runs {
		seq = max(seq, set.runs[i].list.Cover(key, limit))
	}
	return seq
}

// RangeDeletes returns every range tombstone added so far, as one list; nil if
// there is none. The list belongs to the table, which keeps it until the next
// range delete: the first call after that joins the runs, which costs n.
func (t *Table) RangeDeletes() *rangedel.List {
	set := t.deleted.Load()
	switch {
	case set == nil:
		return nil
	case len(set.runs) == 1:
		return set.runs[0].list
	}
	if list := set.whole.Load(); list != nil {
		return list
	}
	list := rangedel.Merge(set.appendLists(nil)...)
	set.whole.Store(list)
	return list
}

// AppendRangeDeletes appends the lists that together are RangeDeletes, about
// log₂ n of them, without joining them.
func (t *Table) AppendRangeDeletes(dst []*rangedel.List) []*rangedel.List {
	if set := t.deleted.Load(); set != nil {
		return set.appendLists(dst)
	}
	return dst
}

func (s *tombstones) appendLists(dst []*rangedel.List) []*rangedel.List {
	for i := range s.runs {
		dst = append(dst, s.runs[i].list)
	}
	return dst
}

// RangeDeletesNewer reports whether a range tombstone with a sequence above
// since covers any key of [lo, hi). A nil hi is the end of all keys. It
// allocates nothing.
func (t *Table) RangeDeletesNewer(lo, hi []byte, since base.SeqNum) bool {
	set := t.deleted.Load()
	if set == nil {
		return false
	}
	for i := range set.runs {
		if set.runs[i].list.Overlaps(lo, hi, since) {
			return true
		}
	}
	return false
}
