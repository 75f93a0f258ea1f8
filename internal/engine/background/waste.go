package background

import (
	"runtime/metrics"
	"slices"

	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Blocks that were evicted, readers that were closed and memtables that no state lists
// are garbage until the runtime has collected them. The runtime decides when that is:
// a library does not make its host process collect. Until then garbage is counted in
// the budget, so that the cache gives way to it.

// WasteShare is the part of MemoryLimit that is left to garbage from the start.
const WasteShare = 8

// maxWasteShare is the part of MemoryLimit that garbage may take from the cache.
// Without a bound the cache would evict blocks for it, and those are garbage, too.
const maxWasteShare = 4

// waste remembers what was seen of the last collections.
type waste struct {
	mu     invariants.Mutex
	cycles uint64 // collections when it looked last
	// beside is what was live in the process beside what the store held, at the last
	// collections that were seen. A collection is seen up to a second late, so that one
	// figure may be far off; the middle one is taken.
	beside [3]int64
}

// CountWaste counts garbage in the budget, or no longer if a collection has taken it.
// held is what the store holds, garbage not included.
func (w *Work) CountWaste(held int64) {
	w.waste.mu.Lock()
	defer w.waste.mu.Unlock()
	known := w.knownGarbageLocked(readHeap(), held)
	w.cfg.States.Tables.Cache().CountWaste(min(known, w.cfg.MemoryLimit/maxWasteShare))
}

// Garbage returns about how many bytes of the heap in use are there for the store and
// hold nothing alive, if the store holds that many bytes that do.
func (w *Work) Garbage(held int64) int64 {
	h := readHeap()
	w.waste.mu.Lock()
	defer w.waste.mu.Unlock()
	known := w.knownGarbageLocked(h, held)
	return h.garbage(held, w.waste.besideLocked(), known)
}

// knownGarbageLocked returns how many bytes of large memory were let go of since the
// last collection.
func (w *Work) knownGarbageLocked(h heap, held int64) int64 {
	budget := w.cfg.States.Tables.Cache()
	if h.cycles != w.waste.cycles {
		// What was let go of meanwhile may have been live then.
		held += budget.TakeWaste()
		copy(w.waste.beside[1:], w.waste.beside[:])
		w.waste.beside[0] = max(h.live-held, 0)
		w.waste.cycles = h.cycles
		return 0
	}
	return budget.Waste(0)
}

func (w *waste) besideLocked() int64 {
	b := w.beside
	slices.Sort(b[:])
	return b[len(b)/2]
}

// heap is what the runtime says of the process.
type heap struct {
	cycles uint64 // collections so far
	live   int64  // bytes that the last one found
	inUse  int64  // bytes of spans in use: objects, dead ones too, and the room between
}

// garbage returns what of the heap is a store's garbage: the large memory that it is known
// to have let go of, and if that is more, of all that is not live as large a part as the
// store has in what is. The runtime lets as much garbage lie as there is live memory, so
// that is what the heap would be smaller by without the store. beside is what is live in
// the process and is not the store's.
func (h heap) garbage(held, beside, known int64) int64 {
	live := held + beside
	all := max(h.inUse-live, 0)
	part := float64(all) * float64(held) / float64(max(live, 1))
	return min(max(known, int64(part)), all)
}

func readHeap() heap {
	s := [...]metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(s[:])
	return heap{
		cycles: s[0].Value.Uint64(), live: int64(s[1].Value.Uint64()),
		inUse: int64(s[2].Value.Uint64() + s[3].Value.Uint64()),
	}
}
