package typed_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// open returns an empty store that lives in memory.
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

// Handles come from a store, a snapshot or a transaction and are good for as
// long as that. Making one costs nothing.
func Example() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		user := tx.Hash("user:1")
		if _, err := user.Set("name", []byte("Ada")); err != nil {
			return err
		}
		if _, err := tx.Set("users").Add(user.Name()); err != nil {
			return err
		}
		return user.Expire(30 * time.Minute) // of the embedded Key
	})
	check(err)
	fmt.Println(db.Set("users").Has("user:1"))
	// Output: true <nil>
}

// A key holds one value of one type. Absence is ErrNotFound where one thing is
// asked for, and empty or 0 where several are.
func Example_errors() {
	db := open()
	defer db.Close()

	check(db.String("name").Set([]byte("Ada")))
	_, err := db.Hash("name").Get("first")
	fmt.Println(errors.Is(err, siltstone.ErrWrongType))
	_, err = db.Hash("other").Get("first")
	fmt.Println(errors.Is(err, siltstone.ErrNotFound))
	fmt.Println(db.Hash("other").Len())
	// Output:
	// true
	// true
	// 0 <nil>
}

func ExampleKey() {
	db := open()
	defer db.Close()

	_, err := db.ZSet("board").Add("ada", 1)
	check(err)
	key := db.Key("board")
	fmt.Println(key.Name())
	fmt.Println(key.Type())
	fmt.Println(key.Exists())
	// Output:
	// board
	// zset <nil>
	// true <nil>
}

// Drop costs the same at any size.
func ExampleKey_Drop() {
	db := open()
	defer db.Close()

	_, err := db.List("queue").PushBack([]byte("job"))
	check(err)
	fmt.Println(db.Key("queue").Drop())
	fmt.Println(db.Key("queue").Drop())
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleKey_Expire() {
	var now atomic.Int64 // the store asks for the time in the background, too
	now.Store(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC).UnixNano())
	db, err := siltstone.Open("data", &siltstone.Options{FS: vfs.NewMem(), Clock: func() time.Time { return time.Unix(0, now.Load()) }})
	check(err)
	defer db.Close()

	tags := db.Set("tags")
	_, err = tags.Add("green")
	check(err)
	check(tags.Expire(time.Hour))
	fmt.Println(tags.TTL())
	at, err := tags.Deadline()
	fmt.Println(at.UTC().Format(time.TimeOnly), err)

	now.Add(int64(time.Hour))
	fmt.Println(tags.Len())
	// Output:
	// 1h0m0s <nil>
	// 16:04:05 <nil>
	// 0 <nil>
}

func ExampleKey_ExpireAt() {
	db := open()
	defer db.Close()

	check(db.String("offer").Set([]byte("apples")))
	check(db.Key("offer").ExpireAt(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	at, err := db.Key("offer").Deadline()
	fmt.Println(at.UTC().Year(), err)
	// Output: 2100 <nil>
}

func ExampleKey_Persist() {
	db := open()
	defer db.Close()

	check(db.PutTTL([]byte("offer"), []byte("apples"), time.Hour))
	fmt.Println(db.Key("offer").Persist())
	ttl, err := db.Key("offer").TTL()
	fmt.Println(ttl == typed.NoTTL, err)
	// Output:
	// true <nil>
	// true <nil>
}

// Rename costs the same at any size, and drops what had the name before.
func ExampleKey_Rename() {
	db := open()
	defer db.Close()

	_, err := db.Set("draft").Add("green")
	check(err)
	check(db.Key("draft").Rename("tags"))
	fmt.Println(db.Set("tags").Has("green"))
	// Output: true <nil>
}

func ExampleKey_CopyTo() {
	db := open()
	defer db.Close()

	_, err := db.Set("tags").Add("green")
	check(err)
	fmt.Println(db.Key("tags").CopyTo("backup", false))
	fmt.Println(db.Key("tags").CopyTo("backup", false)) // is there already
	// Output:
	// true <nil>
	// false <nil>
}

// After goes on where an earlier loop ended.
func ExampleKeys_All() {
	db := open()
	defer db.Close()

	check(db.Keys().Set(typed.Pair{Name: "user:1"}, typed.Pair{Name: "user:2"}, typed.Pair{Name: "user:3"}))
	_, err := db.Set("user:4").Add("member")
	check(err)
	o := typed.KeyOptions{Match: "user:*", Type: typed.TypeString, After: "user:1"}
	for key, err := range db.Keys().All(o) {
		check(err)
		fmt.Println(key.Name())
	}
	// Output:
	// user:2
	// user:3
}

func ExampleKeys_Get() {
	db := open()
	defer db.Close()

	check(db.Keys().Set(typed.Pair{Name: "a", Value: []byte("1")}, typed.Pair{Name: "b"}))
	values, err := db.Keys().Get("a", "b", "c")
	check(err)
	for _, v := range values {
		fmt.Printf("%q %v\n", v, v == nil)
	}
	// Output:
	// "1" false
	// "" false
	// "" true
}

func ExampleKeys_Drop() {
	db := open()
	defer db.Close()

	check(db.Keys().Set(typed.Pair{Name: "a"}, typed.Pair{Name: "b"}))
	fmt.Println(db.Keys().Exists("a", "b", "c"))
	fmt.Println(db.Keys().Drop("a", "c"))
	fmt.Println(db.Keys().Count())
	// Output:
	// 2 <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleString() {
	db := open()
	defer db.Close()

	s := db.String("greeting")
	check(s.Set([]byte("hello")))
	fmt.Println(s.Append([]byte(", world")))
	part, err := s.Range(-5, -1)
	fmt.Printf("%s %v\n", part, err)
	fmt.Println(s.Len())
	// Output:
	// 12 <nil>
	// world <nil>
	// 12 <nil>
}

func ExampleString_AppendGet() {
	db := open()
	defer db.Close()

	check(db.String("name").Set([]byte("Ada")))
	line, err := db.String("name").AppendGet([]byte("name: "))
	fmt.Printf("%s %v\n", line, err)
	// Output: name: Ada <nil>
}

// SetWith with CondNX takes a lock that goes away by itself.
func ExampleString_SetWith() {
	db := open()
	defer db.Close()

	for _, who := range []string{"ada", "bob"} {
		r, err := db.String("lock").SetWith([]byte(who), typed.SetOptions{
			Cond: typed.CondNX, TTL: time.Minute, Get: true,
		})
		check(err)
		fmt.Printf("%s has it: %v (before: %q)\n", who, r.Written, r.Old)
	}
	// Output:
	// ada has it: true (before: "")
	// bob has it: false (before: "ada")
}

func ExampleString_Incr() {
	db := open()
	defer db.Close()

	fmt.Println(db.String("hits").Incr(1))
	fmt.Println(db.String("hits").Incr(41))
	fmt.Println(db.String("load").IncrFloat(0.5))
	// Output:
	// 1 <nil>
	// 42 <nil>
	// 0.5 <nil>
}

func ExampleHash() {
	db := open()
	defer db.Close()

	user := db.Hash("user:1")
	fmt.Println(user.Set("name", []byte("Ada")))
	fmt.Println(user.Set("name", []byte("Ada L."))) // not new
	fmt.Println(user.SetNX("name", []byte("Bob")))  // only if it is new
	name, err := user.Get("name")
	fmt.Printf("%s %v\n", name, err)
	// Output:
	// true <nil>
	// false <nil>
	// false <nil>
	// Ada L. <nil>
}

func ExampleHash_SetMany() {
	db := open()
	defer db.Close()

	user := db.Hash("user:1")
	fmt.Println(user.SetMany(typed.Field{Name: "name", Value: []byte("Ada")}, typed.Field{Name: "city", Value: []byte("London")}))
	fmt.Println(user.Has("city"))
	fmt.Println(user.Remove("city", "age"))
	fmt.Println(user.Len())
	// Output:
	// 2 <nil>
	// true <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleHash_GetMany() {
	db := open()
	defer db.Close()

	_, err := db.Hash("user:1").Set("name", []byte("Ada"))
	check(err)
	values, err := db.Hash("user:1").GetMany("age", "name")
	fmt.Printf("%q %v\n", values, err)
	// Output: ["" "Ada"] <nil>
}

func ExampleHash_AppendGet() {
	db := open()
	defer db.Close()

	_, err := db.Hash("user:1").Set("name", []byte("Ada"))
	check(err)
	line, err := db.Hash("user:1").AppendGet([]byte("name: "), "name")
	fmt.Printf("%s %v\n", line, err)
	// Output: name: Ada <nil>
}

func ExampleHash_All() {
	db := open()
	defer db.Close()

	user := db.Hash("user:1")
	_, err := user.SetMany(typed.Field{Name: "b", Value: []byte("2")}, typed.Field{Name: "a", Value: []byte("1")})
	check(err)
	for f, err := range user.All() {
		check(err)
		fmt.Printf("%s=%s\n", f.Name, f.Value)
	}
	for name, err := range user.Fields() { // does not read the values
		check(err)
		fmt.Println(name)
	}
	// Output:
	// a=1
	// b=2
	// a
	// b
}

func ExampleHash_Prefix() {
	db := open()
	defer db.Close()

	h := db.Hash("config")
	_, err := h.SetMany(typed.Field{Name: "log.dir"}, typed.Field{Name: "log.level"}, typed.Field{Name: "port"})
	check(err)
	for f, err := range h.Prefix("log.") {
		check(err)
		fmt.Println(f.Name)
	}
	// Output:
	// log.dir
	// log.level
}

// The last two entries of a month, the newest first.
func ExampleHash_ScanBack() {
	db := open()
	defer db.Close()

	for _, day := range []string{"2026-05-30", "2026-06-01", "2026-06-09", "2026-06-20", "2026-07-02"} {
		_, err := db.Hash("visits").Set(day, nil)
		check(err)
	}
	june := typed.Range{Lower: "2026-06", Upper: "2026-07"}
	for f, err := range siltstone.Limit(db.Hash("visits").ScanBack(june), 2) {
		check(err)
		fmt.Println(f.Name)
	}
	// Output:
	// 2026-06-20
	// 2026-06-09
}

func ExampleHash_Incr() {
	db := open()
	defer db.Close()

	stats := db.Hash("stats")
	fmt.Println(stats.Incr("hits", 2))
	fmt.Println(stats.Incr("hits", -1))
	fmt.Println(stats.IncrFloat("load", 1.25))
	// Output:
	// 2 <nil>
	// 1 <nil>
	// 1.25 <nil>
}
