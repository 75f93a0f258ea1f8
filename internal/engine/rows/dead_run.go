package rows

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/memtable"
)

// deadRun is the deleted rows that a walk has passed since it left a row or began. A
// long one becomes a gap, so that later walks need not pass it again.
type deadRun struct {
	n      int    // rows
	start  []byte // where it began, a copy
	known  bool   // start is
	jumped bool   // part of it was a gap
}

const (
	lookAfter = 16   // rows before a walk asks whether it is in a gap,
	lookAgain = 4096 // and before it asks again
)

// leastGap is how many deleted rows make a gap: walking them costs some microseconds,
// as much as a walk that begins with a gap. A build with invariants, which checks
// every gap, makes many.
func leastGap() int {
	if invariants.Enabled {
		return lookAfter
	}
	return 256
}

func (d *deadRun) reset() { d.n, d.known, d.jumped = 0, false, false }

// begin makes the run begin at start.
func (d *deadRun) begin(start []byte) { d.start, d.known = append(d.start[:0], start...), true }

// passDead notes that the current key, whose newest visible version has trailer t, is
// no row. If a gap begins here it moves merge to its end and returns true.
func (it *Iter) passDead(t base.Trailer, backward bool) (jumped bool) {
	d := &it.dead
	if t.Attr.Kind() == base.KindPut && t.Expired(it.Now) {
		d.reset() // a reader with an earlier clock sees it
		return false
	}
	if d.n++; !d.known {
		if d.begin(it.key); backward {
			d.start = append(d.start, 0)
		}
	}
	if d.n != lookAfter && d.n%lookAgain != 0 {
		return false
	}
	end := it.gapEnd(it.key, backward)
	if end == nil {
		return false
	}
	it.jump(end, backward)
	return true
}

// jump moves merge to the end of a gap.
func (it *Iter) jump(end []byte, backward bool) {
	it.noteSeek()
	it.dead.jumped = true
	if backward {
		it.entry = it.merge.SeekLT(end)
	} else {
		it.entry = it.merge.SeekGE(end, base.SeqMax)
	}
}

// findBeyond finds the row behind a gap, in which a walk begins at key.
func (it *Iter) findBeyond(key, end []byte, backward bool) bool {
	it.dead.reset()
	it.dead.begin(key)
	it.jump(end, backward)
	if backward {
		return it.findBackward(nil)
	}
	return it.findForward(nil)
}

// endDeadRun makes a gap of the run, which ends before the row or bound at key, if it
// is long.
func (it *Iter) endDeadRun(key []byte, backward bool) {
	d := &it.dead
	if d.n < lookAfter || d.n < leastGap() && !d.jumped || key == nil || it.blind {
		return
	}
	gaps, seq := it.State.Gaps, it.Seq
	if it.writes() {
		if gaps, seq = it.OwnGaps, it.OwnSeq; gaps == nil {
			return
		}
	}
	switch {
	case !backward:
		gaps.Found(d.start, key, seq, false)
	case it.valid:
		gaps.Found(append(bytes.Clone(key), 0), d.start, seq, true)
	default:
		gaps.Found(key, d.start, seq, true)
	}
}

// writes reports whether a transaction's own writes are walked.
func (it *Iter) writes() bool { return it.Own != nil && !it.Own.Empty() }

// gapEnd returns how far there is no row from key on, if a gap tells; else nil.
func (it *Iter) gapEnd(key []byte, backward bool) (end []byte) {
	if it.blind {
		return nil
	}
	if it.writes() && it.OwnGaps != nil {
		end = it.OwnGaps.End(key, it.OwnSeq, backward)
	}
	if end == nil {
		if end = it.State.Gaps.End(key, it.Seq, backward); end == nil {
			return nil
		}
		if it.writes() { // of which that gap knows nothing
			end = it.ownBefore(key, end, backward)
		}
	}
	if d := bytes.Compare(end, key); d == 0 || d < 0 != backward {
		return nil
	}
	if invariants.Enabled {
		it.checkGap(key, end, backward)
	}
	return end
}

// ownBefore returns end, or a nearer key before which the transaction has written
// nothing from key on.
func (it *Iter) ownBefore(key, end []byte, backward bool) []byte {
	var own memtable.Iter
	own.InitAt(it.Own, true, it.OwnSeq)
	if backward {
		if e := own.SeekLT(key); e != nil && bytes.Compare(e.Key, end) >= 0 {
			return append(bytes.Clone(e.Key), 0)
		}
		return end
	}
	if e := own.SeekGE(key, base.SeqMax); e != nil && bytes.Compare(e.Key, end) < 0 {
		return e.Key
	}
	return end
}

// checkGap walks a gap: there must be no row.
func (it *Iter) checkGap(key, end []byte, backward bool) {
	lo, hi := key, end
	if backward {
		lo, hi = end, key
	}
	walk, err := New(it.src, it.View, lo, hi, true)
	if err != nil {
		return
	}
	walk.blind = true
	found := walk.First()
	invariants.Check(!found, "gap [%x, %x) has a row at %x, read at %d", lo, hi, walk.Key(), it.Seq)
	walk.blind, walk.cost = false, readCost{}
	walk.Release()
}
