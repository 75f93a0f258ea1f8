package leaktest

import "runtime"

// LiveHeap returns the bytes of the heap that are not garbage.
func LiveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held goes with the second one
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
