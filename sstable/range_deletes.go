package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// The range tombstone section holds fragments, in key order and not
// overlapping, behind their number:
//
//	| fragments 4 | { start length 4 | end length 4 | sequences 4 | start | end | sequence, 8 B each, descending }* | pad |
const (
	rangeDeletesHeaderLen = 4
	fragmentHeaderLen     = 12
)

var errRangeDeletes = errors.New("range tombstones are malformed")

func appendFragment(dst []byte, f rangedel.Fragment) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(f.Start)))
	dst = le.AppendUint32(dst, uint32(len(f.End)))
	dst = le.AppendUint32(dst, uint32(len(f.Seqs)))
	dst = append(append(dst, f.Start...), f.End...)
	for _, s := range f.Seqs {
		dst = le.AppendUint64(dst, uint64(s))
	}
	return dst
}

// fragmentValid reports whether f may stand behind a fragment that ends at last.
func fragmentValid(f rangedel.Fragment, last []byte) bool {
	if len(f.Start) == 0 || len(f.Start) > base.MaxRowKeyLen || len(f.End) > base.MaxRowKeyLen || len(f.Seqs) == 0 ||
		bytes.Compare(f.Start, last) < 0 || bytes.Compare(f.Start, f.End) >= 0 || f.Seqs[0] > base.SeqMax {
		return false
	}
	for i, s := range f.Seqs[1:] {
		if s >= f.Seqs[i] {
			return false
		}
	}
	return true
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
	if uint64(n) > uint64(len(b))/fragmentHeaderLen {
		return nil, errRangeDeletes
	}
	var ts []rangedel.Tombstone
	var last []byte
	for range n {
		if len(b) < fragmentHeaderLen {
			return nil, errRangeDeletes
		}
		start, end, seqs := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:]))
		b = b[fragmentHeaderLen:]
		if start+end+8*seqs > uint64(len(b)) {
			return nil, errRangeDeletes
		}
		f := rangedel.Fragment{Start: b[:start:start], End: b[start : start+end : start+end]}
		for i := range seqs {
			f.Seqs = append(f.Seqs, base.SeqNum(le.Uint64(b[start+end+8*i:])))
		}
		if !fragmentValid(f, last) {
			return nil, errRangeDeletes
		}
		for _, s := range f.Seqs {
			ts = append(ts, rangedel.Tombstone{Start: f.Start, End: f.End, Seq: s})
		}
		last, b = f.End, b[start+end+8*seqs:]
	}
	if len(b) >= alignment {
		return nil, errRangeDeletes
	}
	return rangedel.New(ts), nil
}
