package siltstone_test

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
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

// readCount is a file system that counts the bytes that are read.
func readCount() (vfs.FS, *atomic.Int64) {
	f, read := vfstest.NewFaults(vfs.NewMem()), new(atomic.Int64)
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Read {
			read.Add(int64(op.Len))
		}
	})
	return f, read
}

// openStill opens a store that does nothing by itself.
func openStill(t *testing.T, fs vfs.FS, o siltstone.Options) *siltstone.DB {
	t.Helper()
	o.FS = fs
	o.Extreme(siltstone.Extremes{ManualWork: true})
	db, err := siltstone.Open("db", &o)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestAValueNextDoorIsNotRead asks for what lies beside large values, and for their
// keys alone. A short separator parts some of the keys, and none others.
func TestAValueNextDoorIsNotRead(t *testing.T) {
	const large = 8 << 20
	o := siltstone.Options{MemoryLimit: 8 << 20}
	fs, read := readCount()
	db := openStill(t, fs, o)
	value := incompressible(large)
	for _, key := range []string{"b0001", "b0002", "b0003", "d"} {
		ok(t, db.Put([]byte(key+"-"), []byte("small")))
		ok(t, db.Put([]byte(key), value))
	}
	_, err := db.Hash("h").Set("f", value)
	ok(t, err)
	ok(t, db.Compact(bg, siltstone.Range{}))
	ok(t, db.Close())
	db = openStill(t, fs, o)
	scan := func(lo, hi string) func() any {
		return func() any {
			n, r := 0, siltstone.Range{Lower: []byte(lo), Upper: []byte(hi)}
			for _, err := range db.Scan(r) {
				ok(t, err)
				n++
			}
			for _, err := range db.ScanBack(r) {
				ok(t, err)
				n++
			}
			return n
		}
	}
	key := []byte("b0002")
	has := func(s interface{ Has([]byte) (bool, error) }) bool {
		yes, err := s.Has(key)
		ok(t, err)
		return yes
	}
	for _, c := range []struct {
		what string
		want any
		ask  func() any
	}{
		{"an empty scan", 0, scan("a", "b")},
		{"an empty scan up to a value", 0, scan("b0002-\x00", "b0003")},
		{"a scan between values", 2, scan("b0001\x00", "b0002")},
		{"a scan behind a value", 2, scan("d\x00", "d-\x00")},
		{"a walk of all keys", 9, func() any { return keysOf(t, db) }},
		{"Has", true, func() any { return has(db) }},
		{"TTL", siltstone.NoTTL, func() any { d, err := db.TTL(key); ok(t, err); return d }},
		{"Has in a snapshot", true, func() any {
			s, err := db.NewSnapshot()
			ok(t, err)
			defer s.Close()
			return has(s)
		}},
		{"Has in a transaction", true, func() any {
			found := false
			ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
				found = has(tx)
				return db.Put([]byte("a"), nil) // so that the commit asks for the key again
			}))
			return found
		}},
		{"Exists", 2, func() any { n, err := db.Keys().Exists("b0002", "h"); ok(t, err); return n }},
		{"the look for timers", nil, func() any { ok(t, db.Step()); return nil }},
	} {
		before := read.Load()
		if got := c.ask(); got != c.want {
			t.Errorf("%s finds %v, want %v", c.what, got, c.want)
		}
		if n := read.Load() - before; n > large/4 {
			t.Errorf("%s reads %d bytes", c.what, n)
		}
	}
	got, err := db.Get(key)
	ok(t, err)
	if string(got) != string(value) {
		t.Error("the value is another one")
	}
	ok(t, db.Check(bg))
}

// keysOf returns how many keys a walk of keys alone finds.
func keysOf(t *testing.T, db *siltstone.DB) (n int) {
	t.Helper()
	it, err := db.NewIter(&siltstone.IterOptions{KeysOnly: true})
	ok(t, err)
	for more := it.First(); more; more = it.Next() {
		n++
	}
	ok(t, it.Close())
	return n
}
