package sstable

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// The properties section holds base.TableProperties but for ID, which is in the
// footer, and Size and Digest, which a file cannot hold of itself:
//
//	| min seq 8 | max seq 8 | puts 8 | deletes 8 | range deletes 8 | metadata rows 8 |
//	| collection bytes 8 | key bytes 8 | value bytes 8 | min expiry 8 | max expiry 8   |
//	| expiring 8 | shadowed 8 | smallest length 4 | largest length 4 | exclusive 1      |
//	| smallest | largest | pad                                                         |
const propertiesLen = 13*8 + 2*4 + 1

var (
	errProperties     = errors.New("properties are malformed")
	errPropertyCounts = errors.New("properties count other records than the index")
)

func appendProperties(dst []byte, p *base.TableProperties) []byte {
	le := binary.LittleEndian
	for _, v := range []uint64{
		uint64(p.MinSeq), uint64(p.MaxSeq), p.Puts, p.Deletes, p.RangeDeletes, p.MetaRows,
		p.CollectionBytes, p.KeyBytes, p.ValueBytes, uint64(p.MinExpiry), uint64(p.MaxExpiry), p.Expiring, p.Shadowed,
	} {
		dst = le.AppendUint64(dst, v)
	}
	dst = le.AppendUint32(dst, uint32(len(p.Smallest)))
	dst = le.AppendUint32(dst, uint32(len(p.Largest)))
	exclusive := byte(0)
	if p.LargestExclusive {
		exclusive = 1
	}
	dst = append(dst, exclusive)
	dst = append(dst, p.Smallest...)
	return append(dst, p.Largest...)
}

// decodeProperties decodes the section. The bounds are copies.
func decodeProperties(b []byte) (p base.TableProperties, err error) {
	if len(b) < propertiesLen {
		return p, errProperties
	}
	le := binary.LittleEndian
	u := func(i int) uint64 { return le.Uint64(b[8*i:]) }
	p = base.TableProperties{
		MinSeq: base.SeqNum(u(0)), MaxSeq: base.SeqNum(u(1)),
		Puts: u(2), Deletes: u(3), RangeDeletes: u(4), MetaRows: u(5),
		CollectionBytes: u(6), KeyBytes: u(7), ValueBytes: u(8),
		MinExpiry: int64(u(9)), MaxExpiry: int64(u(10)), Expiring: u(11), Shadowed: u(12),
	}
	small, large := uint64(le.Uint32(b[104:])), uint64(le.Uint32(b[108:]))
	bounds := b[propertiesLen:]
	if b[112] > 1 || small > base.MaxRowKeyLen || large > base.MaxRowKeyLen ||
		small == 0 || large == 0 || padded(propertiesLen+small+large) != uint64(len(b)) ||
		p.MinSeq > p.MaxSeq || p.MaxSeq > base.SeqMax || p.MinExpiry < 0 || p.MinExpiry > p.MaxExpiry {
		return p, errProperties
	}
	p.LargestExclusive = b[112] == 1
	p.Smallest = append([]byte(nil), bounds[:small]...)
	p.Largest = append([]byte(nil), bounds[small:small+large]...)
	return p, nil
}

// countRecord adds a record to all properties but the bounds. again says that
// it has the key of the record before it.
func countRecord(p *base.TableProperties, key, value []byte, t base.Trailer, again bool) {
	if again {
		p.Shadowed++
	}
	p.MinSeq, p.MaxSeq = min(p.MinSeq, t.Seq), max(p.MaxSeq, t.Seq)
	p.KeyBytes += uint64(len(key))
	p.ValueBytes += uint64(len(value))
	if t.Attr.Kind() == base.KindDelete {
		p.Deletes++
	} else {
		p.Puts++
	}
	if t.Expiry != 0 {
		if p.Expiring++; p.Expiring == 1 {
			p.MinExpiry = t.Expiry
		}
		p.MinExpiry, p.MaxExpiry = min(p.MinExpiry, t.Expiry), max(p.MaxExpiry, t.Expiry)
	}
	if isMetadata(t.Attr) {
		p.MetaRows++
		// A value that does not decode is not this layer's to refuse: it counts as
		// a collection of no bytes.
		if m, err := record.DecodeMeta(value); err == nil {
			p.CollectionBytes += m.Bytes
		}
	}
}

// isMetadata reports whether a record of this attribute is a collection's row.
func isMetadata(a base.Attr) bool {
	return a.Kind() == base.KindPut && record.Type(a.Type()).IsCollection()
}

// recordFlags returns the flags a record of this attribute asks of its block.
func recordFlags(a base.Attr) (f blockFlags) {
	if a.HasExpiry() {
		f |= flagExpiry
	}
	if a.Kind() == base.KindDelete {
		f |= flagTombstone
	}
	if isMetadata(a) {
		f |= flagMetadata
	}
	return f
}
