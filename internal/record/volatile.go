package record

import "encoding/binary"

// DeadlineLen is how many bytes stand before the value of a volatile row.
const DeadlineLen = 8

// AppendDeadline appends the start of the value of a volatile row, which is a put
// of TypeVolatile:
//
//	+--------------------+-------------------------+
//	| deadline ms 8 B BE | what a plain row holds  |
//	+--------------------+-------------------------+
//
// The deadline is not the record's expiry, for a merge would drop the record at
// that and leave its collection's count wrong.
func AppendDeadline(dst []byte, deadline int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(deadline))
}

// CutDeadline splits the value of a volatile row; rest points into value. ok is
// false for what is none.
func CutDeadline(value []byte) (deadline int64, rest []byte, ok bool) {
	if len(value) < DeadlineLen {
		return 0, nil, false
	}
	v := binary.BigEndian.Uint64(value)
	return int64(v), value[DeadlineLen:], v != 0 && v <= metaMax
}

// ElementValue splits the value of an element's row, or of its score row, which is
// a put of type t, into its deadline, 0 for none, and what a row without deadline
// holds. ok is false for what is neither.
func ElementValue(t Type, value []byte) (deadline int64, rest []byte, ok bool) {
	if t != TypeVolatile {
		return 0, value, true
	}
	return CutDeadline(value)
}
