package siltstone

import (
	"runtime"
	"runtime/metrics"
)

// Blocks that were evicted, readers that were closed and memtables that nobody
// needs any more are waste until the garbage collector has run. By itself it
// runs when the heap has doubled: a store that turns its cache over would hold
// twice its budget most of the time.

// Parts of MemoryLimit: what is left to waste, and how much waste is worth
// a collection, for more is made while that runs.
const (
	wasteShare   = 8
	collectShare = 4 * wasteShare
)

// Samples that collect asks for, in this order.
const (
	gcCycles    = "/gc/cycles/total:gc-cycles"
	heapLive    = "/gc/heap/live:bytes"
	heapObjects = "/memory/classes/heap/objects:bytes"
)

// heap is what the runtime says of the process.
type heap struct {
	cycles        uint64 // collections so far
	live, objects uint64 // bytes found alive by the last one; bytes of all objects now, garbage included
}

func readHeap() heap {
	s := [3]metrics.Sample{{Name: gcCycles}, {Name: heapLive}, {Name: heapObjects}}
	metrics.Read(s[:])
	return heap{cycles: s[0].Value.Uint64(), live: s[1].Value.Uint64(), objects: s[2].Value.Uint64()}
}

// worthCollecting decides whether a collection should be asked for: the process
// is above the store's limit, the store's waste is a good part of that, and the
// rest of the process is not so large that marking it costs more than the waste
// is worth.
func worthCollecting(h heap, waste, limit int64) bool {
	return waste > limit/collectShare && h.objects > uint64(limit) && h.live <= 2*uint64(limit)
}

// collect has waste collected if it is worth it. cycles is the number of
// collections when it was last called: after another one there is no waste.
func (db *DB) collect(cycles uint64) uint64 {
	if db.blocks.Waste(0) <= db.opts.MemoryLimit/collectShare {
		return cycles
	}
	h := readHeap()
	if h.cycles != cycles {
		db.blocks.TakeWaste()
		return h.cycles
	}
	if !worthCollecting(h, db.blocks.Waste(0), db.opts.MemoryLimit) {
		return cycles
	}
	runtime.GC()
	db.blocks.TakeWaste()
	return readHeap().cycles
}
