package memtable

import (
	"bytes"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// A Builder makes a table of records that nobody reads before all are there.
// They are written to the arena as they come, sorted once, and leaves, branches,
// skiplist and hash index are filled from one end to the other: a fraction of the
// cost of as many calls of Add, and full leaves.
//
//	Add    arena   node ► version, one per record, unconnected
//	       run     first 8 bytes behind what all keys share │ node │ hash
//	Table  sort    by key, then as added
//	       chain   the versions of one key hang off its first node
//	       fill    leaves, branches and hash index
//
// The rules for sequences are the table's. It is not safe for concurrent use.
type Builder struct {
	t    *Table
	run  []runRecord
	gone []rangedel.Tombstone
	skip int // leading bytes that all keys share and prefixes leave out

	minSeq, maxSeq base.SeqNum
}

// NewBuilder returns a Builder of a table with that much room, as Fits counts it.
// It makes itself ready for so many operations, which may be a guess.
func NewBuilder(room int64, ops int) *Builder {
	t := New(int(min(room, math.MaxInt)))
	return &Builder{t: t, run: make([]runRecord, 0, ops), minSeq: base.SeqMax}
}

// Fits is Table.Fits.
func (b *Builder) Fits(ops int, bytes int64) bool { return b.t.Fits(ops, bytes) }

// AddRangeDelete is Table.AddRangeDelete; the tombstones become one list at the end.
func (b *Builder) AddRangeDelete(start, end []byte, seq base.SeqNum) {
	b.gone = append(b.gone, b.t.tombstone(start, end, seq))
}

// Add is Table.Add; its cost does not depend on how many records there are.
func (b *Builder) Add(hash uint64, key []byte, tr base.Trailer, value []byte) {
	if len(value) > LargeValue {
		value = append(make([]byte, 0, len(value)), value...)
	}
	b.AddReferenced(hash, key, tr, value)
}

// AddReferenced is Table.AddReferenced.
func (b *Builder) AddReferenced(hash uint64, key []byte, tr base.Trailer, value []byte) {
	node := b.t.writeNode(key, tr, value)
	if len(b.run) == 0 {
		b.skip = len(key)
	} else if first := b.t.arena.key(b.run[0].node); len(key) < b.skip || !bytes.Equal(key[:b.skip], first[:b.skip]) {
		b.skip = base.CommonPrefix(key, first[:b.skip])
		setPrefixes(&b.t.arena, b.run, b.skip)
	}
	b.run = append(b.run, runRecord{prefix: base.Prefix8(key, b.skip), node: node, tag: uint32(hash >> 32)})
	b.minSeq, b.maxSeq = min(b.minSeq, tr.Seq), max(b.maxSeq, tr.Seq)
}

// Table returns the table, which is like any other from now on. The Builder is
// done.
func (b *Builder) Table() *Table {
	t, run := b.t, b.run
	if n := len(b.gone); n > 0 {
		t.deleted.Store(&tombstones{runs: []tombstoneRun{{rangedel.New(b.gone), n}}})
	}
	b.t, b.run, b.gone = nil, nil, nil
	if len(run) == 0 {
		return t
	}
	t.records.Store(int64(len(run)))
	sortRun(&t.arena, run, b.skip)
	run = t.chain(run)
	t.outside.Add(t.order.fill(run) + t.index.fill(run))
	t.indexed.Store(t.indexBytes())
	t.span(b.minSeq)
	t.span(b.maxSeq)
	return t
}

// chain hangs the versions of each key, which are next to each other in the
// sorted run, off the first of their nodes, and returns the run with that node
// alone.
func (t *Table) chain(run []runRecord) []runRecord {
	a := &t.arena
	kept := run[:1]
	for _, r := range run[1:] {
		last := &kept[len(kept)-1]
		if r.prefix != last.prefix || !bytes.Equal(a.key(r.node), a.key(last.node)) {
			kept = append(kept, r)
			continue
		}
		t.hang(last.node, a.head(r.node))
	}
	return kept
}

// hang puts a version that stands alone in front of the others of node's key. It
// moves to where there is room if it is one that can jump.
func (t *Table) hang(node, version uint32) {
	a := &t.arena
	head := a.head(node)
	versions := *a.word(node, nodeVersions) + 1
	*a.word(node, nodeVersions) = versions
	if versions%jumpSpacing != 0 {
		*a.word(version, versionOlder) = head
		a.publish(node, version)
		return
	}
	s := a.spot(version)
	tr, off := s.trailer()
	n := int(*s.word(versionLen))
	stored := s.bytes(off, inlineBytes(n)) // the value, or where it is
	moved := a.alloc(versionBytes(tr.Attr, true) + len(stored))
	copy(a.spot(moved).bytes(a.writeVersion(moved, head, tr, n, true), len(stored)), stored)
	a.writeJumps(moved, head)
	a.publish(node, moved)
}
