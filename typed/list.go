package typed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// List is a key that holds a sequence of values. Positions count from 0, and from
// −1 backwards from the end. Safe for concurrent use if what it comes from is.
//
// What happens at the ends costs the same at any length. A position costs the
// same, too, while the list changes at its ends only. An insert or a removal in
// between leaves gaps in the numbering of the items, and from then on a position
// is found by a walk from the nearer end, until at most one item is left.
//
// A list is a queue for any number of goroutines: WaitFront and WaitBack wait for a
// value. [BLMOVE and BLMPOP have no counterpart]
type List struct{ Key }

// End is an end of a list.
type End uint8

const (
	EndFront End = iota // where position 0 is
	EndBack             // where position −1 is
)

// String returns "front" or "back".
func (e End) String() string {
	if e == EndFront {
		return "front"
	}
	return "back"
}

func checkEnd(e End) error {
	if e > EndBack {
		return base.Errorf(base.ErrBadOption, "a list has no End %d", e)
	}
	return nil
}

func (l List) openOld(t collection.Txn) (collection.Collection, bool, error) {
	return collection.OpenOld(t, l.name, record.TypeList)
}

// PushFront puts the values in front, one after the other, so that the last one
// given is the first of the list; it returns the length then. Without values it
// changes nothing. [LPUSH]
func (l List) PushFront(values ...[]byte) (n int64, err error) {
	return l.push(values, EndFront, false)
}

// PushBack puts the values behind the last one, in the order given, and returns
// the length then. [RPUSH]
func (l List) PushBack(values ...[]byte) (n int64, err error) { return l.push(values, EndBack, false) }

// PushFrontX is PushFront if there is such a list; if not, it changes nothing and
// returns 0. [LPUSHX]
func (l List) PushFrontX(values ...[]byte) (n int64, err error) {
	return l.push(values, EndFront, true)
}

// PushBackX is PushBack if there is such a list; if not, it changes nothing and
// returns 0. [RPUSHX]
func (l List) PushBackX(values ...[]byte) (n int64, err error) { return l.push(values, EndBack, true) }

func (l List) push(values [][]byte, end End, old bool) (int64, error) {
	return collection.Update(l.src, l.name, func(t collection.Txn) (int64, error) {
		for _, v := range values {
			if err := collection.CheckValue(v); err != nil {
				return 0, err
			}
		}
		c, err := collection.Open(t, l.name, record.TypeList)
		if err != nil || len(values) == 0 || old && !c.Exists() {
			return int64(c.Count()), err
		}
		if err := c.PushItems(t, values, collection.Side(end)); err != nil {
			return 0, err
		}
		return int64(c.Count()), nil
	})
}
