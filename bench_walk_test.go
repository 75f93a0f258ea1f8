package siltstone

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
)

// BenchmarkInline compares small collections in the metadata record with such in
// rows: n elements of some size, by type and call. A call goes to the next of up
// to a thousand collections. log-B/op is what it appends to the log. Add adds an
// element and, by turns, removes it again; Make makes a collection by one call.
// disk-B is what a collection takes in a table, mem-B in a memtable.
func BenchmarkInline(b *testing.B) {
	for _, kind := range []inlineKind{inlineHash{}, inlineSet{}, inlineZSet{}, inlineList{}} {
		for _, n := range []int{1, 4, 16, 64, 256} {
			for _, size := range []int{16, 128, 1024} {
				for _, form := range []string{"rows", "inline"} {
					b.Run(fmt.Sprintf("%T/n=%d/size=%d/%s", kind, n, size, form), func(b *testing.B) {
						benchInline(b, kind, n, size, form == "inline")
					})
				}
			}
		}
	}
}

// inlineKind is what the benchmark does with collections of one type. Elements
// have numbers.
type inlineKind interface {
	name(i int, v []byte) string // of an element
	fill(db *DB, key string, names []string, v []byte) error
	add(db *DB, key, name string, v []byte) error
	remove(db *DB, key, name string) error
	get(db *DB, key, name string, i int) error
	all(db *DB, key string) error
}

func benchInline(b *testing.B, kind inlineKind, n, size int, inline bool) {
	if typedtest.InRows(b); inline {
		typedtest.InlineUpTo(b, 1<<20, 1<<30)
	}
	db := benchStore(b, false)
	rng := rand.New(rand.NewPCG(1, 2))
	v := make([]byte, size)
	keys := make([]string, min(1000, 16<<20/(n*size)))
	names := make([][]string, len(keys))
	for i := range keys {
		for j := range size / 2 { // the other half is compressible
			v[j] = byte(rng.Uint32())
		}
		keys[i] = fmt.Sprintf("key-%08d", i)
		for j := range n + 1 {
			names[i] = append(names[i], kind.name(j, v))
		}
		if err := kind.fill(db, keys[i], names[i][:n], v); err != nil {
			b.Fatal(err)
		}
	}
	mem := float64(db.Metrics().Memtables.Bytes) / float64(len(keys))
	if err := db.Compact(context.Background(), Range{}); err != nil {
		b.Fatal(err)
	}
	disk := float64(db.Metrics().Tables.Bytes) / float64(len(keys))
	run := func(name string, call func(i int, key string, names []string) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			from := logged(b, db)
			b.ResetTimer()
			for i := range b.N {
				if err := call(i, keys[i/2%len(keys)], names[i/2%len(keys)]); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(logged(b, db)-from)/float64(b.N), "log-B/op")
			b.ReportMetric(disk, "disk-B")
			b.ReportMetric(mem, "mem-B")
		})
	}
	b.Run("Make", func(b *testing.B) {
		b.ReportAllocs()
		from := logged(b, db)
		b.ResetTimer()
		for i := range b.N {
			if err := kind.fill(db, made(i), names[i%len(keys)][:n], v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(db.Metrics().Commits.Bytes-from)/float64(b.N), "log-B/op")
	})
	run("Get", func(i int, key string, names []string) error { return kind.get(db, key, names[i%n], i%n) })
	run("All", func(_ int, key string, _ []string) error { return kind.all(db, key) })
	run("Add", func(i int, key string, names []string) error {
		if i%2 == 0 {
			return kind.add(db, key, names[n], v)
		}
		return kind.remove(db, key, names[n])
	})
}

// logged returns how many bytes the store has written to its log.
func logged(b *testing.B, db *DB) int64 {
	if err := db.Sync(); err != nil {
		b.Fatal(err)
	}
	return db.Metrics().Commits.Bytes
}

// made returns the name of a collection that Make makes.
func made(i int) string { return fmt.Sprintf("made-%08d", i) }

// longName returns the name of element i, as long as v.
func longName(i int, v []byte) string { return fmt.Sprintf("%06d%x", i, v[:max(0, len(v)-6)/2]) }

type inlineHash struct{}

func (inlineHash) name(i int, _ []byte) string { return fmt.Sprintf("field-%03d", i) }

func (inlineHash) fill(db *DB, key string, names []string, v []byte) error {
	fields := make([]typed.Field, len(names))
	for i, name := range names {
		fields[i] = typed.Field{Name: name, Value: v}
	}
	_, err := db.Hash(key).SetMany(fields...)
	return err
}

func (inlineHash) add(db *DB, key, name string, v []byte) error {
	_, err := db.Hash(key).Set(name, v)
	return err
}

func (inlineHash) remove(db *DB, key, name string) error {
	_, err := db.Hash(key).Remove(name)
	return err
}

func (inlineHash) get(db *DB, key, name string, _ int) error {
	_, err := db.Hash(key).Get(name)
	return err
}

func (inlineHash) all(db *DB, key string) error {
	for _, err := range db.Hash(key).All() {
		if err != nil {
			return err
		}
	}
	return nil
}

type inlineSet struct{}

func (inlineSet) name(i int, v []byte) string { return longName(i, v) }

func (inlineSet) fill(db *DB, key string, names []string, _ []byte) error {
	_, err := db.Set(key).Add(names...)
	return err
}

func (inlineSet) add(db *DB, key, name string, _ []byte) error {
	_, err := db.Set(key).Add(name)
	return err
}

func (inlineSet) remove(db *DB, key, name string) error {
	_, err := db.Set(key).Remove(name)
	return err
}

func (inlineSet) get(db *DB, key, name string, _ int) error {
	_, err := db.Set(key).Has(name)
	return err
}

func (inlineSet) all(db *DB, key string) error {
	for _, err := range db.Set(key).All() {
		if err != nil {
			return err
		}
	}
	return nil
}

type inlineZSet struct{}

func (inlineZSet) name(i int, v []byte) string { return longName(i, v) }

func (inlineZSet) fill(db *DB, key string, names []string, _ []byte) error {
	members := make([]typed.Member, len(names))
	for i, name := range names {
		members[i] = typed.Member{Name: name, Score: float64(i * 7 % 64)}
	}
	_, err := db.ZSet(key).AddMany(0, members...)
	return err
}

func (inlineZSet) add(db *DB, key, name string, _ []byte) error {
	_, err := db.ZSet(key).Add(name, 31)
	return err
}

func (inlineZSet) remove(db *DB, key, name string) error {
	_, err := db.ZSet(key).Remove(name)
	return err
}

func (inlineZSet) get(db *DB, key, name string, _ int) error {
	_, err := db.ZSet(key).Score(name)
	return err
}

func (inlineZSet) all(db *DB, key string) error {
	for _, err := range db.ZSet(key).All() {
		if err != nil {
			return err
		}
	}
	return nil
}

type inlineList struct{}

func (inlineList) name(int, []byte) string { return "" }

func (inlineList) fill(db *DB, key string, names []string, v []byte) error {
	values := make([][]byte, len(names))
	for i := range values {
		values[i] = v
	}
	_, err := db.List(key).PushBack(values...)
	return err
}

func (inlineList) add(db *DB, key, _ string, v []byte) error {
	_, err := db.List(key).PushBack(v)
	return err
}

func (inlineList) remove(db *DB, key, _ string) error {
	_, err := db.List(key).PopFront()
	return err
}

func (inlineList) get(db *DB, key, _ string, i int) error {
	_, err := db.List(key).At(int64(i))
	return err
}

func (inlineList) all(db *DB, key string) error {
	for _, err := range db.List(key).Range(0, -1) {
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkList measures lists of a million values, once contiguous and once with
// a gap in the middle.
func BenchmarkList(b *testing.B) {
	for _, gaps := range []bool{false, true} {
		name := "contiguous"
		if gaps {
			name = "gaps"
		}
		b.Run(name, func(b *testing.B) {
			l := benchList(b, gaps)
			v := benchValue(rand.New(rand.NewPCG(1, 2)))
			b.Run("AtRandom", func(b *testing.B) {
				rng := rand.New(rand.NewPCG(3, 4))
				benchCalls(b, func(int) error { _, err := l.At(rng.Int64N(benchKeys)); return err })
			})
			b.Run("AtNearTheEnd", func(b *testing.B) {
				benchCalls(b, func(i int) error { _, err := l.At(-1 - int64(i%10)); return err })
			})
			b.Run("PushPopFront", func(b *testing.B) {
				benchCalls(b, func(i int) error { return pushPop(i, l.PushFront, l.PopFront, v) })
			})
			b.Run("PushPopBack", func(b *testing.B) {
				benchCalls(b, func(i int) error { return pushPop(i, l.PushBack, l.PopBack, v) })
			})
		})
	}
	b.Run("Insert", func(b *testing.B) {
		l := benchList(b, false)
		v := benchValue(rand.New(rand.NewPCG(1, 2)))
		at := func(position uint64) func(b *testing.B) {
			pivot := binary.BigEndian.AppendUint64(nil, position)
			return func(b *testing.B) {
				benchCalls(b, func(int) error { _, err := l.InsertAfter(pivot, v); return err })
			}
		}
		b.Run("NearTheFront", at(10)) // the walk to the pivot is short
		b.Run("InTheMiddle", at(benchKeys/2))
	})
}

// benchList returns a list of benchKeys values, which are their positions.
func benchList(b *testing.B, gaps bool) typed.List {
	b.Helper()
	l := benchStore(b, false).List("list")
	values := make([][]byte, 0, 10_000)
	for i := range uint64(benchKeys) {
		if values = append(values, binary.BigEndian.AppendUint64(nil, i)); len(values) == cap(values) {
			if _, err := l.PushBack(values...); err != nil {
				b.Fatal(err)
			}
			values = values[:0]
		}
	}
	if gaps {
		if _, err := l.InsertAfter(binary.BigEndian.AppendUint64(nil, benchKeys/2), nil); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

func benchCalls(b *testing.B, call func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := call(i); err != nil {
			b.Fatal(err)
		}
	}
}

// pushPop pushes and pops by turns, so that the list keeps its length.
func pushPop(i int, push func(...[]byte) (int64, error), pop func() ([]byte, error), v []byte) error {
	if i%2 == 0 {
		_, err := push(v)
		return err
	}
	_, err := pop()
	return err
}

// scanShape is a store whose rows come from several places.
type scanShape struct {
	name    string
	prefix  string
	value   int
	rounds  []int // keys written in each round, in thousands; all but the last are flushed
	another bool  // rounds behind the first overwrite
}

var scanShapes = []scanShape{
	{name: "Memory16", value: 16, rounds: []int{500}},
	{name: "Memory128", value: 128, rounds: []int{250}},
	{name: "MemoryAndRun", value: 128, rounds: []int{320, 180}},
	{name: "LongPrefix", prefix: "tenant/0000000000000001/table/0000000001/", value: 128, rounds: []int{300, 200}},
	{name: "Overwritten", prefix: "user", value: 128, rounds: []int{300, 100, 100, 200}, another: true},
	{name: "Value16K", value: 16 << 10, rounds: []int{12, 4}},
}

func (s *scanShape) key(dst []byte, i int) []byte {
	return fmt.Appendf(dst[:0], "%s%016x", s.prefix, uint64(i)*0x9E3779B97F4A7C15)
}

// open returns the store, and how many keys it holds.
func (s *scanShape) open(b *testing.B) (*DB, int) {
	b.Helper()
	db, err := Open(b.TempDir(), &Options{MemoryLimit: 1 << 30, MemtableBytes: 256 << 20, Durability: BufferedDurability, manualWork: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	rng, keys := rand.New(rand.NewPCG(1, 2)), 0
	value := make([]byte, s.value)
	var key []byte
	for round, thousands := range s.rounds {
		if round > 0 {
			if err := db.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		for range thousands * 1000 {
			i := keys
			if round > 0 && s.another {
				i = rng.IntN(keys)
			} else {
				keys++
			}
			for j := range min(len(value), 64) {
				value[j] = byte(rng.Uint32())
			}
			key = s.key(key, i)
			if err := db.Put(key, value); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 3 { // blocks into the cache
		it, _ := db.NewIter(nil)
		for ok := it.First(); ok; ok = it.Next() {
			look(it)
		}
		it.Close()
	}
	return db, keys
}

var scanSum int

func look(it *Iterator) {
	k, v := it.Key(), it.Value()
	scanSum += int(k[len(k)-1]) + int(v[len(v)-1])
}

// BenchmarkScan walks stores of several sources. The figures are ns a row for the
// walks, ns a seek for the others.
func BenchmarkScan(b *testing.B) {
	for _, s := range scanShapes {
		b.Run(s.name, func(b *testing.B) {
			db, keys := s.open(b)
			walk := func(first, step func(*Iterator) bool) func(*testing.B) {
				return func(b *testing.B) {
					it, _ := db.NewIter(nil)
					defer it.Close()
					for range b.N {
						if !it.Valid() {
							first(it)
						} else if !step(it) {
							continue
						}
						look(it)
					}
				}
			}
			b.Run("Forward", walk((*Iterator).First, (*Iterator).Next))
			b.Run("Backward", walk((*Iterator).Last, (*Iterator).Prev))
			seek := func(n int) func(*testing.B) {
				return func(b *testing.B) {
					rng := rand.New(rand.NewPCG(1, 2))
					var key []byte
					for range b.N {
						it, _ := db.NewIter(nil)
						key = s.key(key, rng.IntN(keys))
						ok := it.SeekGE(key)
						for range n {
							if !ok {
								break
							}
							look(it)
							ok = it.Next()
						}
						it.Close()
					}
				}
			}
			b.Run("Seek1", seek(1))
			b.Run("Seek10", seek(10))
			b.Run("Seek50", seek(50))
		})
	}
}
