package waiters_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siltstonedb/siltstone"
)

// follower notes what a loop over changes yields.
type follower struct {
	t    *testing.T
	mu   sync.Mutex
	seen []string
	end  context.CancelFunc
	done chan struct{}
}

// follow begins a loop over changes of the keys.
func follow(t *testing.T, db *siltstone.DB, keys ...string) *follower {
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, end: cancel, done: make(chan struct{})}
	var all [][]byte
	for _, key := range keys {
		all = append(all, []byte(key))
	}
	changes := db.Wait(ctx, all...)
	for _, key := range all {
		clear(key) // it was copied
	}
	go func() {
		defer close(f.done)
		for key, err := range changes {
			if err != nil {
				key = []byte(err.Error())
			}
			f.mu.Lock()
			f.seen = append(f.seen, string(key))
			f.mu.Unlock()
		}
	}()
	return f
}

// saw compares what the loop has yielded since the last call, in any order.
func (f *follower) saw(want ...string) {
	f.t.Helper()
	if seen := f.taken(); !slices.Equal(seen, want) {
		f.t.Errorf("the loop yielded %q, want %q", seen, want)
	}
}

// taken returns what the loop has yielded since the last call, sorted.
func (f *follower) taken() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	slices.Sort(seen)
	return seen
}

func (f *follower) ends(want ...string) {
	f.t.Helper()
	f.end()
	<-f.done
	f.saw(want...)
}

func TestALoopOverChangesYieldsEachKeyOnceAndThenWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		f := follow(t, db, "k", "h", "q")
		f.saw("h", "k", "q")
		ok(t, db.Put([]byte("k"), []byte("1")))
		f.saw("k")
		ok(t, db.Put([]byte("other"), nil))
		f.saw()
		_, err := db.Hash("h").Set("f", []byte("1"))
		ok(t, err)
		f.saw("h")
		for i := range 300 {
			_, err := db.Hash("h").Set(strconv.Itoa(i), []byte("1"))
			ok(t, err)
		}
		f.taken()
		_, err = db.Hash("h").Set("7", []byte("2")) // writes a row of the hash alone
		ok(t, err)
		f.saw("h")
		ok(t, db.Hash("h").Rename("q"))
		f.saw("h", "q")
		_, err = db.Hash("q").Set("7", []byte("3"))
		ok(t, err)
		f.saw("q")
		var b siltstone.Batch
		b.Delete([]byte("q"))
		b.Put([]byte("k"), nil)
		b.Put([]byte("k"), []byte("2"))
		ok(t, db.Apply(&b, siltstone.DefaultDurability))
		f.saw("k", "q")
		ok(t, db.DeleteRange(siltstone.Range{Lower: []byte("k"), Upper: []byte("l")}))
		f.saw("k")
		f.ends("context canceled")
	})
}

func TestALoopOverChangesYieldsAKeyThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		ok(t, db.PutTTL([]byte("a"), nil, time.Minute))
		f := follow(t, db, "a", "b")
		f.saw("a", "b")
		ok(t, db.PutTTL([]byte("b"), nil, 5*time.Second))
		f.saw("b")
		time.Sleep(5 * time.Second)
		f.saw("b")
		_, err := db.Persist([]byte("a"))
		ok(t, err)
		f.saw("a")
		_, err = db.Hash("b").SetTTL("f", nil, time.Second)
		ok(t, err)
		f.saw("b")
		time.Sleep(10 * time.Second)
		f.saw("b")
		time.Sleep(2 * time.Minute)
		f.saw()
		f.ends("context canceled")
	})
}

// What changes while the body runs is yielded afterwards, once, and a key that changes all
// the time does not hide others.
func TestALoopOverChangesMissesNothingWhileItsBodyRuns(t *testing.T) {
	db := open(t)
	n := 0
	for key, err := range db.Wait(context.Background(), []byte("hot"), []byte("seldom")) {
		ok(t, err)
		switch n++; {
		case n == 3:
			ok(t, db.Put([]byte("seldom"), nil))
		case n > 3 && string(key) == "seldom":
			return
		case n > 6:
			t.Fatal("the key that changes all the time hides the other one")
		}
		for range 3 {
			ok(t, db.Put([]byte("hot"), nil))
		}
	}
}
