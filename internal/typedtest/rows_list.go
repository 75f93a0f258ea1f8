package typedtest

import (
	"encoding/binary"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// countItems compares the bounds in a list's metadata with the indexes found,
// which ascend: they are a stride apart from bound to bound, or if there are gaps
// between the bounds.
func (t *tally) countItems() error {
	if t.typ != record.TypeList {
		return nil
	}
	if len(t.meta.Body) != 17 {
		return fmt.Errorf("body of %q is %x", t.row, t.meta.Body)
	}
	first, end := binary.BigEndian.Uint64(t.meta.Body), binary.BigEndian.Uint64(t.meta.Body[8:])
	gaps := t.meta.Body[16] == 1
	if gaps && len(t.items) == 1 {
		return fmt.Errorf("%q has one item, and gaps", t.row)
	}
	for i, index := range t.items {
		want := first + uint64(i)*keyenc.ItemStride
		if gaps && (index < first || index >= end) || !gaps && index != want {
			return fmt.Errorf("item %d of %q has index %x, the bounds are %x and %x, gaps %v", i, t.row, index, first, end, gaps)
		}
	}
	return nil
}
