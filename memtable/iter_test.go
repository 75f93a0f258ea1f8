package memtable

import (
	"fmt"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// walked returns what an iterator yields, as key#sequence.
func walked(e *iterator.Entry, move func() *iterator.Entry) (got []string) {
	for ; e != nil; e = move() {
		got = append(got, fmt.Sprintf("%s#%d", e.Key, e.Seq))
	}
	return got
}

func TestAnIteratorAtASequenceHasOneVersionOfEachKeyItSees(t *testing.T) {
	table := New(1 << 20)
	for i, key := range []string{"a", "b", "b", "c", "d", "b", "a", "e"} {
		set(table, key, base.SeqNum(i+1), "")
	}
	for seq, want := range [][]string{
		nil, {"a#1"}, {"a#1", "b#2"}, {"a#1", "b#3"}, {"a#1", "b#3", "c#4"}, {"a#1", "b#3", "c#4", "d#5"},
		{"a#1", "b#6", "c#4", "d#5"}, {"a#7", "b#6", "c#4", "d#5"}, {"a#7", "b#6", "c#4", "d#5", "e#8"},
	} {
		var it Iter
		it.InitAt(table, true, base.SeqNum(seq))
		if got := walked(it.First(), it.Next); !slices.Equal(got, want) {
			t.Errorf("at %d: %q, want %q", seq, got, want)
		}
		slices.Reverse(want)
		if got := walked(it.Last(), it.Prev); !slices.Equal(got, want) {
			t.Errorf("at %d, backward: %q, want %q", seq, got, want)
		}
	}
}

func TestASeekBehindTheOneVersionOfAKeyFindsTheNextKey(t *testing.T) {
	table := New(1 << 20)
	for i, key := range []string{"a", "a", "a", "b"} {
		set(table, key, base.SeqNum(i+1), "")
	}
	var it Iter
	it.InitAt(table, true, 4)
	for seq, want := range []string{"b#4", "b#4", "b#4", "a#3", "a#3"} {
		if e := it.SeekGE([]byte("a"), base.SeqNum(seq)); fmt.Sprintf("%s#%d", e.Key, e.Seq) != want {
			t.Errorf("seek of a#%d: %s#%d, want %s", seq, e.Key, e.Seq, want)
		}
	}
}

func TestAWriterDoesNotChangeWhatAnIteratorAtASequenceHas(t *testing.T) {
	table := New(16 << 20)
	var want []string
	seq := base.SeqNum(0)
	add := func(key string) {
		seq++
		set(table, key, seq, "")
	}
	for i := range 500 {
		add(fmt.Sprintf("key%04d", i))
		want = append(want, fmt.Sprintf("key%04d#%d", i, seq))
	}
	for _, forward := range []bool{true, false} {
		var it Iter
		it.InitAt(table, true, 500)
		e, move := it.First(), it.Next
		if !forward {
			e, move = it.Last(), it.Prev
			slices.Reverse(want)
		}
		got := walked(e, func() *iterator.Entry {
			for i := range 5 { // around the iterator: its leaf splits, and its keys get versions
				add(fmt.Sprintf("%s.%d", it.entry.Key[:7], seq))
				add(fmt.Sprintf("key%04d", (int(seq)*7+i)%500))
			}
			return move()
		})
		if !slices.Equal(got, want) {
			t.Fatalf("forward %v: %d entries, want %d", forward, len(got), len(want))
		}
	}
}

func TestEntriesOfAnIteratorAtASequenceLastAndAreTheOnlyOnesOfTheirKeys(t *testing.T) {
	table := New(1 << 20)
	set(table, "a", 1, "value")
	var it Iter
	it.InitAt(table, false, 1)
	if e := it.First(); !e.Sole || !e.Lasting || !e.LastingKey {
		t.Errorf("at a sequence: %+v", e)
	}
	it.Init(table, false)
	if e := it.First(); e.Sole || !e.Lasting || !e.LastingKey {
		t.Errorf("every version: %+v", e)
	}
}

func TestWalksInTurnsAndFromAnyNodeComeToEveryNode(t *testing.T) {
	table := New(4 << 20)
	const n = 3 * pageCap
	key := func(i int) string { return fmt.Sprintf("key%04d", i) }
	for i := range n {
		set(table, key(i), base.SeqNum(i+1), key(i))
		if i%3 == 0 {
			set(table, key(i), base.SeqNum(i+1), key(i)) // away from its node
		}
	}
	var it Iter
	it.InitAt(table, false, base.SeqMax)
	for from := range n {
		for turn := range 12 { // so many steps forward, then back
			i := from
			e := it.SeekGE([]byte(key(i)), base.SeqMax)
			for ; e != nil && i < from+turn; i++ {
				e = it.Next()
			}
			if i >= n {
				continue
			}
			for ; e != nil; e = it.Prev() {
				if string(e.Key) != key(i) || string(e.Value) != key(i) {
					t.Fatalf("from %d, turning after %d: at %q, want %q", from, turn, e.Key, key(i))
				}
				if i--; i < from-2*turn {
					break
				}
			}
		}
	}
}
