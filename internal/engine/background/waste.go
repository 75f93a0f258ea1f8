package background

import (
	"runtime/metrics"

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

// waste remembers when garbage was counted.
type waste struct {
	mu     invariants.Mutex
	cycles uint64 // collections when it was counted last
}

// CountWaste counts garbage in the budget, or no longer if a collection has taken
// it.
func (w *Work) CountWaste() {
	w.waste.mu.Lock()
	defer w.waste.mu.Unlock()
	w.cfg.States.Tables.Cache().CountWaste(min(w.garbageLocked(), w.cfg.MemoryLimit/maxWasteShare))
}

// Garbage returns how many bytes were let go of since the last collection.
func (w *Work) Garbage() int64 {
	w.waste.mu.Lock()
	defer w.waste.mu.Unlock()
	return w.garbageLocked()
}

func (w *Work) garbageLocked() int64 {
	budget := w.cfg.States.Tables.Cache()
	if cycles := collections(); cycles != w.waste.cycles {
		w.waste.cycles = cycles
		budget.TakeWaste()
		return 0
	}
	return budget.Waste(0)
}

// collections returns how often the runtime has collected garbage.
func collections() uint64 {
	s := [1]metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s[:])
	return s[0].Value.Uint64()
}
