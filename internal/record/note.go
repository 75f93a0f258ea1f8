package record

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A note stands in a log frame in front of the operations of each commit, where
// changes are kept for a feed. It marks where the commit begins, and has what the
// operations alone do not say. It is no operation: it takes no sequence, and counts
// nowhere.
//
//	+------+------------+-------+
//	| 0x06 | len uvarint| items |
//	+------+------------+-------+
//
//	keyspace  01 · number uvarint · name            a named keyspace that it may touch
//	owner     02 · id 8 B BE · type 1 B · row       of a collection with rows of its own, and
//	                                                which there was before the commit
//	was       03 · id 8 B BE · type 1 B · row ·     the record that a metadata row replaces, if
//	          expiry uvarint · body                 the old one has the same form, type and id
//	expired   04 · row                              deleted, because its time had come
//
// name, row and body are bytes behind their length as a uvarint. row is a key row, with
// the prefix of its keyspace. id is 0 and body that of the record if the collection is
// inline, and else body is empty.
const noteByte = 0x06

// NoteKind is the kind of an item of a note. The numbers are on disk.
type NoteKind uint8

const (
	NoteKeyspace NoteKind = 1
	NoteOwner    NoteKind = 2
	NoteWas      NoteKind = 3
	NoteExpired  NoteKind = 4
)

// NoteItem is one item of a note. Its slices point into the note.
type NoteItem struct {
	Kind   NoteKind
	Number uint32 // of the keyspace
	Name   []byte // of the keyspace
	ID     uint64 // of the collection; 0: inline
	Type   Type   // of the collection
	Row    []byte // of the key
	Expiry int64  // of the old record; 0: none
	Body   []byte // of the old record, if it is inline
}

var errNote = errors.New("note of a commit is malformed")

// IsNote reports whether a note stands at the start of b.
func IsNote(b []byte) bool { return len(b) > 0 && b[0] == noteByte }

// MaxNoteHead is the most bytes that AppendNote appends before the items.
const MaxNoteHead = 1 + binary.MaxVarintLen64

// AppendNote appends a note of items, which Append of NoteItem has made.
func AppendNote(dst []byte, items ...[]byte) []byte {
	n := 0
	for _, part := range items {
		n += len(part)
	}
	dst = binary.AppendUvarint(append(dst, noteByte), uint64(n))
	for _, part := range items {
		dst = append(dst, part...)
	}
	return dst
}

// Append appends the item's encoding.
func (i NoteItem) Append(dst []byte) []byte {
	dst = append(dst, byte(i.Kind))
	switch i.Kind {
	case NoteKeyspace:
		return AppendOpValue(binary.AppendUvarint(dst, uint64(i.Number)), i.Name)
	case NoteOwner:
		dst = append(binary.BigEndian.AppendUint64(dst, i.ID), byte(i.Type))
		return AppendOpValue(dst, i.Row)
	case NoteWas:
		dst = append(binary.BigEndian.AppendUint64(dst, i.ID), byte(i.Type))
		dst = binary.AppendUvarint(AppendOpValue(dst, i.Row), uint64(i.Expiry))
		return AppendOpValue(dst, i.Body)
	}
	return AppendOpValue(dst, i.Row)
}

// CutNote splits b, at whose start a note stands, into its items and what follows it.
// Any bytes are safe to pass.
func CutNote(b []byte) (items, rest []byte, err error) {
	if !IsNote(b) {
		return nil, nil, errNote
	}
	items, n, err := decodeBytes(b, 1, 0, base.MaxValueLen, errNote)
	if err != nil {
		return nil, nil, err
	}
	return items, b[n:], nil
}

// NextNote decodes the first of the items of a note, and returns those behind it. Any
// bytes are safe to pass.
func NextNote(b []byte) (i NoteItem, rest []byte, err error) {
	if len(b) == 0 {
		return i, nil, errNote
	}
	i.Kind = NoteKind(b[0])
	n := 1
	switch i.Kind {
	case NoteKeyspace:
		v, k := binary.Uvarint(b[n:])
		if k <= 0 || v == 0 || v > 1<<32-1 {
			return i, nil, errNote
		}
		i.Number = uint32(v)
		i.Name, n, err = decodeBytes(b, n+k, 1, base.MaxRowKeyLen, errNote)
	case NoteOwner, NoteWas:
		if len(b) < n+9 || !Type(b[n+8]).IsCollection() {
			return i, nil, errNote
		}
		i.ID, i.Type = binary.BigEndian.Uint64(b[n:]), Type(b[n+8])
		i.Row, n, err = decodeBytes(b, n+9, 1, base.MaxRowKeyLen, errNote)
		if err != nil || i.Kind == NoteOwner {
			break
		}
		v, k := binary.Uvarint(b[n:])
		if k <= 0 || v > 1<<62 {
			return i, nil, errNote
		}
		i.Expiry = int64(v)
		i.Body, n, err = decodeBytes(b, n+k, 0, base.MaxValueLen, errNote)
	case NoteExpired:
		i.Row, n, err = decodeBytes(b, n, 1, base.MaxRowKeyLen, errNote)
	default:
		return i, nil, errNote
	}
	if err != nil {
		return i, nil, err
	}
	return i, b[n:], nil
}
