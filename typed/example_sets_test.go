package typed_test

import (
	"fmt"
	"math"

	"github.com/siltstonedb/siltstone/typed"
)

func ExampleSet() {
	db := open()
	defer db.Close()

	tags := db.Set("tags")
	fmt.Println(tags.Add("new", "green", "new"))
	fmt.Println(tags.Has("green"))
	fmt.Println(tags.Remove("green", "red"))
	fmt.Println(tags.Len())
	for member, err := range tags.All() {
		check(err)
		fmt.Println(member)
	}
	// Output:
	// 2 <nil>
	// true <nil>
	// 1 <nil>
	// 1 <nil>
	// new
}

// The algebra is streamed: nothing is built in memory.
func ExampleSet_Inter() {
	db := open()
	defer db.Close()

	ada, bob := db.Set("ada"), db.Set("bob")
	_, err := ada.Add("apple", "cherry", "date")
	check(err)
	_, err = bob.Add("banana", "cherry", "date")
	check(err)
	for fruit, err := range ada.Inter("bob") {
		check(err)
		fmt.Println("both like", fruit)
	}
	for fruit, err := range ada.Diff("bob") {
		check(err)
		fmt.Println("only ada likes", fruit)
	}
	for fruit, err := range ada.Union("bob") {
		check(err)
		fmt.Println("somebody likes", fruit)
	}
	// Output:
	// both like cherry
	// both like date
	// only ada likes apple
	// somebody likes apple
	// somebody likes banana
	// somebody likes cherry
	// somebody likes date
}

// The Store forms keep the result. Their sources are all named: the set they
// are called on is only where it goes.
func ExampleSet_StoreUnion() {
	db := open()
	defer db.Close()

	_, err := db.Set("ada").Add("apple", "cherry")
	check(err)
	_, err = db.Set("bob").Add("banana", "cherry")
	check(err)
	fmt.Println(db.Set("any").StoreUnion("ada", "bob"))
	fmt.Println(db.Set("both").StoreInter("ada", "bob"))
	fmt.Println(db.Set("ada only").StoreDiff("ada", "bob"))
	// Output:
	// 3 <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleSet_MoveTo() {
	db := open()
	defer db.Close()

	_, err := db.Set("todo").Add("write", "read")
	check(err)
	fmt.Println(db.Set("todo").MoveTo("done", "write"))
	fmt.Println(db.Set("todo").MoveTo("done", "write"))
	fmt.Println(db.Set("done").Has("write"))
	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
}

// Random leaves the members where they are, Pop takes them out.
func ExampleSet_Pop() {
	db := open()
	defer db.Close()

	_, err := db.Set("tickets").Add("1", "2", "3")
	check(err)
	some, err := db.Set("tickets").Random(2)
	fmt.Println(len(some), err)
	won, err := db.Set("tickets").Pop(1)
	fmt.Println(len(won), err)
	fmt.Println(db.Set("tickets").Len())
	// Output:
	// 2 <nil>
	// 1 <nil>
	// 2 <nil>
}

// board is a sorted set with three members.
func board(z typed.ZSet) typed.ZSet {
	_, err := z.AddMany(0, typed.Member{Name: "ada", Score: 99.5}, typed.Member{Name: "bob", Score: 80}, typed.Member{Name: "cyd", Score: 80})
	check(err)
	return z
}

func ExampleZSet() {
	db := open()
	defer db.Close()

	z := db.ZSet("board")
	fmt.Println(z.Add("ada", 98))
	fmt.Println(z.Incr("ada", 1.5))
	fmt.Println(z.Score("ada"))
	fmt.Println(z.Remove("ada", "bob"))
	fmt.Println(z.Len())
	// Output:
	// true <nil>
	// 99.5 <nil>
	// 99.5 <nil>
	// 1 <nil>
	// 0 <nil>
}

// Conditions restrict what is written: CondGT keeps best scores.
func ExampleZSet_AddMany() {
	db := open()
	defer db.Close()

	z := board(db.ZSet("board"))
	changed, err := z.AddMany(typed.CondGT|typed.CondCH, typed.Member{Name: "ada", Score: 1}, typed.Member{Name: "bob", Score: 90})
	fmt.Println(changed, err)
	fmt.Println(z.Score("ada"))
	fmt.Println(z.Score("bob"))
	// Output:
	// 1 <nil>
	// 99.5 <nil>
	// 90 <nil>
}

func ExampleZSet_Range() {
	db := open()
	defer db.Close()

	z := board(db.ZSet("board"))
	show := func(what string, r typed.ZRange) {
		fmt.Print(what)
		for m, err := range z.Range(r) {
			check(err)
			fmt.Printf(" %s:%v", m.Name, m.Score)
		}
		fmt.Println()
	}
	show("best two:", typed.ByRank(0, 1).Reverse())
	show("80 to 90:", typed.ByScore(80, 90))
	show("above 80:", typed.ByScore(80, math.Inf(1)).OpenMin())
	show("second of them, from the top:", typed.ByScore(0, 100).Reverse().Limit(1, 1))
	show("names b to c:", typed.ByLex("b", "c"))
	show("names from b:", typed.ByLexFrom("b"))
	// Output:
	// best two: ada:99.5 cyd:80
	// 80 to 90: bob:80 cyd:80
	// above 80: ada:99.5
	// second of them, from the top: cyd:80
	// names b to c: bob:80
	// names from b: bob:80 cyd:80
}

func ExampleZSet_Rank() {
	db := open()
	defer db.Close()

	z := board(db.ZSet("board"))
	fmt.Println(z.Rank("ada"))    // from the lowest score
	fmt.Println(z.RevRank("ada")) // from the highest
	// Output:
	// 2 <nil>
	// 0 <nil>
}

func ExampleZSet_Count() {
	db := open()
	defer db.Close()

	fmt.Println(board(db.ZSet("board")).Count(typed.ByScore(80, 90)))
	// Output: 2 <nil>
}

// A sorted set of deadlines is a queue.
func ExampleZSet_PopMin() {
	db := open()
	defer db.Close()

	z := board(db.ZSet("board"))
	fmt.Println(z.PopMin(1))
	fmt.Println(z.PopMax(5))
	fmt.Println(z.Exists()) // without members there is no key
	// Output:
	// [{bob 80}] <nil>
	// [{ada 99.5} {cyd 80}] <nil>
	// false <nil>
}

func ExampleZSet_RemoveRange() {
	db := open()
	defer db.Close()

	z := board(db.ZSet("board"))
	fmt.Println(z.RemoveRange(typed.ByScore(math.Inf(-1), 90)))
	fmt.Println(z.Len())
	// Output:
	// 2 <nil>
	// 1 <nil>
}

// A list is a queue at both ends.
func ExampleList() {
	db := open()
	defer db.Close()

	queue := db.List("queue")
	fmt.Println(queue.PushBack([]byte("second"), []byte("third")))
	fmt.Println(queue.PushFront([]byte("first")))
	job, err := queue.PopFront()
	fmt.Printf("%s %v\n", job, err)
	job, err = queue.PopBack()
	fmt.Printf("%s %v\n", job, err)
	fmt.Println(queue.Len())
	// Output:
	// 2 <nil>
	// 3 <nil>
	// first <nil>
	// third <nil>
	// 1 <nil>
}

func ExampleList_Range() {
	db := open()
	defer db.Close()

	l := db.List("list")
	_, err := l.PushBack([]byte("a"), []byte("b"), []byte("c"), []byte("d"))
	check(err)
	for v, err := range l.Range(-2, -1) {
		check(err)
		fmt.Printf("%s\n", v)
	}
	// Output:
	// c
	// d
}

func ExampleList_At() {
	db := open()
	defer db.Close()

	l := db.List("list")
	_, err := l.PushBack([]byte("a"), []byte("b"))
	check(err)
	check(l.SetAt(1, []byte("B")))
	v, err := l.At(-1)
	fmt.Printf("%s %v\n", v, err)
	// Output: B <nil>
}

// PushFront and Trim keep the latest few.
func ExampleList_Trim() {
	db := open()
	defer db.Close()

	recent := db.List("recent")
	for _, page := range []string{"home", "shop", "cart", "pay"} {
		_, err := recent.PushFront([]byte(page))
		check(err)
		check(recent.Trim(0, 2))
	}
	for page, err := range recent.Range(0, -1) {
		check(err)
		fmt.Printf("%s\n", page)
	}
	// Output:
	// pay
	// cart
	// shop
}

func ExampleList_PopFrontN() {
	db := open()
	defer db.Close()

	l := db.List("list")
	_, err := l.PushBack([]byte("a"), []byte("b"), []byte("c"), []byte("d"))
	check(err)
	values, err := l.PopFrontN(2)
	fmt.Printf("%s %v\n", values, err)
	values, err = l.PopBackN(2)
	fmt.Printf("%s %v\n", values, err)
	// Output:
	// [a b] <nil>
	// [d c] <nil>
}
