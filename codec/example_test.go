package codec_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
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

// User is a value of the examples.
type User struct {
	Name string
	Age  int
}

// Handles with codecs come from those of a store, a snapshot or a transaction.
func Example() {
	db := open()
	defer db.Close()

	err := db.Update(context.Background(), func(tx *siltstone.Tx) error {
		users := codec.MapOf(tx.Hash("users"), codec.Uint64, codec.JSON[User]())
		if _, err := users.Set(7, User{"Ada", 36}); err != nil {
			return err
		}
		seen := codec.ZSetOf(tx.ZSet("seen"), codec.Uint64)
		if _, err := seen.Add(7, 1_700_000_000); err != nil {
			return err
		}
		return seen.Expire(time.Hour) // of the embedded Key
	})
	check(err)
	fmt.Println(codec.MapOf(db.Hash("users"), codec.Uint64, codec.JSON[User]()).Get(7))
	// Output: {Ada 36} <nil>
}

// The entries come in the order of the keys, which is not that of their digits.
func ExampleMapOf() {
	db := open()
	defer db.Close()

	stock := codec.MapOf(db.Hash("stock"), codec.Int, codec.Text)
	fmt.Println(stock.Set(10, "ten"))
	fmt.Println(stock.SetMany(codec.Entry[int, string]{Key: 9, Value: "nine"}, codec.Entry[int, string]{Key: -1, Value: "debt"}))
	fmt.Println(stock.Get(9))
	_, err := stock.Get(8)
	fmt.Println(errors.Is(err, siltstone.ErrNotFound))
	for e, err := range stock.All() {
		check(err)
		fmt.Println(e.Key, e.Value)
	}
	// Output:
	// true <nil>
	// 2 <nil>
	// nine <nil>
	// true
	// -1 debt
	// 9 nine
	// 10 ten
}

func ExampleMap_GetMany() {
	db := open()
	defer db.Close()

	ages := codec.MapOf(db.Hash("ages"), codec.String, codec.AsValue(codec.Uint8))
	_, err := ages.Set("Ada", 36)
	check(err)
	found, err := ages.GetMany("Ada", "Bob")
	check(err)
	for _, age := range found {
		fmt.Println(age.Value, age.Found)
	}
	// Output:
	// 36 true
	// 0 false
}

func ExampleSetOf() {
	db := open()
	defer db.Close()

	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	holidays := codec.SetOf(db.Set("holidays"), codec.Time)
	fmt.Println(holidays.Add(day(6), day(1), day(6)))
	fmt.Println(holidays.Has(day(1)))
	for d, err := range holidays.All() {
		check(err)
		fmt.Println(d.Format(time.DateOnly))
	}
	// Output:
	// 2 <nil>
	// true <nil>
	// 2026-01-01
	// 2026-01-06
}

func ExampleZSetOf() {
	db := open()
	defer db.Close()

	board := codec.ZSetOf(db.ZSet("board"), codec.Uint32)
	fmt.Println(board.AddMany(0, codec.Member[uint32]{Name: 7, Score: 20}, codec.Member[uint32]{Name: 300, Score: 50}))
	fmt.Println(board.Incr(7, 40))
	fmt.Println(board.RevRank(7))
	for player, err := range board.Range(typed.ByRank(0, 9).Reverse()) {
		check(err)
		fmt.Println(player.Name, player.Score)
	}
	// Output:
	// 2 <nil>
	// 60 <nil>
	// 0 <nil>
	// 7 60
	// 300 50
}

// Members can be chosen by their own order too.
func ExampleZSet_ByLex() {
	db := open()
	defer db.Close()

	seen := codec.ZSetOf(db.ZSet("seen"), codec.Uint32)
	for id := range uint32(10) {
		_, err := seen.Add(id*100, float64(10-id))
		check(err)
	}
	for m, err := range seen.Range(seen.ByLex(250, 400)) {
		check(err)
		fmt.Println(m.Name)
	}
	fmt.Println(seen.RemoveRange(seen.ByLexFrom(100)))
	// Output:
	// 300
	// 400
	// 9 <nil>
}

// A tuple is ordered by its first component, then by the next; its first
// components make a prefix.
func ExampleTuple2() {
	db := open()
	defer db.Close()

	byRoom := codec.Tuple2(codec.String, codec.Int64)
	messages := codec.MapOf(db.Hash("messages"), byRoom, codec.Text)
	for i, text := range []string{"hello", "hi", "bye"} {
		_, err := messages.Set(codec.NewPair("lobby", int64(i)), text)
		check(err)
	}
	_, err := messages.Set(codec.NewPair("lobby2", int64(0)), "elsewhere")
	check(err)
	for e, err := range messages.Prefix(byRoom.Prefix("lobby")) {
		check(err)
		fmt.Println(e.Key.First, e.Key.Second, e.Value)
	}
	// Output:
	// lobby 0 hello
	// lobby 1 hi
	// lobby 2 bye
}

func ExampleTuple3() {
	db := open()
	defer db.Close()

	byDay := codec.Tuple3(codec.Uint16, codec.Uint8, codec.String)
	visits := codec.SetOf(db.Set("visits"), byDay)
	_, err := visits.Add(
		codec.NewTriple(uint16(2026), uint8(2), "Bob"),
		codec.NewTriple(uint16(2025), uint8(12), "Bob"),
		codec.NewTriple(uint16(2026), uint8(2), "Ada"),
	)
	check(err)
	for v, err := range visits.All() {
		check(err)
		fmt.Println(v.First, v.Second, v.Third)
	}
	// Output:
	// 2025 12 Bob
	// 2026 2 Ada
	// 2026 2 Bob
}

// The orders of one customer after a number, as the next page of a list shows them.
func ExampleWithin() {
	db := open()
	defer db.Close()

	type key = codec.Pair[string, uint64]
	byCustomer := codec.Tuple2(codec.String, codec.Uint64)
	orders := codec.MapOf(db.Hash("orders"), byCustomer, codec.Text)
	for i, what := range []string{"ink", "paper", "pens", "glue"} {
		_, err := orders.Set(key{"ada", uint64(i)}, what)
		check(err)
	}
	_, err := orders.Set(key{"bob", 0}, "string")
	check(err)
	last := key{"ada", 0} // of the page before
	page := codec.Within(byCustomer.Prefix("ada")).After(last)
	for e, err := range siltstone.Limit(orders.Scan(page), 2) {
		check(err)
		fmt.Println(e.Key.Second, e.Value)
	}
	// Output:
	// 1 paper
	// 2 pens
}

func ExampleTuple4() {
	db := open()
	defer db.Close()

	k := codec.Tuple4(codec.String, codec.String, codec.Time, codec.Uint64)
	events := codec.ZSetOf(db.ZSet("events"), k)
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for i, kind := range []string{"open", "read", "read"} {
		_, err := events.Add(codec.NewQuad("door", kind, at.Add(time.Duration(i)*time.Second), uint64(i)), 1)
		check(err)
	}
	fmt.Println(events.Count(events.ByPrefix(k.Prefix2("door", "read"))))
	// Output: 2 <nil>
}

// Any type that is an integer or a string beneath has a key codec.
func ExampleIntegerOf() {
	db := open()
	defer db.Close()

	waits := codec.SetOf(db.Set("waits"), codec.IntegerOf[time.Duration]())
	_, err := waits.Add(time.Minute, time.Second, time.Hour)
	check(err)
	for d, err := range waits.All() {
		check(err)
		fmt.Println(d)
	}
	// Output:
	// 1s
	// 1m0s
	// 1h0m0s
}

func ExampleStartsWith() {
	db := open()
	defer db.Close()

	words := codec.MapOf(db.Hash("words"), codec.String, codec.Raw)
	for _, w := range []string{"gold", "go", "gone", "good"} {
		_, err := words.Set(w, nil)
		check(err)
	}
	for e, err := range words.Prefix(codec.StartsWith("go")) {
		check(err)
		fmt.Println(e.Key)
	}
	// Output:
	// go
	// gold
	// gone
	// good
}

func ExampleRaw() {
	db := open()
	defer db.Close()

	blobs := codec.MapOf(db.Hash("blobs"), codec.Uint64, codec.Raw)
	_, err := blobs.Set(1, []byte{0, 1, 2})
	check(err)
	fmt.Println(blobs.Get(1))
	// Output: [0 1 2] <nil>
}

func ExampleText() {
	db := open()
	defer db.Close()

	names := codec.MapOf(db.Hash("names"), codec.Uint64, codec.Text)
	_, err := names.Set(1, "Ada")
	check(err)
	fmt.Println(names.Get(1))
	// Output: Ada <nil>
}

// A time takes 12 bytes so, and no parsing.
func ExampleAsValue() {
	db := open()
	defer db.Close()

	logins := codec.MapOf(db.Hash("logins"), codec.String, codec.AsValue(codec.Time))
	_, err := logins.Set("Ada", time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC))
	check(err)
	fmt.Println(logins.Get("Ada"))
	// Output: 2026-01-02 15:04:05 +0000 UTC <nil>
}

func ExampleJSON() {
	db := open()
	defer db.Close()

	users := codec.MapOf(db.Hash("users"), codec.String, codec.JSON[User]())
	_, err := users.Set("ada", User{"Ada", 36})
	check(err)
	fmt.Println(users.Get("ada"))
	stored, err := users.Handle().Get("ada")
	fmt.Println(string(stored), err)
	// Output:
	// {Ada 36} <nil>
	// {"Name":"Ada","Age":36} <nil>
}

func ExampleGob() {
	db := open()
	defer db.Close()

	points := codec.MapOf(db.Hash("points"), codec.String, codec.Gob[map[int]complex128]())
	_, err := points.Set("a", map[int]complex128{1: 2 + 3i})
	check(err)
	fmt.Println(points.Get("a"))
	// Output: map[1:(2+3i)] <nil>
}

func ExampleBinary() {
	db := open()
	defer db.Close()

	hosts := codec.MapOf(db.Hash("hosts"), codec.String, codec.Binary[netip.Addr]())
	_, err := hosts.Set("localhost", netip.MustParseAddr("127.0.0.1"))
	check(err)
	fmt.Println(hosts.Get("localhost"))
	// Output: 127.0.0.1 <nil>
}

// What was written by other means does not stop a program, and says where it is.
func ExampleDecodeError() {
	db := open()
	defer db.Close()

	_, err := db.Hash("users").Set("ada", []byte("Ada"))
	check(err)
	_, err = codec.MapOf(db.Hash("users"), codec.String, codec.JSON[User]()).Get("ada")
	if e, ok := errors.AsType[*codec.DecodeError](err); ok {
		fmt.Println(e.Name, e.Element)
	}
	fmt.Println(err)
	// Output:
	// users ada
	// siltstone: key "users", element "ada": value: invalid character 'A' looking for beginning of value
}

// newestFirst is a key codec of one's own: times, the last one first.
type newestFirst struct{}

func (newestFirst) KeyLen() int { return 8 } // Sized: no escapes inside a tuple

func (newestFirst) AppendKey(dst []byte, v time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, ^uint64(v.Unix()))
}

func (newestFirst) DecodeKey(b []byte) (time.Time, error) {
	if len(b) != 8 {
		return time.Time{}, errors.New("time does not have 8 bytes")
	}
	return time.Unix(int64(^binary.BigEndian.Uint64(b)), 0).UTC(), nil
}

func ExampleKey() {
	db := open()
	defer db.Close()

	entries := codec.MapOf(db.Hash("log"), newestFirst{}, codec.Text)
	start := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for i, text := range []string{"started", "working", "stopped"} {
		_, err := entries.Set(start.Add(time.Duration(i)*time.Minute), text)
		check(err)
	}
	for e, err := range entries.All() {
		check(err)
		fmt.Println(e.Key.Format(time.TimeOnly), e.Value)
	}
	// Output:
	// 15:06:05 stopped
	// 15:05:05 working
	// 15:04:05 started
}
