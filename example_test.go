package siltstone_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// open returns an empty store that lives in memory. That is all that tells the
// examples from a program that keeps its data: siltstone.Open("data", nil).
func open() *siltstone.DB {
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem()})
	check(err)
	return db
}

// check ends an example at an error that it does not expect. A program would
// return it.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// fruit puts a few keys into a store.
func fruit(w siltstone.Writer) {
	for _, kv := range [][2]string{{"apple", "red"}, {"banana", "yellow"}, {"cherry", "red"}, {"date", "brown"}} {
		check(w.Put([]byte(kv[0]), []byte(kv[1])))
	}
}

func Example() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		if _, err := tx.Hash("user:1").Set("name", []byte("Ada")); err != nil {
			return err
		}
		if _, err := tx.ZSet("board").Add("ada", 99.5); err != nil {
			return err
		}
		return tx.Key("user:1").Expire(30 * time.Minute)
	})
	check(err)
	name, err := db.Hash("user:1").Get("name")
	check(err)
	fmt.Printf("%s\n", name)
	// Output: Ada
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "siltstone-")
	check(err)
	defer os.RemoveAll(dir)

	db, err := siltstone.Open(dir, nil) // nil: the defaults, which are durable
	check(err)
	check(db.Put([]byte("greeting"), []byte("hello")))
	check(db.Close())

	db, err = siltstone.Open(dir, nil)
	check(err)
	v, err := db.Get([]byte("greeting"))
	check(err)
	fmt.Printf("%s\n", v)
	check(db.Close())
	// Output: hello
}

// A store in memory, for tests: everything works, and nothing is left behind.
func ExampleOpen_inMemory() {
	db, err := siltstone.Open("any/name", &siltstone.Options{FS: vfs.NewMem()})
	check(err)
	defer db.Close()

	check(db.Put([]byte("key"), []byte("value")))
	v, err := db.Get([]byte("key"))
	fmt.Println(string(v), err)
	// Output: value <nil>
}

// A reader changes no byte of the directory, and there may be several. While
// one has it open no writer gets in.
func ExampleOpen_readOnly() {
	disk := vfs.NewMem()
	db, err := siltstone.Open("data", &siltstone.Options{FS: disk})
	check(err)
	check(db.Put([]byte("key"), []byte("value")))
	check(db.Close())

	reader, err := siltstone.Open("data", &siltstone.Options{FS: disk, ReadOnly: true})
	check(err)
	defer reader.Close()
	v, err := reader.Get([]byte("key"))
	fmt.Println(string(v), err)
	err = reader.Put([]byte("key"), nil)
	fmt.Println(errors.Is(err, siltstone.ErrReadOnly))
	_, err = siltstone.Open("data", &siltstone.Options{FS: disk})
	fmt.Println(errors.Is(err, siltstone.ErrLocked))
	// Output:
	// value <nil>
	// true
	// true
}

func ExampleOptions() {
	db, err := siltstone.Open("data", &siltstone.Options{
		Durability:  siltstone.OSDurability, // survives kill -9, not power loss
		MemoryLimit: 64 << 20,
		Compression: siltstone.ZstdCompression,
		FS:          vfs.NewMem(),
	})
	check(err)
	defer db.Close()

	o := db.Options() // with every default filled in
	fmt.Println(o.Durability)
	fmt.Println(o.MemtableBytes>>20, "MiB are flushed at once")
	// Output:
	// os (survives kill -9, not power loss)
	// 8 MiB are flushed at once
}

func ExampleOptions_mustExist() {
	_, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), MustExist: true})
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

// With a clock of its own a test need not wait for keys to expire.
func ExampleOptions_clock() {
	var now atomic.Int64 // seconds; the store's workers ask for it too
	clock := func() time.Time { return time.Unix(now.Load(), 0) }
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), Clock: clock})
	check(err)
	defer db.Close()

	check(db.PutTTL([]byte("session"), []byte("Ada"), time.Hour))
	now.Add(59 * 60)
	fmt.Println(db.Has([]byte("session")))
	now.Add(60)
	fmt.Println(db.Has([]byte("session")))
	// Output:
	// true <nil>
	// false <nil>
}

// OnEvent counts what the store does in the background.
func ExampleOptions_onEvent() {
	flushed := 0
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), OnEvent: func(e event.Event) {
		if e, ok := e.(event.FlushEnd); ok {
			flushed += int(e.Records)
		}
	}})
	check(err)
	fruit(db)
	check(db.Close()) // after it no event is told any more
	fmt.Println(flushed, "records flushed")
	// Output: 4 records flushed
}

func ExampleDB_Put() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("key"), []byte("first")))
	check(db.Put([]byte("key"), []byte("second")))
	v, err := db.Get([]byte("key"))
	fmt.Println(string(v), err)
	// Output: second <nil>
}

// Put is blind: it overwrites whatever the key holds, a collection too.
func ExampleDB_Put_overCollection() {
	db := open()
	defer db.Close()

	_, err := db.Hash("user:1").Set("name", []byte("Ada"))
	check(err)
	check(db.Put([]byte("user:1"), []byte("Ada")))
	t, err := db.Key("user:1").Type()
	fmt.Println(t, err)
	// Output: string <nil>
}

func ExampleDB_PutTTL() {
	db := open()
	defer db.Close()

	check(db.PutTTL([]byte("session"), []byte("Ada"), time.Hour))
	ttl, err := db.TTL([]byte("session"))
	check(err)
	fmt.Println(ttl > 59*time.Minute && ttl <= time.Hour)
	// Output: true
}

func ExampleDB_Get() {
	db := open()
	defer db.Close()

	fruit(db)
	for _, key := range []string{"apple", "fig"} {
		v, err := db.Get([]byte(key))
		switch {
		case errors.Is(err, siltstone.ErrNotFound):
			fmt.Println("no", key)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s is %s\n", key, v)
		}
	}
	// Output:
	// apple is red
	// no fig
}

func ExampleDB_AppendGet() {
	db := open()
	defer db.Close()

	fruit(db)
	var buf []byte // used again and again
	for _, key := range []string{"apple", "banana"} {
		var err error
		buf, err = db.AppendGet(buf[:0], []byte(key))
		check(err)
		fmt.Printf("%s\n", buf)
	}
	// Output:
	// red
	// yellow
}

func ExampleDB_Has() {
	db := open()
	defer db.Close()

	fruit(db)
	fmt.Println(db.Has([]byte("apple")))
	fmt.Println(db.Has([]byte("fig")))
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleDB_Delete() {
	db := open()
	defer db.Close()

	fruit(db)
	check(db.Delete([]byte("apple")))
	check(db.Delete([]byte("apple"))) // deleting what does not exist is fine
	fmt.Println(db.Has([]byte("apple")))
	// Output: false <nil>
}

func ExampleDB_DeleteRange() {
	db := open()
	defer db.Close()

	fruit(db)
	check(db.DeleteRange(siltstone.Range{Lower: []byte("b"), Upper: []byte("d")}))
	for kv, err := range db.Scan(siltstone.Range{}) {
		check(err)
		fmt.Printf("%s\n", kv.Key)
	}
	// Output:
	// apple
	// date
}

func ExampleDB_TTL() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("key"), nil))
	ttl, err := db.TTL([]byte("key"))
	check(err)
	fmt.Println(ttl == siltstone.NoTTL, ttl < time.Minute)
	_, err = db.TTL([]byte("other"))
	fmt.Println(errors.Is(err, siltstone.ErrNotFound))
	// Output:
	// true false
	// true
}

// Expire takes a key of any type. A time to live that is not positive is refused; Persist
// takes it away.
func ExampleDB_Expire() {
	db := open()
	defer db.Close()

	_, err := db.List("queue").PushBack([]byte("job"))
	check(err)
	check(db.Expire([]byte("queue"), time.Hour))
	ttl, err := db.TTL([]byte("queue"))
	fmt.Println(ttl <= time.Hour, err)
	fmt.Println(errors.Is(db.Expire([]byte("queue"), 0), siltstone.ErrBadTTL))
	// Output:
	// true <nil>
	// true
}

func ExampleDB_Persist() {
	db := open()
	defer db.Close()

	check(db.PutTTL([]byte("key"), nil, time.Hour))
	had, err := db.Persist([]byte("key"))
	fmt.Println(had, err)
	ttl, err := db.TTL([]byte("key"))
	fmt.Println(ttl == siltstone.NoTTL, err)
	// Output:
	// true <nil>
	// true <nil>
}

func ExampleDB_Sync() {
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), Durability: siltstone.BufferedDurability})
	check(err)
	defer db.Close()

	fruit(db)              // fast, and for a moment only in process memory
	fmt.Println(db.Sync()) // now all of it survives power loss
	// Output: <nil>
}

func ExampleDB_Flush() {
	db := open()
	defer db.Close()

	fruit(db)
	check(db.Flush(context.Background()))
	n, err := db.EstimateSize(siltstone.Range{})
	fmt.Println(n > 0, err)
	// Output: true <nil>
}

// Compact gives the space of what was deleted back now, rather than soon.
func ExampleDB_Compact() {
	db := open()
	defer db.Close()

	fruit(db)
	check(db.DeleteRange(siltstone.Range{}))
	check(db.Compact(context.Background(), siltstone.Range{}))
	n, err := db.EstimateSize(siltstone.Range{})
	fmt.Println(n, err)
	// Output: 0 <nil>
}

func ExampleDB_Check() {
	db := open()
	defer db.Close()

	fruit(db)
	check(db.Flush(context.Background()))
	fmt.Println(db.Check(context.Background()))
	// Output: <nil>
}

func ExampleDB_EstimateSize() {
	db := open()
	defer db.Close()

	noise := make([]byte, 1<<10) // does not compress
	for i := range 100 {
		rand.Read(noise)
		check(db.Put(fmt.Appendf(nil, "a/%02d", i), noise))
	}
	check(db.Put([]byte("b/00"), noise))
	check(db.Flush(context.Background())) // what is in memory is not counted
	a, err := db.EstimateSize(siltstone.Prefix([]byte("a/")))
	check(err)
	b, err := db.EstimateSize(siltstone.Prefix([]byte("b/")))
	check(err)
	fmt.Println(a > 90<<10, b < 10<<10)
	// Output: true true
}

// Close ends what was left open, frees it, and says so. Every misuse after it
// is an error.
func ExampleDB_Close() {
	db := open()
	it, err := db.NewIter(nil)
	check(err)
	fmt.Println(db.Close())
	fmt.Println(it.First(), errors.Is(it.Err(), siltstone.ErrClosed))
	fmt.Println(errors.Is(db.Put([]byte("key"), nil), siltstone.ErrClosed))
	// Output:
	// siltstone: closed with 1 iterator still open
	// false true
	// true
}

// Hash, Set, ZSet, List and String name a value. On the store each call of
// them is a transaction of its own.
func ExampleDB_Hash() {
	db := open()
	defer db.Close()

	added, err := db.Hash("user:1").Set("name", []byte("Ada"))
	fmt.Println(added, err)
	name, err := db.Hash("user:1").Get("name")
	fmt.Printf("%s %v\n", name, err)
	// Output:
	// true <nil>
	// Ada <nil>
}

func ExampleDB_Set() {
	db := open()
	defer db.Close()

	fmt.Println(db.Set("tags").Add("new", "green", "new"))
	fmt.Println(db.Set("tags").Has("green"))
	// Output:
	// 2 <nil>
	// true <nil>
}

func ExampleDB_ZSet() {
	db := open()
	defer db.Close()

	_, err := db.ZSet("board").AddMany(0, typed.Member{Name: "ada", Score: 99.5}, typed.Member{Name: "bob", Score: 80})
	check(err)
	for m, err := range db.ZSet("board").Range(typed.ByRank(0, 9).Reverse()) {
		check(err)
		fmt.Println(m.Name, m.Score)
	}
	// Output:
	// ada 99.5
	// bob 80
}

func ExampleDB_List() {
	db := open()
	defer db.Close()

	_, err := db.List("queue").PushBack([]byte("first"), []byte("second"))
	check(err)
	job, err := db.List("queue").PopFront()
	fmt.Printf("%s %v\n", job, err)
	// Output: first <nil>
}

// A string is what Put writes and Get reads, with more calls.
func ExampleDB_String() {
	db := open()
	defer db.Close()

	check(db.Put([]byte("hits"), []byte("41")))
	fmt.Println(db.String("hits").Incr(1))
	// Output: 42 <nil>
}

func ExampleDB_Key() {
	db := open()
	defer db.Close()

	_, err := db.Set("tags").Add("green")
	check(err)
	fmt.Println(db.Key("tags").Type())
	fmt.Println(db.Key("tags").Drop())
	fmt.Println(db.Key("tags").Exists())
	// Output:
	// set <nil>
	// true <nil>
	// false <nil>
}

func ExampleDB_Keys() {
	db := open()
	defer db.Close()

	fruit(db)
	for key, err := range db.Keys().All(typed.KeyOptions{Match: "*an*"}) {
		check(err)
		fmt.Println(key.Name())
	}
	// Output:
	// banana
}
