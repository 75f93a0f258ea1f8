package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/record"
)

// step is how the own writes stood when a call of the transaction began. A call on a typed
// value writes several rows, and may be refused when some of them are written: because the
// transaction would be too large, for example.
type step struct {
	on    bool // a call is under way that writes
	anew  bool // it has removed writes, so that the others have new numbers
	begin commit.Mark
	large int64 // of ownWrites
	dead  int   // collections that had ended
	kept  int   // of births
}

// BeginStep begins a call of a transaction that lives long, which EndStep ends. None begins
// inside another.
func (t *Txn) BeginStep() {
	s := &t.own.step
	*s = step{on: true, large: t.own.large, dead: len(t.dead), kept: t.born.kept}
	if t.change != nil {
		s.begin = t.change.Mark()
	}
	t.born.beginStep()
}

// EndStep ends the call with its error, which it returns. If there is one the call has
// written nothing: what it wrote is taken back. Without BeginStep it does nothing else.
func (t *Txn) EndStep(err error) error {
	if s := &t.own.step; s.on {
		if err != nil && t.change != nil {
			t.takeBack(s)
		}
		*s = step{}
		t.born.beginStep()
	}
	return err
}

func (t *Txn) takeBack(s *step) {
	n := base.SeqNum(s.begin.Len())
	t.change.Return(s.begin)
	t.dead, t.own.large, t.born.kept = t.dead[:s.dead], s.large, s.kept
	t.born.undo()
	if t.view.Own != nil && (s.anew || t.view.OwnSeq > rows.OwnBase+n) {
		t.forgetIndex()
	}
	if held := t.memory(); held < t.own.held {
		t.tellHeld(held)
	}
}

// The calls on keys that read nothing may end collections that began in the transaction.

// PutKey is Put of the row of a key.
func (t *Txn) PutKey(row []byte, typ record.Type, expiry int64, value []byte) error {
	if len(t.born.fresh) == 0 {
		return t.Put(row, typ, expiry, value)
	}
	t.BeginStep()
	t.dropUnborn(row)
	return t.EndStep(t.Put(row, typ, expiry, value))
}

// DeleteKey is Delete of the row of a key.
func (t *Txn) DeleteKey(row []byte) error {
	if len(t.born.fresh) == 0 {
		return t.Delete(row)
	}
	t.BeginStep()
	t.dropUnborn(row)
	return t.EndStep(t.Delete(row))
}

// DeleteKeys is DeleteRange of the rows of keys.
func (t *Txn) DeleteKeys(lo, hi []byte) error {
	if len(t.born.fresh) == 0 {
		return t.DeleteRange(lo, hi)
	}
	t.BeginStep()
	t.dropUnbornIn(lo, hi)
	return t.EndStep(t.DeleteRange(lo, hi))
}
