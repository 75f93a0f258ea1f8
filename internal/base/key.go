package base

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// SeqNum orders every change the store ever made. Each operation of a batch
// takes its own; numbers are never reused, but recovery leaves gaps. It fits 56
// bits.
type SeqNum uint64

const (
	// SeqMax is larger than every sequence number a record can have; reading at
	// it sees everything.
	SeqMax SeqNum = 1<<56 - 1
	// SeqGap is the granule recovery rounds up to, so that the numbers of a lost
	// tail are not met again.
	SeqGap SeqNum = 1 << 20
)

// AfterGap returns the last sequence that recovery takes for used when it found
// records up to s: a tail may have been lost without a trace.
func (s SeqNum) AfterGap() SeqNum { return min((s/SeqGap+1)*SeqGap, SeqMax) }

// Kind says what a record does to its key. The values are on disk and frozen;
// zero is invalid, and a decoder refuses a kind it does not know.
type Kind uint8

const (
	KindPut         Kind = 1
	KindDelete      Kind = 2
	KindRangeDelete Kind = 3
	// KindCount (a mergeable count) and KindElsewhere (a value stored outside the
	// record) are reserved: this version neither writes nor accepts them.
	KindCount     Kind = 4
	KindElsewhere Kind = 5
)

// Known reports whether this version reads and writes records of kind k.
func (k Kind) Known() bool { return k >= KindPut && k <= KindRangeDelete }

func (k Kind) String() string {
	switch k {
	case KindPut:
		return "put"
	case KindDelete:
		return "del"
	case KindRangeDelete:
		return "rangedel"
	case KindCount:
		return "count"
	case KindElsewhere:
		return "elsewhere"
	}
	return fmt.Sprintf("kind%d", uint8(k))
}

// Attr is the attribute byte of a record. It stands on the key side, so that
// scans that need no values, counts, conflict checks and compaction never touch
// the value area.
//
//	bit  7        6          5 4 3      2 1 0
//	     +--------+----------+----------+---------+
//	     | zero   | expiry   | type     | kind    |
//	     +--------+----------+----------+---------+
//
// kind is a Kind; type is a record.Type (zero on element rows and tombstones);
// expiry says that the record carries an expiry, in milliseconds since 1970.
type Attr uint8

const (
	attrKind   Attr = 0x07
	attrType   Attr = 0x38
	attrExpiry Attr = 0x40
	attrUnused Attr = 0x80
	typeShift       = 3
)

// MakeAttr joins kind, type (0 to 7) and whether the record has an expiry.
func MakeAttr(k Kind, typ uint8, expires bool) Attr {
	a := Attr(k)&attrKind | Attr(typ<<typeShift)&attrType
	if expires {
		a |= attrExpiry
	}
	return a
}

// Kind returns what the record does.
func (a Attr) Kind() Kind { return Kind(a & attrKind) }

// Type returns the record.Type as a number.
func (a Attr) Type() uint8 { return uint8(a&attrType) >> typeShift }

// HasExpiry reports whether the record carries an expiry.
func (a Attr) HasExpiry() bool { return a&attrExpiry != 0 }

// Valid reports whether a decoder may accept a: a known kind and no unused bit.
func (a Attr) Valid() bool { return a&attrUnused == 0 && a.Kind().Known() }

// Trailer is all of a record but its key and value.
type Trailer struct {
	Seq    SeqNum
	Expiry int64 // milliseconds since 1970; 0: never expires
	Attr   Attr
}

// Expired reports whether the record has run out at now (milliseconds since
// 1970). An expired record acts as a tombstone.
func (t Trailer) Expired(now int64) bool { return t.Expiry != 0 && t.Expiry <= now }

// CompareInternal orders records: key ascending, then sequence descending, so
// that the newest version of a key comes first.
func CompareInternal(aKey []byte, aSeq SeqNum, bKey []byte, bSeq SeqNum) int {
	if c := bytes.Compare(aKey, bKey); c != 0 {
		return c
	}
	switch {
	case aSeq > bSeq:
		return -1
	case aSeq < bSeq:
		return 1
	}
	return 0
}

// Prefix8 returns the eight bytes of key from skip on as a big-endian number,
// padded with zeros. If Prefix8(a) < Prefix8(b) for keys that agree on their
// first skip bytes then a < b; equal numbers decide nothing ("a" and "a\x00").
func Prefix8(key []byte, skip int) uint64 {
	if len(key) >= skip+8 {
		b := key[skip : skip+8]
		return uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 |
			uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
	}
	var v uint64
	for i := range 8 {
		v <<= 8
		if skip+i < len(key) {
			v |= uint64(key[skip+i])
		}
	}
	return v
}

// CommonPrefix returns how many leading bytes a and b share.
func CommonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Successor returns the smallest key larger than every key that starts with
// prefix, or nil if there is none (prefix is empty or all 0xFF). The result is
// the caller's.
func Successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			s := append([]byte(nil), prefix[:i+1]...)
			s[i]++
			return s
		}
	}
	return nil
}

// HashRow returns the hash that memtables, filters and blocks know a row by.
func HashRow(row []byte) uint64 { return xxhash.Sum64(row) }

// Checksum returns the checksum of bytes that leave the process.
func Checksum(data []byte) uint64 { return xxhash.Sum64(data) }
