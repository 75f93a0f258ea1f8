package memtable

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Newer reports whether key has a point record with a sequence above since; hash
// is xxhash.Sum64(key). Range deletes are not considered. It costs what Get
// costs.
func (t *Table) Newer(hash uint64, key []byte, since base.SeqNum) bool {
	if t.MaxSeq() <= since {
		return false
	}
	node := t.find(hash, key)
	return node != 0 && int64(t.arena.seq(t.arena.head(node))) > t.limit(since)
}

// leavesAtATime is how many leaves are looked at under one hold of the lock.
const leavesAtATime = 8

// NewerInRange returns the first key of [lo, hi) that has a point record with a
// sequence above since. A nil hi is the end of all keys. The key is borrowed
// from the table, as a value is. Range deletes are not considered. Leaves in
// which nothing is newer cost a few nanoseconds each, and nothing at all if
// nothing in the table is.
func (t *Table) NewerInRange(lo, hi []byte, since base.SeqNum) (key []byte, found bool) {
	if t.MaxSeq() <= since {
		return nil, false
	}
	limit := t.limit(since)
	probe := t.takeProbe()
	t.order.rlock()
	l := t.order.leafFor(lo, probe)
	i, _ := l.search(&t.arena, lo)
	end := false
	for seen := 1; l != nil && !end; seen++ {
		if int64(l.maxSeq.Load()) > limit {
			if key, end = t.newerInLeaf(l, i, hi, limit); key != nil {
				break
			}
		}
		l, i = l.next, 0
		if l != nil && hi != nil && bytes.Compare(l.lo, hi) >= 0 {
			break
		}
		if seen%leavesAtATime == 0 {
			t.order.mu.RUnlock()
			t.order.rlock()
		}
	}
	t.order.mu.RUnlock()
	t.probes.Put(probe)
	return key, key != nil
}

// newerInLeaf returns the first key of the leaf from index i on and below hi
// that has a version above limit, nil if there is none; end is set if the leaf
// reaches hi.
func (t *Table) newerInLeaf(l *leaf, i int, hi []byte, limit int64) (key []byte, end bool) {
	for _, node := range l.ref[i:l.n] {
		if int64(t.arena.seq(t.arena.head(node))) <= limit {
			continue
		}
		key = t.arena.key(node)
		if hi != nil && bytes.Compare(key, hi) >= 0 {
			return nil, true
		}
		return key, false
	}
	return nil, false
}
