package siltstone

import (
	"context"
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
