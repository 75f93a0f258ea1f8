package rows

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/memtable"
)

// View is what a read sees of a state: everything up to seq, and of a
// transaction's own writes everything up to own, at one clock reading.
type View struct {
	State  *readstate.State
	Seq    base.SeqNum
	Now    int64
	Own    *memtable.Table // a transaction's writes; nil if there are none
	OwnSeq base.SeqNum     // largest own sequence seen; they lie above ownBase

	OwnGaps *readstate.Gaps // of a transaction that has written; nil if there are none
}

// OwnBase is below every sequence of a transaction's own, uncommitted writes
// and above every committed one.
const OwnBase base.SeqNum = 1 << 55

func (v *View) visible(s base.SeqNum) bool {
	return s <= v.Seq || s > OwnBase && s <= v.OwnSeq
}

// Find looks a row up as the view shows it, expired or not; own says that it is the
// transaction's own write. The caller returns the loan.
func (v *View) Find(row []byte, hash uint64, want readstate.Want) (f readstate.Found, own bool, err error) {
	if f, own = v.FindOwn(row, hash); own {
		return f, true, nil
	}
	f, err = v.State.Look(row, hash, v.Seq, want)
	return f, false, err
}

// FindOwn returns the answer about row of the transaction's own writes, as far as the
// view shows them, if they have one.
func (v *View) FindOwn(row []byte, hash uint64) (f readstate.Found, ok bool) {
	if v.Own == nil {
		return f, false
	}
	value, t, hit := v.Own.Get(hash, row, v.OwnSeq)
	ok = f.Settle(value, t, hit, v.Own.CoverSeq(row, v.OwnSeq))
	return f, ok
}
