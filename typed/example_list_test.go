package typed_test

import (
	"fmt"

	"github.com/siltstonedb/siltstone/typed"
)

func ExampleList_InsertBefore() {
	db := open()
	defer db.Close()

	l := db.List("steps")
	_, err := l.PushBack([]byte("build"), []byte("ship"))
	check(err)
	fmt.Println(l.InsertBefore([]byte("ship"), []byte("test")))
	fmt.Println(l.InsertAfter([]byte("none such"), []byte("x")))
	for v, err := range l.Range(0, -1) {
		check(err)
		fmt.Printf("%s\n", v)
	}
	// Output:
	// true <nil>
	// false <nil>
	// build
	// test
	// ship
}

// A job is in one of the two lists at any time, also after a crash. Who has done
// it removes it from the second.
func ExampleList_MoveTo() {
	db := open()
	defer db.Close()

	waiting, running := db.List("waiting"), db.List("running")
	_, err := waiting.PushBack([]byte("job 1"), []byte("job 2"))
	check(err)
	job, err := waiting.MoveTo(running.Name(), typed.EndFront, typed.EndBack)
	fmt.Printf("%s %v\n", job, err)
	fmt.Println(running.Remove(1, job))
	fmt.Println(waiting.Len())
	// Output:
	// job 1 <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleList_PosMany() {
	db := open()
	defer db.Close()

	l := db.List("list")
	_, err := l.PushBack([]byte("a"), []byte("b"), []byte("a"), []byte("a"))
	check(err)
	fmt.Println(l.Pos([]byte("b")))
	fmt.Println(l.PosMany([]byte("a"), typed.PosOptions{}))
	fmt.Println(l.PosMany([]byte("a"), typed.PosOptions{Rank: -2, Count: 1}))
	// Output:
	// 1 <nil>
	// [0 2 3] <nil>
	// [2] <nil>
}

func ExampleList_PopAny() {
	db := open()
	defer db.Close()

	_, err := db.List("normal").PushBack([]byte("a"), []byte("b"), []byte("c"))
	check(err)
	from, jobs, err := db.List("urgent").PopAny(typed.EndFront, 2, "normal", "low")
	fmt.Printf("%s %s %v\n", from, jobs, err)
	// Output: normal [a b] <nil>
}
