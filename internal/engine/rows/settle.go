package rows

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// settleForward finds the row at or after the entry merge stands on, which is the
// newest version of its key, or an invisible one before it. The walk is known to have
// met nothing since start; nil: since where it stands.
func (it *Iter) settleForward(start []byte) bool {
	it.dead.reset()
	return it.findForward(start)
}

func (it *Iter) findForward(start []byte) bool {
	it.valid = false
	for e := it.entry; e != nil; e = it.entry {
		if base.Prefix8(e.Key, 0) >= it.upper8 && it.upper != nil && bytes.Compare(e.Key, it.upper) >= 0 {
			it.endDeadRun(it.upper, false)
			return false
		}
		if !it.visible(e.Seq) {
			it.entry = it.merge.Next()
			continue
		}
		if start != nil && e.Attr.Kind() != base.KindPut {
			it.dead.begin(start)
		}
		start = nil
		it.keepKey(e)
		if it.live(e.Trailer) {
			it.trailer, it.value, it.valid = e.Trailer, e.Value, true
			it.endDeadRun(it.key, false)
			it.enterBlock(e)
			return true
		}
		if !it.passDead(e.Trailer, false) {
			it.nextKey()
		}
	}
	return it.endedAt(it.upper, false)
}

// settleBackward finds the row at or before the entry merge stands on, which is
// the oldest version of its key. It leaves merge before the row. The walk is known to
// have met nothing before start, where it comes from.
func (it *Iter) settleBackward(start []byte) bool {
	it.dead.reset()
	return it.findBackward(start)
}

func (it *Iter) findBackward(start []byte) bool {
	it.valid = false
	for e := it.entry; e != nil; e = it.entry {
		if bytes.Compare(e.Key, it.lower) < 0 {
			it.endDeadRun(it.lower, true)
			return false
		}
		if it.enterBlock(e) {
			it.key, it.trailer, it.value, it.valid = e.Key, e.Trailer, e.Value, true
			it.endDeadRun(it.key, true)
			return true
		}
		if start != nil && e.Attr.Kind() != base.KindPut {
			it.dead.begin(start)
		}
		start = nil
		it.keepKey(e)
		if it.newestBackward(e) {
			if it.live(it.trailer) {
				it.valid = true
				it.endDeadRun(it.key, true)
				return true
			}
			it.passDead(it.trailer, true)
		}
	}
	return it.endedAt(it.lower, true)
}

// newestBackward makes the newest visible version of e's key the row's, and reports
// whether there is one. It moves merge before all of them.
func (it *Iter) newestBackward(e *iterator.Entry) (seen bool) {
	for same := true; same; same = e != nil && !it.merge.Other() && bytes.Equal(e.Key, it.key) {
		if it.visible(e.Seq) {
			it.trailer, it.value, seen = e.Trailer, e.Value, true
			if !e.Lasting && e.Value != nil { // nil: a walk over keys
				it.kept = append(it.kept[:0], e.Value...)
				it.value = it.kept
			}
		}
		e = it.merge.Prev()
	}
	it.entry = e
	return seen
}

// endedAt ends the walk: up to bound there is no row, unless an error has ended it.
func (it *Iter) endedAt(bound []byte, backward bool) bool {
	if it.ended(); it.err == nil {
		it.endDeadRun(bound, backward)
	}
	return false
}

// ended notes the error that ended the walk, if one did.
func (it *Iter) ended() bool {
	if err := it.merge.Err(); err != nil {
		it.err = it.src.States.ReadError(err)
	}
	return false
}

// live reports whether the newest visible version of the current key, with
// trailer t, is there to be seen.
func (it *Iter) live(t base.Trailer) bool {
	if t.Attr.Kind() != base.KindPut || t.Expired(it.Now) {
		return false
	}
	if it.deletes.any() && it.deletes.cover(&it.View, it.key) > t.Seq {
		return false
	}
	if it.Reads != nil && t.Seq <= it.Seq {
		it.Reads.AddExpiry(it.key, t.Expiry)
	}
	return true
}
