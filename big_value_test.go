package siltstone_test

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// allocated returns how many bytes do allocates.
func allocated(t *testing.T, do func() error) int64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ok(t, do())
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// incompressible fills a value of n bytes with what no compressor shrinks.
func incompressible(n int) []byte {
	v := make([]byte, n)
	x := uint64(1)
	for i := range v {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		v[i] = byte(x)
	}
	return v
}

// bigStore is a store in a real directory that does nothing by itself.
func bigStore(t *testing.T, dir string) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{}
	o.Extreme(siltstone.Extremes{ManualWork: true})
	db, err := siltstone.Open(dir, o)
	ok(t, err)
	return db
}

// bigValue is what a value of a size costs, step by step, in bytes allocated.
type bigValue struct {
	t      *testing.T
	value  []byte
	cached bool // a block of it fits the cache
}

// costs fails if do allocates more than most times the value, and a little.
func (b *bigValue) costs(what string, most float64, do func() error) {
	b.t.Helper()
	n := allocated(b.t, do)
	times := float64(n) / float64(len(b.value))
	b.t.Logf("%s: %.2f times the value", what, times)
	if float64(n) > most*float64(len(b.value))+2<<20 {
		b.t.Errorf("%s allocates %.2f times the value, at most %v is right", what, times, most)
	}
}

func (b *bigValue) get(db *siltstone.DB) func() error {
	return func() error {
		v, err := db.Get([]byte("k"))
		if !bytes.Equal(v, b.value) {
			b.t.Errorf("the value of %d bytes has %d, or other ones", len(b.value), len(v))
		}
		return err
	}
}

// held returns how many bytes are in use, the value's own excepted.
func (b *bigValue) held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(b.value)
	return int64(m.HeapAlloc) - int64(len(b.value))
}

func TestAFlushedMemtableIsGivenBack(t *testing.T) {
	b := &bigValue{t: t, value: incompressible(64 << 20)}
	db := bigStore(t, t.TempDir())
	ok(t, db.Put([]byte("k"), b.value))
	if b.held() < int64(len(b.value)) {
		t.Error("the memtable is not in memory: nothing is shown")
	}
	ok(t, db.Flush(bg))
	await(t, "the memtable is given back", func() bool { return b.held() < int64(len(b.value))/4 })
	ok(t, db.Close())
}

// live goes through all that happens to a value: the bounds are what Options and
// docs promise.
func (b *bigValue) live() {
	t := b.t
	dir, killed := t.TempDir(), t.TempDir()
	db := bigStore(t, dir)
	b.costs("Put", 1.01, func() error { return db.Put([]byte("k"), b.value) })
	b.costs("Get from memory", 1.01, b.get(db))
	ok(t, os.RemoveAll(killed))
	ok(t, os.CopyFS(killed, os.DirFS(dir))) // as a kill leaves it
	b.costs("Flush", 1.01, func() error { return db.Flush(bg) })
	b.costs("Get from a table", 2.01, b.get(db))
	if b.cached {
		b.costs("Check", 1.01, func() error { return db.Check(bg) })
	}
	ok(t, db.Close())
	db = bigStore(t, dir)
	b.costs("Get after Close", 2.01, b.get(db))
	ok(t, db.Close())
	b.costs("Open after a kill", 2.15, func() error { db = bigStore(t, killed); return nil })
	b.get(db)()
	ok(t, db.Close())
}

func TestABigValueIsCopiedNoMoreThanItMust(t *testing.T) {
	n := 64 << 20
	if testing.Short() {
		n = 16 << 20
	}
	b := &bigValue{t: t, value: incompressible(n), cached: true}
	b.live()
}

// TestTheLargestValueFitsABoundOfMemory holds a value of 1 GiB, the largest there
// is, and looks at the most memory the process ever had: the caller's value, what
// each step above costs, and what the runtime has not given back yet.
func TestTheLargestValueFitsABoundOfMemory(t *testing.T) {
	if !*huge {
		t.Skip("takes gigabytes")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // garbage is not what is measured
	b := &bigValue{t: t, value: incompressible(siltstone.MaxValueLen)}
	b.live()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the system does not tell the peak")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	peak, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	ok(t, err)
	t.Logf("peak: %d MiB", peak>>10)
	if most := int64(17 << 20 / 4); peak > most {
		t.Errorf("peak: %d MiB, at most %d", peak>>10, most>>10)
	}
}
