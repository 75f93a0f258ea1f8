package keyenc

import "encoding/binary"

// A list item's index is an unsigned number, 8 bytes big-endian. The first item
// of a list takes ItemMiddle, its neighbours stand ItemStride away, so that both
// ends can grow 2⁴⁷ times and an item put between two others finds a number
// without renumbering.
const (
	ItemMiddle = 1 << 63
	ItemStride = 1 << 16
)

// DecodeItem decodes the index behind the tag of an item row.
func DecodeItem(rest []byte) (index uint64, ok bool) {
	if len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}
