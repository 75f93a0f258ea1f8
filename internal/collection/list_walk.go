package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
)

// itemCursor walks items of a list, one way. It stands before the first of them.
type itemCursor struct {
	Cursor
	name  string // of the key, for errors
	head  int    // where the index starts in a row key
	index uint64 // of the item it stands on
	err   error
}

var errItemRow = errors.New("row of a list item is malformed")

// items walks the items with indexes in [lo, hi), which is not empty.
func (c *Collection) items(t Txn, lo, hi uint64, o ScanOptions) (itemCursor, error) {
	sc, p := t.Scratch(), t.Prefix()
	sc.Lo = keyenc.AppendItemRow(sc.Lo[:0], p, c.meta.ID, lo)
	sc.Hi = keyenc.AppendItemRow(sc.Hi[:0], p, c.meta.ID, hi)
	cur, err := c.ScanRows(t, sc.Lo, sc.Hi, o)
	return itemCursor{Cursor: cur, name: c.name, head: keyenc.CollectionHeaderLen(p)}, err
}

// AllItems walks all items of the list.
func (c *Collection) AllItems(t Txn, o ScanOptions) (itemCursor, error) {
	return c.items(t, c.list.First, c.list.End, o)
}

// Next moves to the next item.
func (i *itemCursor) Next() bool {
	if i.err != nil || !i.Cursor.Next() {
		return false
	}
	index, ok := keyenc.DecodeItem(i.Key()[i.head:])
	if !ok {
		i.err = corrupt(i.name, errItemRow)
	}
	i.index = index
	return ok
}

// Index returns the index of the item.
func (i *itemCursor) Index() uint64 { return i.index }

func (i *itemCursor) Err() error {
	if i.err != nil {
		return i.err
	}
	return i.Cursor.Err()
}

// Missing is what the end of a walk means that should have met another item.
func (i *itemCursor) Missing() error {
	if err := i.Err(); err != nil {
		return err
	}
	return corrupt(i.name, errLostElement)
}

// lost turns the absence of a counted item into damage.
func (c *Collection) lost(err error) error {
	if errors.Is(err, base.ErrNotFound) {
		return corrupt(c.name, errLostElement)
	}
	return err
}

// locate returns the index of the item at position i, which is in the list: by
// arithmetic, or if there are gaps by a walk of row keys from the nearer end.
func (c *Collection) locate(t Txn, i int64) (uint64, error) {
	if !c.list.Gaps {
		return c.list.First + uint64(i)*stride, nil
	}
	o := ScanOptions{KeysOnly: true}
	if behind := int64(c.meta.Count) - 1 - i; behind < i {
		i, o.Reverse = behind, true
	}
	cur, err := c.items(t, c.list.First, c.list.End, o)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	for ; i >= 0; i-- {
		if !cur.Next() {
			return 0, cur.Missing()
		}
	}
	return cur.index, nil
}

// boundary returns an index that parts the first i items from the others: those
// have lower ones, these have it or higher ones.
func (c *Collection) boundary(t Txn, i int64) (uint64, error) {
	switch i {
	case 0:
		return c.list.First, nil
	case int64(c.meta.Count):
		return c.list.End, nil
	}
	return c.locate(t, i)
}

// closeGaps makes a list of one item contiguous again. It is for calls that have
// removed items.
func (c *Collection) closeGaps(t Txn) error {
	if !c.list.Gaps || c.meta.Count != 1 {
		return nil
	}
	cur, err := c.items(t, c.list.First, c.list.End, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	if !cur.Next() {
		return cur.Missing()
	}
	if end := cur.index + stride; end > cur.index {
		c.list = newListSpan(cur.index, end)
	}
	return nil
}

// saveItems is save after a removal of items.
func (c *Collection) saveItems(t Txn) error {
	if err := c.closeGaps(t); err != nil {
		return err
	}
	return c.save(t)
}
