package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// The range tombstone section holds tombstones behind their number, in the order
// of their starts, and of one start the newer one first. They may overlap:
//
//	| tombstones 4 | { start length 4 | end length 4 | sequence 8 | start | end }* | pad |
const (
	rangeDeletesHeaderLen = 4
	tombstoneHeaderLen    = 16
)

var errRangeDeletes = errors.New("range tombstones are malformed")

func appendTombstone(dst []byte, t rangedel.Tombstone) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(t.Start)))
	dst = le.AppendUint32(dst, uint32(len(t.End)))
	dst = le.AppendUint64(dst, uint64(t.Seq))
	return append(append(dst, t.Start...), t.End...)
}

// tombstoneValid reports whether t may stand behind last.
func tombstoneValid(t, last rangedel.Tombstone) bool {
	return len(t.Start) > 0 && len(t.Start) <= base.MaxRowKeyLen && len(t.End) <= base.MaxRowKeyLen &&
		t.Seq > 0 && t.Seq <= base.SeqMax && bytes.Compare(t.Start, t.End) < 0 && rangedel.Compare(last, t) < 0
}

// decodeRangeDeletes decodes the section. The list, nil if there is none, has
// memory of its own.
func decodeRangeDeletes(payload []byte) (*rangedel.List, error) {
	if len(payload) < rangeDeletesHeaderLen {
		return nil, errRangeDeletes
	}
	le := binary.LittleEndian
	n := le.Uint32(payload)
	b := append([]byte(nil), payload[rangeDeletesHeaderLen:]...)
	if uint64(n) > uint64(len(b))/tombstoneHeaderLen {
		return nil, errRangeDeletes
	}
	ts := make([]rangedel.Tombstone, 0, n)
	var last rangedel.Tombstone
	for range n {
		if len(b) < tombstoneHeaderLen {
			return nil, errRangeDeletes
		}
		start, end := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:]))
		t := rangedel.Tombstone{Seq: base.SeqNum(le.Uint64(b[8:]))}
		b = b[tombstoneHeaderLen:]
		if start+end > uint64(len(b)) {
			return nil, errRangeDeletes
		}
		t.Start, t.End = b[:start:start], b[start:start+end:start+end]
		if !tombstoneValid(t, last) {
			return nil, errRangeDeletes
		}
		ts = append(ts, t)
		last, b = t, b[start+end:]
	}
	if len(b) >= alignment {
		return nil, errRangeDeletes
	}
	return rangedel.New(ts), nil
}
