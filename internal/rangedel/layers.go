package rangedel

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
)

// layers finds the tombstones over a key by sequence. It is a segment tree over
// the slots between all starts and ends: a tombstone hangs at the few nodes that
// together are its range, so whatever covers a slot hangs at the slot's leaf or
// at a node above it.
//
//	nodes            1               [a-e)#9 hangs at 2
//	             2       3           [c-k)#7 hangs at 5 and 3
//	leaves     4   5   6   7
//	bounds   a   c   e   h   k
//
// A look-up costs log² n, the whole about n log n words. It is immutable.
type layers struct {
	bounds [][]byte      // rising
	first  []int         // node k has seqs[first[k]:first[k+1]]
	seqs   []base.SeqNum // rising in each node
}

func newLayers(all []Tombstone) *layers {
	ts := slices.Clone(all)
	slices.SortFunc(ts, func(a, b Tombstone) int { return cmp.Compare(a.Seq, b.Seq) })
	ls := &layers{bounds: make([][]byte, 0, 2*len(ts))}
	for _, t := range ts {
		ls.bounds = append(ls.bounds, t.Start, t.End)
	}
	slices.SortFunc(ls.bounds, bytes.Compare)
	ls.bounds = slices.Clip(slices.CompactFunc(ls.bounds, bytes.Equal))

	ranges := make([][2]int, len(ts)) // of slots
	ls.first = make([]int, 2*ls.slots()+1)
	for i, t := range ts {
		lo, _ := slices.BinarySearchFunc(ls.bounds, t.Start, bytes.Compare)
		hi, _ := slices.BinarySearchFunc(ls.bounds, t.End, bytes.Compare)
		ranges[i] = [2]int{lo, hi}
		ls.nodes(lo, hi, func(k int) { ls.first[k+1]++ })
	}
	for k := 1; k < len(ls.first); k++ {
		ls.first[k] += ls.first[k-1]
	}
	ls.seqs = make([]base.SeqNum, ls.first[len(ls.first)-1])
	next := slices.Clone(ls.first)
	for i, t := range ts {
		ls.nodes(ranges[i][0], ranges[i][1], func(k int) {
			ls.seqs[next[k]] = t.Seq
			next[k]++
		})
	}
	return ls
}

func (ls *layers) slots() int { return len(ls.bounds) - 1 }

// nodes calls visit with each of the nodes that together are the slots [lo, hi).
func (ls *layers) nodes(lo, hi int, visit func(k int)) {
	for lo, hi = lo+ls.slots(), hi+ls.slots(); lo < hi; lo, hi = lo/2, hi/2 {
		if lo%2 == 1 {
			visit(lo)
			lo++
		}
		if hi%2 == 1 {
			hi--
			visit(hi)
		}
	}
}

// slot returns the slot that key lies in. The caller knows that there is one. It
// searches by hand, so that key does not escape.
func (ls *layers) slot(key []byte) int {
	lo, hi := 0, len(ls.bounds)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(ls.bounds[m], key) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo - 1
}

// at returns the largest sequence, at most limit, over key and the bounds of
// key's slot.
func (ls *layers) at(key []byte, limit base.SeqNum) (seq base.SeqNum, below, above []byte) {
	slot := ls.slot(key)
	for k := slot + ls.slots(); k > 0; k /= 2 {
		seqs := ls.seqs[ls.first[k]:ls.first[k+1]]
		if i, _ := slices.BinarySearch(seqs, limit+1); i > 0 {
			seq = max(seq, seqs[i-1])
		}
	}
	return seq, ls.bounds[slot], ls.bounds[slot+1]
}

// above returns the smallest sequence above seq over key; 0 if there is none.
func (ls *layers) above(key []byte, seq base.SeqNum) (next base.SeqNum) {
	for k := ls.slot(key) + ls.slots(); k > 0; k /= 2 {
		seqs := ls.seqs[ls.first[k]:ls.first[k+1]]
		if i, _ := slices.BinarySearch(seqs, seq+1); i < len(seqs) && (next == 0 || seqs[i] < next) {
			next = seqs[i]
		}
	}
	return next
}
