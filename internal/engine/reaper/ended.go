package reaper

import (
	"context"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
)

// TellEnded writes down, for readers of changes, that key rows have ended which a merge is
// about to take out: it deletes those whose newest version has expired, in a validated
// transaction with a note. A row that was written since is passed over, and so is one that
// is deleted: that was told. So nobody is told of the end of a key that lives, nor twice.
// On a full disk they end untold, for the merge is what makes room.
//
// It is safe for concurrent use, and may wait for a flush.
func (r *Reaper) TellEnded(rows [][]byte) error {
	for {
		err := r.tellEnded(rows)
		switch {
		case errors.Is(err, base.ErrConflict):
			continue // with a row less: somebody has written it
		case errors.Is(err, base.ErrNoSpace):
			return nil
		case errors.Is(err, base.ErrClosed):
			return context.Canceled
		}
		return err
	}
}

// tellEnded is an attempt.
func (r *Reaper) tellEnded(rows [][]byte) error {
	// Rows that live are looked at without being read by the transaction: they may be
	// written all the time.
	look, err := r.begin(false)
	if err != nil {
		return err
	}
	gone, err := endedOf(look, rows)
	look.EndOwn()
	if err != nil || len(gone) == 0 {
		return err
	}
	t, err := r.begin(true)
	if err != nil {
		return err
	}
	defer t.EndOwn()
	if gone, err = endedOf(t, gone); err != nil {
		return err
	}
	for _, row := range gone {
		if err := t.Delete(row); err != nil {
			return err
		}
		t.NoteExpired(row)
	}
	if !t.Changed() {
		return nil
	}
	c, err := t.Buffer()
	if err != nil {
		return err
	}
	c.Urgent, c.OfMerge = true, true
	return t.Commit(context.Background(), r.Level, nil)
}

// endedOf returns those of the rows whose newest version has expired.
func endedOf(t *txn.Txn, rows [][]byte) (gone [][]byte, err error) {
	for _, row := range rows {
		f, err := t.Look(row, readstate.WantKey)
		if err != nil {
			return nil, err
		}
		if f.Attr.Kind() == base.KindPut && f.Expiry != 0 && !f.OK {
			gone = append(gone, row)
		}
		f.Loan.Return()
	}
	return gone, nil
}
