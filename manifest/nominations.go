package manifest

import (
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Nominations are the collections that may be dead, on their way to a verdict:
//
//	Add ──► pending ──Take──► deciding ──Decided──► verdict in a memtable ──flush──► settled
//	           ▲                  │
//	           └────GiveBack──────┘
//
// A nomination leaves the manifest with the flush that makes the verdict durable,
// unless the collection was nominated again since. Duplicates are harmless. It is
// safe for concurrent use.
type Nominations struct {
	mu       invariants.Mutex
	pending  []IDRange // to be decided
	deciding []IDRange // taken by the step that runs
	verdicts []verdict // of memtables that are not flushed, oldest first

	// Added, if it is not nil, is called when there is something to decide. It is
	// constant after Open and must not block.
	Added func()
}

// verdict names collections about which was decided, and the memtable that holds the
// decision.
type verdict struct {
	mem base.FileNum // its log
	ids []IDRange
}

// Add adds collections that merges nominated or that a transaction has ended. A crash
// may lose the nomination of a transaction; then a merge nominates again.
func (n *Nominations) Add(r []IDRange) {
	if len(r) == 0 {
		return
	}
	n.mu.Lock()
	n.pending = append(n.pending, r...)
	n.mu.Unlock()
	if n.Added != nil {
		n.Added()
	}
}

// Take returns the next collections to decide about, most of them at most. They
// end with Decided or GiveBack. One goroutine at a time takes.
func (n *Nominations) Take(most uint64) (ids []IDRange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer func() { n.deciding = ids }()
	have := uint64(0)
	for len(n.pending) > 0 && have < most {
		p := n.pending[0]
		if p.Last-p.First >= most-have {
			cut := p.First + (most - have) - 1
			ids = append(ids, IDRange{Keyspace: p.Keyspace, First: p.First, Last: cut})
			n.pending[0].First = cut + 1
			return ids
		}
		ids = append(ids, p)
		have += p.Last - p.First + 1
		n.pending = n.pending[1:]
	}
	return ids
}

// GiveBack returns collections that were taken and not decided about.
func (n *Nominations) GiveBack(ids []IDRange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending, n.deciding = slices.Concat(ids, n.pending), nil
}

// Decided says that the verdict about the collections that were taken is in the
// memtable whose log is mem.
func (n *Nominations) Decided(mem base.FileNum) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.verdicts = append(n.verdicts, verdict{mem, n.deciding})
	n.deciding = nil
}

// DecidedSome says that the verdict about some of the collections that were taken is in the
// memtable whose log is mem. The rest waits behind all others.
func (n *Nominations) DecidedSome(mem base.FileNum, some, rest []IDRange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(some) > 0 {
		n.verdicts = append(n.verdicts, verdict{mem, some})
	}
	n.pending, n.deciding = append(n.pending, rest...), nil
}

// settles returns the collections that the verdicts in the memtable whose log is mem,
// which is being flushed, settle. Collections that were nominated since, by that flush
// or before it, are not settled: the verdict about them comes later or is in a later
// memtable.
func (n *Nominations) settles(mem base.FileNum, nominated []IDRange) (settled []IDRange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	open := slices.Concat(nominated, n.pending, n.deciding)
	for _, v := range n.verdicts {
		if v.mem == mem {
			settled = append(settled, v.ids...)
		} else {
			open = append(open, v.ids...)
		}
	}
	return SubtractRanges(settled, open)
}

// flushed forgets the verdicts in the memtable whose log is mem.
func (n *Nominations) flushed(mem base.FileNum) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.verdicts = slices.DeleteFunc(n.verdicts, func(v verdict) bool { return v.mem == mem })
}

// Undecided returns the collections that no verdict was reached about.
func (n *Nominations) Undecided() []IDRange {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Concat(n.pending, n.deciding)
}

// Unsettled returns every collection that was nominated and is not settled: it
// waits for a verdict, or has one that no flush has made durable.
func (n *Nominations) Unsettled() []IDRange {
	n.mu.Lock()
	defer n.mu.Unlock()
	ids := slices.Concat(n.pending, n.deciding)
	for _, v := range n.verdicts {
		ids = append(ids, v.ids...)
	}
	return ids
}
