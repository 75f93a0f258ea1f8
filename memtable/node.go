package memtable

import (
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A node stands for one user key. It never changes but for its head, its leaf
// and its count; the key's first version lies right behind it, so that reading a
// key that was written once touches neighbouring memory only.
//
//	 0        4        8        12        16
//	┌────────┬────────┬────────┬─────────┬─────────────────┐
//	│ head   │ key    │ leaf   │ versions│ key …           │  padded to 8
//	│ atomic │ length │ number │ count   │                 │
//	└────────┴────────┴────────┴─────────┴─────────────────┘
//
// head refers to the newest version; leaf and versions are the writer's own.
//
// A version is one record of the key. Versions hang off the head, newest first.
//
//	 0      4               8             16        24
//	┌──────┬───────────────┬─────────────┬─────────┬────────────────────────┬─────────┐
//	│ older│ value length  │ sequence<<8 │ expiry  │ jump · up · ordinal · 0 │ value … │
//	│      │ bit 31: jumps │ | attr      │ if attr │ if bit 31              │         │
//	└──────┴───────────────┴─────────────┴─────────┴────────────────────────┴─────────┘
//
// A value longer than LargeValue lies outside: its place holds an index into
// Table.large, 8 bytes.
//
// Every sixteenth version can jump: up refers to the one sixteen versions older,
// jump to one much older, chosen so that any version is found in a number of
// steps logarithmic in how many there are (skew-binary jump pointers).
const (
	nodeHeader    = 16
	nodeHead      = 0
	nodeKeyLen    = 4
	nodeLeaf      = 8
	nodeVersions  = 12
	versionHeader = 16
	versionOlder  = 0
	versionLen    = 4
	versionTag    = 8
	expiryBytes   = 8
	jumpBytes     = 16
	jumpFar       = 0
	jumpUp        = 4
	jumpOrdinal   = 8
	maxVersion    = versionHeader + expiryBytes + jumpBytes

	jumps       = 1 << 31 // bit in the value length
	jumpSpacing = 16
)

// LargeValue is the longest value that lies in the arena, in bytes. A longer one
// has an allocation of its own.
const LargeValue = 64 << 10

// newNode writes a node for key, without versions and with room for extra bytes
// right behind it; it returns references to both.
func (a *arena) newNode(key []byte, extra int) (node, behind uint32) {
	size := nodeSize(len(key))
	node = a.alloc(size + extra)
	*a.word(node, nodeKeyLen) = uint32(len(key))
	copy(a.spot(node).bytes(nodeHeader, len(key)), key)
	return node, node + uint32(size/unitBytes)
}

// nodeSize returns what a node takes in front of its first version, in bytes.
func nodeSize(key int) int { return (nodeHeader + key + unitBytes - 1) &^ (unitBytes - 1) }

// key returns the node's key. It belongs to the arena.
func (a *arena) key(node uint32) []byte {
	s := a.spot(node)
	return s.bytes(nodeHeader, int(*s.word(nodeKeyLen)))
}

// head returns the newest version of the node.
func (a *arena) head(node uint32) uint32 { return atomic.LoadUint32(a.word(node, nodeHead)) }

// publish makes a version the node's newest. Readers see all that the writer
// did before.
func (a *arena) publish(node, version uint32) { atomic.StoreUint32(a.word(node, nodeHead), version) }

// versionBytes returns what a version takes in front of its value.
func versionBytes(attr base.Attr, canJump bool) int {
	n := versionHeader
	if attr.HasExpiry() {
		n += expiryBytes
	}
	if canJump {
		n += jumpBytes
	}
	return n
}

// inlineBytes returns what a value of the given length takes in the arena.
func inlineBytes(value int) int {
	if value > LargeValue {
		return unitBytes
	}
	return value
}

// writeVersion fills the version at ref, but for its jumps, and returns where
// its value goes, in bytes behind ref.
func (a *arena) writeVersion(ref, older uint32, tr base.Trailer, valueLen int, canJump bool) uintptr {
	length := uint32(valueLen)
	if canJump {
		length |= jumps
	}
	s := a.spot(ref)
	*s.word(versionOlder) = older
	*s.word(versionLen) = length
	*s.long(versionTag) = uint64(tr.Seq)<<8 | uint64(tr.Attr)
	if tr.Attr.HasExpiry() {
		*s.long(versionHeader) = uint64(tr.Expiry)
	}
	return uintptr(versionBytes(tr.Attr, canJump))
}

// trailer returns the trailer of the version at s, with the sequence as it was
// added, and where its value lies, in bytes behind it.
func (s spot) trailer() (tr base.Trailer, off uintptr) {
	tag := *s.long(versionTag)
	tr.Attr = base.Attr(tag)
	tr.Seq = base.SeqNum(tag >> 8)
	off = versionHeader
	if tr.Attr.HasExpiry() {
		tr.Expiry = int64(*s.long(versionHeader))
		off += expiryBytes
	}
	if *s.word(versionLen)&jumps != 0 {
		off += jumpBytes
	}
	return tr, off
}

// seq returns the version's sequence as it was added.
func (a *arena) seq(version uint32) base.SeqNum {
	return base.SeqNum(*a.long(version, versionTag) >> 8)
}

// older returns the next older version, 0 if there is none.
func (a *arena) older(version uint32) uint32 { return *a.word(version, versionOlder) }

// jumpAt returns where the version's jumps lie, in bytes behind it; ok is false
// if it has none.
func (a *arena) jumpAt(version uint32) (off uintptr, ok bool) {
	if *a.word(version, versionLen)&jumps == 0 {
		return 0, false
	}
	off = versionHeader
	if base.Attr(*a.long(version, versionTag)).HasExpiry() {
		off += expiryBytes
	}
	return off, true
}

// writeJumps fills the jumps of a version that is about to become the node's
// newest; head is the newest so far, and not one that can jump.
func (a *arena) writeJumps(version, head uint32) {
	var up, far, ordinal uint32 = 0, 0, 1
	for r := head; r != 0; r = a.older(r) {
		off, ok := a.jumpAt(r)
		if !ok {
			continue
		}
		up = r
		ordinal = *a.word(r, off+jumpOrdinal) + 1
		second, secondOrdinal := a.far(r)
		third, thirdOrdinal := a.far(second)
		far = r
		if ordinal-1-secondOrdinal == secondOrdinal-thirdOrdinal {
			far = third
		}
		break
	}
	off, _ := a.jumpAt(version)
	*a.word(version, off+jumpFar) = far
	*a.word(version, off+jumpUp) = up
	*a.word(version, off+jumpOrdinal) = ordinal
}

// far returns where a version's far jump leads, and the ordinal there.
func (a *arena) far(version uint32) (to, ordinal uint32) {
	if version == 0 {
		return 0, 0
	}
	off, _ := a.jumpAt(version)
	if to = *a.word(version, off+jumpFar); to == 0 {
		return 0, 0
	}
	off, _ = a.jumpAt(to)
	return to, *a.word(to, off+jumpOrdinal)
}

// above returns the oldest version of the chain from head with a sequence above
// limit, 0 if none is. Limit −1 gives the oldest version there is. The cost is
// logarithmic in how many versions are above.
func (a *arena) above(head uint32, limit int64) (found uint32) {
	for r := head; r != 0 && int64(a.seq(r)) > limit; {
		found = r
		if off, ok := a.jumpAt(r); ok {
			if to := *a.word(r, off+jumpFar); to != 0 && int64(a.seq(to)) > limit {
				r = to
				continue
			}
			if to := *a.word(r, off+jumpUp); to != 0 && int64(a.seq(to)) > limit {
				r = to
				continue
			}
		}
		r = a.older(r)
	}
	return found
}

// atMost returns the newest version with a sequence of at most limit, 0 if there
// is none.
func (a *arena) atMost(head uint32, limit int64) uint32 {
	if head == 0 || int64(a.seq(head)) <= limit {
		return head
	}
	return a.older(a.above(head, limit))
}
