package collection

import (
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// timers are what the engine looks after for a collection. Equal ones share
// a row.
type timers struct {
	key int64 // its expiry; 0: none
	due int64 // its next due; 0: none
}

// moveTimers replaces the timer rows of collection id. The metadata row expires
// alone, and elements do not expire at all: without a timer nobody would look.
func moveTimers(t Txn, id uint64, from, to timers) error {
	sc := t.Scratch()
	for _, at := range [...]int64{from.key, from.due} {
		if at == 0 || at == to.key || at == to.due {
			continue
		}
		sc.row = keyenc.AppendTimerRow(sc.row[:0], at, id)
		if err := t.Delete(sc.row); err != nil {
			return err
		}
	}
	for _, at := range [...]int64{to.key, to.due} {
		if at == 0 || at == from.key || at == from.due {
			continue
		}
		sc.row = keyenc.AppendTimerRow(sc.row[:0], at, id)
		if err := t.Put(sc.row, record.TypeNone, 0, t.Prefix()); err != nil {
			return err
		}
	}
	return nil
}

// dropTimers is moveTimers for a collection that ends. A timer that is due stays:
// the engine is about to look, and then finds it dead, also if a crash loses the
// hint that Dead is.
func dropTimers(t Txn, id uint64, from timers) error {
	to := timers{}
	if from.due != 0 && from.due <= t.Now() {
		to.due = from.due
	}
	return moveTimers(t, id, from, to)
}
