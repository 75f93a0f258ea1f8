package typed_test

import (
	"context"
	"fmt"
	"sync"
	"time"

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

// A job queue: any number of workers wait for jobs, which come from anywhere in the
// program. Jobs that are pushed while nobody waits are in the store.
func ExampleList_WaitFront() {
	db := open()
	defer db.Close()

	ctx, stop := context.WithCancel(context.Background())
	var workers, jobs sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				job, err := db.List("jobs").WaitFront(ctx)
				if err != nil {
					return // told to stop, or the store is closed
				}
				_ = job // do it
				jobs.Done()
			}
		})
	}
	jobs.Add(100)
	for i := range 100 {
		_, err := db.List("jobs").PushBack(fmt.Appendf(nil, "job %d", i))
		check(err)
	}
	jobs.Wait()
	stop()
	workers.Wait()
	fmt.Println(db.List("jobs").Len())
	// Output: 0 <nil>
}

// What is to be done later, in the order of its times.
func ExampleZSet_WaitMin() {
	db := open()
	defer db.Close()

	later, now := db.ZSet("later"), time.Now()
	_, err := later.AddMany(0,
		typed.Member{Name: "send the reminder", Score: float64(now.Add(20 * time.Millisecond).UnixMilli())},
		typed.Member{Name: "greet", Score: float64(now.UnixMilli())})
	check(err)
	for range 2 {
		m, err := later.WaitMin(context.Background(), typed.UnixMilli)
		fmt.Println(m.Name, err)
	}
	// Output:
	// greet <nil>
	// send the reminder <nil>
}
