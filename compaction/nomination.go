package compaction

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
)

// nominations gathers the ids of collections that may have died in a merge. To
// nominate is to suspect: the merge sees some runs and never the whole key, so
// whether a collection is dead is for the reaper to find out. One nomination
// too few leaks its elements; one too many costs a look-up.
type nominations struct {
	ids  []collection
	id   uint64 // that the next newer record of the current key carries
	held bool   // whether it carries one
}

type collection struct {
	keyspace uint32
	id       uint64
}

// newKey forgets the previous key's records.
func (n *nominations) newKey() { n.held = false }

// see takes each record of a key, newest first, whether it reaches the output
// with its value, and the sequence of what ended it, infinity if only time did.
// Nothing is nominated whose elements ranges cover anyway: no element was
// written after the end, so a tombstone that is no older covers them all. The
// record's own sequence says nothing, for it may be zeroed.
func (n *nominations) see(e *iterator.Entry, reaches bool, ended base.SeqNum, ranges *rangedel.List) {
	if e.Attr.Kind() != base.KindPut {
		n.held = false
		return
	}
	id, ok := record.CollectionID(record.Type(e.Attr.Type()), e.Value)
	if ok && !reaches && !(n.held && n.id == id) {
		n.nominate(e, id, ended, ranges)
	}
	n.id, n.held = id, ok
}

func (n *nominations) nominate(e *iterator.Entry, id uint64, ended base.SeqNum, ranges *rangedel.List) {
	prefix, _, ok := keyenc.KeyspaceOf(e.Key)
	if !ok {
		return
	}
	if !ranges.Empty() {
		lo, hi := keyenc.CollectionRange(prefix, id, id)
		if seq, _, end := ranges.At(lo, base.SeqMax); seq > 0 && seq >= ended && hi != nil && bytes.Compare(end, hi) >= 0 {
			return
		}
	}
	var number uint32
	if len(prefix) == 5 {
		number = binary.BigEndian.Uint32(prefix[1:])
	}
	n.ids = append(n.ids, collection{keyspace: number, id: id})
}

// ranges returns the ids as ranges, sorted, neighbours joined.
func (n *nominations) ranges() (out []manifest.IDRange) {
	slices.SortFunc(n.ids, func(a, b collection) int {
		return cmp.Or(cmp.Compare(a.keyspace, b.keyspace), cmp.Compare(a.id, b.id))
	})
	for _, c := range n.ids {
		if k := len(out) - 1; k >= 0 && out[k].Keyspace == c.keyspace && c.id-out[k].Last <= 1 {
			out[k].Last = c.id
			continue
		}
		out = append(out, manifest.IDRange{Keyspace: c.keyspace, First: c.id, Last: c.id})
	}
	return out
}
