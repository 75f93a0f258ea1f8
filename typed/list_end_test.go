package typed_test

import (
	"fmt"
	"testing"
)

// A list whose last items are popped ends right behind an item; where there is no
// room before that one, items move behind the end.
func TestItemsSpreadBehindTheEndOfAList(t *testing.T) {
	db := newFake(t, 1)
	l := db.List("l")
	must[int64](t)(l.PushBack([]byte("first"), []byte("last")))
	last, n := "last", 0
	for range 30 {
		for range 25 {
			n++
			if !must[bool](t)(l.InsertBefore([]byte(last), fmt.Append(nil, n))) {
				t.Fatal("the last item is gone")
			}
			if err := db.check(); err != nil {
				t.Fatal(err)
			}
		}
		must[[]byte](t)(l.PopBack())
		last = string(must[[]byte](t)(l.At(-1)))
	}
	if got := must[int64](t)(l.Len()); got != int64(2+n-30) {
		t.Errorf("%d items", got)
	}
}
