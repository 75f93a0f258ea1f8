// Package keyenc lays out the rows of the store: which bytes stand before
// a user's key, and the order-preserving encodings inside a row key.
package keyenc

import (
	"encoding/binary"

	"github.com/siltstonedb/siltstone/internal/base"
)

// The first byte of a row key is its space. The default keyspace owns spaces
// Keys and Elements; a named keyspace repeats the same two behind its own
// prefix, so that one range tombstone drops it whole.
//
//	0x00 · 'k' · name                          keyspace registry
//	0x00 · 'e' · expiry(8 BE) · id(8 BE)       timer of a collection that expires,
//	                                           or has elements that do
//	                                           → prefix of its keyspace
//	0x01 · key                                 string, or metadata of a collection
//	0x02 · id(8 BE) · tag · …                  rows of a collection
//	0x10 · number(4 BE) · 0x01 · key           the same, in a named keyspace
//	0x10 · number(4 BE) · 0x02 · id · tag · …
//
// Tags, in order, so that the owner row is the first of a collection:
//
//	owner    0x01 ·                        → row key of the metadata that owns the id
//	element  0x02 · member                 → hash value, zset score(8), set: empty
//	score    0x03 · score(8) · member      →
//	bucket   0x04 · level(1) · boundary    → counts of the score order
//	due      0x05 · expiry(8 BE) · member  →
//	item     0x06 · index(8 BE)            → list value
const (
	SpaceSystem   = 0x00
	SpaceKeys     = 0x01
	SpaceElements = 0x02
	SpaceNamed    = 0x10

	TagOwner   = 0x01
	TagElement = 0x02
	TagScore   = 0x03
	TagBucket  = 0x04
	TagDue     = 0x05
	TagItem    = 0x06

	systemRegistry = 'k'
	systemTimer    = 'e'

	collectionHeader = 1 + 8 + 1 // space, id, tag
)

// AppendKeyspacePrefix appends the prefix of named keyspace number n; the
// default keyspace has the empty prefix.
func AppendKeyspacePrefix(dst []byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, SpaceNamed), n)
}

// AppendKeyRow appends the row key of user key k in the keyspace with the given
// prefix.
func AppendKeyRow(dst, prefix []byte, k []byte) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, SpaceKeys)
	return append(dst, k...)
}

// AppendNameRow is AppendKeyRow for a key that is a string.
func AppendNameRow(dst, prefix []byte, name string) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, SpaceKeys)
	return append(dst, name...)
}

// AppendCollection appends the start of every row of collection id.
func AppendCollection(dst, prefix []byte, id uint64) []byte {
	dst = append(dst, prefix...)
	dst = append(dst, SpaceElements)
	return binary.BigEndian.AppendUint64(dst, id)
}

// AppendElementRow appends the row key of the given tag, with rest behind it.
func AppendElementRow(dst, prefix []byte, id uint64, tag byte, rest string) []byte {
	dst = append(AppendCollection(dst, prefix, id), tag)
	return append(dst, rest...)
}

// AppendScoreRow appends the row key of member in the score order of a sorted
// set; score is a result of OrderScore.
func AppendScoreRow(dst, prefix []byte, id, score uint64, member string) []byte {
	dst = append(AppendCollection(dst, prefix, id), TagScore)
	dst = binary.BigEndian.AppendUint64(dst, score)
	return append(dst, member...)
}

// AppendDueRow appends the row key of member in the order of deadlines of
// a collection.
func AppendDueRow(dst, prefix []byte, id uint64, deadline int64, member string) []byte {
	dst = append(AppendCollection(dst, prefix, id), TagDue)
	dst = binary.BigEndian.AppendUint64(dst, uint64(deadline))
	return append(dst, member...)
}

// AppendItemRow appends the row key of the list item with the given index.
func AppendItemRow(dst, prefix []byte, id, index uint64) []byte {
	dst = append(AppendCollection(dst, prefix, id), TagItem)
	return binary.BigEndian.AppendUint64(dst, index)
}

// ParseCollectionRow takes apart what KeyspaceOf left of a row of a collection.
// rest points into row; ok is false for other rows.
func ParseCollectionRow(row []byte) (id uint64, tag byte, rest []byte, ok bool) {
	if len(row) < collectionHeader || row[0] != SpaceElements {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint64(row[1:]), row[collectionHeader-1], row[collectionHeader:], true
}

// CollectionHeaderLen returns how many bytes of a row of a collection stand
// before its member, score or index, in the keyspace with the given prefix.
func CollectionHeaderLen(prefix []byte) int { return len(prefix) + collectionHeader }

// CollectionRange returns the bounds [lo, hi) of every row of collections first
// to last.
func CollectionRange(prefix []byte, first, last uint64) (lo, hi []byte) {
	lo = AppendCollection(nil, prefix, first)
	return lo, base.Successor(AppendCollection(nil, prefix, last))
}

// KeySpaceRange returns the bounds [lo, hi) of every key row of the keyspace.
func KeySpaceRange(prefix []byte) (lo, hi []byte) {
	lo = append(append(lo, prefix...), SpaceKeys)
	hi = append(append(hi, prefix...), SpaceElements)
	return lo, hi
}

// KeyspaceOf splits a row key into the prefix of its keyspace and what follows.
// ok is false for system rows and rows of no known space.
func KeyspaceOf(row []byte) (prefix, rest []byte, ok bool) {
	if len(row) == 0 {
		return nil, nil, false
	}
	switch row[0] {
	case SpaceKeys, SpaceElements:
		return row[:0], row, true
	case SpaceNamed:
		if len(row) > 5 && (row[5] == SpaceKeys || row[5] == SpaceElements) {
			return row[:5], row[5:], true
		}
	}
	return nil, nil, false
}

// AppendRegistryRow appends the row key of the registry entry of a keyspace.
func AppendRegistryRow(dst []byte, name string) []byte {
	return append(append(dst, SpaceSystem, systemRegistry), name...)
}

// AppendTimerRow appends the row key of a collection's timer.
func AppendTimerRow(dst []byte, expiry int64, id uint64) []byte {
	dst = append(dst, SpaceSystem, systemTimer)
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiry))
	return binary.BigEndian.AppendUint64(dst, id)
}

// ParseTimerRow is the reverse of AppendTimerRow.
func ParseTimerRow(row []byte) (expiry int64, id uint64, ok bool) {
	if len(row) != 18 || row[0] != SpaceSystem || row[1] != systemTimer {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(row[2:])), binary.BigEndian.Uint64(row[10:]), true
}

// RegistryRange returns the bounds [lo, hi) of the registry rows.
func RegistryRange() (lo, hi []byte) {
	return []byte{SpaceSystem, systemRegistry}, []byte{SpaceSystem, systemRegistry + 1}
}

// TimerRange returns the bounds [lo, hi) of the timer rows due at or before now.
func TimerRange(now int64) (lo, hi []byte) {
	return AppendTimerRow(nil, 0, 0), AppendTimerRow(nil, now+1, 0)
}
