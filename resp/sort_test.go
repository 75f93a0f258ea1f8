package resp

import (
	"fmt"
	"strings"
	"testing"
)

// TestSortTakesNoMoreMemoryThanAReplyMay: neither many elements nor many patterns, whose
// product is large, nor large values that the patterns find.
func TestSortTakesNoMoreMemoryThanAReplyMay(t *testing.T) {
	_, db, addr := serveStore(t, Options{Writable: true, SoleWriter: true, MaxCommandBytes: 64 << 10})
	c := dial(t, addr)
	for i := range 500 {
		if _, err := db.List("l").PushBack([]byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.do("SORT", "l", "DESC", "LIMIT", "0", "2"); got != `["499" "498"]` {
		t.Error(got)
	}
	many := []string{"SORT", "l", "STORE", "out"}
	for range 1000 {
		many = append(many, "GET", "none")
	}
	c.want("-"+string(errReplyTooLong), many...)
	for i := range 3 {
		if err := db.Put([]byte(fmt.Sprintf("big_%d", i)), []byte(strings.Repeat("x", 30_000))); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"SORT", "l", "GET", "big_*"},
		{"SORT", "l", "BY", "big_*", "ALPHA"},
		{"SORT", "l", "GET", "big_*", "STORE", "out"},
	} {
		c.want("-"+string(errReplyTooLong), args...)
	}
	c.want("0", "EXISTS", "out")
	for range 1000 {
		if _, err := db.List("l").PushBack([]byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	c.want("-"+string(errReplyTooLong), "SORT", "l", "LIMIT", "0", "1")
}
