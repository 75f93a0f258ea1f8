package sstable

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

func TestStrideShowsWhatNextShows(t *testing.T) {
	for behind := range 24 { // bytes of a key behind its number; p8 may reach into them
		for _, size := range []int{0, 1, 100, -1} { // of a value; −1: of another one each
			for _, c := range []Compression{NoCompression, S2} {
				var recs []rec
				for i := range 300 {
					key := fmt.Sprintf("key-%08d", 7919*i)
					value := strings.Repeat("v", max(size, 0))
					if size < 0 {
						value = strings.Repeat("v", i%40)
					}
					recs = append(recs, put(key+strings.Repeat(fmt.Sprint(i%10), behind), base.SeqNum(1+i*i%271), value))
				}
				name := fmt.Sprintf("%d bytes behind, values of %d, %v", behind, size, c)
				file, _ := build(t, WriterOptions{BlockSize: 2 << 10, Compression: c}, recs)
				checkStrides(t, name, mustOpen(t, file, ReaderOptions{Cache: cache.New(1 << 20)}), recs)
			}
		}
	}
}

// checkStrides walks each block of r by strides, forward and then backward.
func checkStrides(t *testing.T, name string, r *Reader, recs []rec) {
	t.Helper()
	for _, keysOnly := range []bool{false, true} {
		it := r.NewIter(IterOptions{KeysOnly: keysOnly})
		i := 0
		for e := it.First(); e != nil; e = it.Next() {
			run, _ := it.Block()
			if !it.Flat() {
				t.Fatalf("%s: block %d is not flat", name, it.number)
			}
			for n := range run.After + 1 {
				if got := it.Within([]byte(recs[i+n].key), false); got != n-1 {
					t.Fatalf("%s: %d moves from record %d to below %d", name, got, i, i+n)
				}
			}
			for _, d := range []int{1, -1, 1} {
				for range run.After {
					value := it.Stride(d)
					i += d
					if string(e.Key) != recs[i].key || it.Seq() != recs[i].Seq || !keysOnly && string(value) != recs[i].value {
						t.Fatalf("%s: record %d is %q#%d with value %q, want %v", name, i, e.Key, it.Seq(), value, recs[i])
					}
				}
			}
			for n := range run.After + 1 {
				if got := it.Within([]byte(recs[i-n].key), true); got != n {
					t.Fatalf("%s: %d moves back from record %d to %d", name, got, i, i-n)
				}
			}
			if i++; run.Before != 0 {
				t.Fatalf("%s: block %d begins at record %d", name, it.number, run.Before)
			}
		}
		if i != len(recs) || it.Err() != nil {
			t.Fatalf("%s: %d records of %d, %v", name, i, len(recs), it.Err())
		}
	}
}

func TestKeysOfAnyLengthFitBehindThoseOfTheLastBlock(t *testing.T) {
	for longer := range 80 {
		var recs []rec
		for i := range 40 {
			key := fmt.Sprintf("key-%04d", i)
			if i >= 20 {
				key = fmt.Sprintf("%s%04d%s", strings.Repeat("l", longer), 7*i, "behind p8")
			}
			recs = append(recs, put(key, 1, strings.Repeat("v", 64)))
		}
		file, _ := build(t, WriterOptions{BlockSize: 128}, recs)
		checkWalks(t, fmt.Sprint(longer), mustOpen(t, file, ReaderOptions{}), recs, IterOptions{})
	}
}

func TestBlockIsFlatOnlyIfLengthAndAttributesAreOne(t *testing.T) {
	expiring := put("key-3", 1, "v")
	expiring.Attr, expiring.Expiry = base.MakeAttr(base.KindPut, 1, true), 1000
	typed := put("key-3", 1, "v")
	typed.Attr = base.MakeAttr(base.KindPut, 2, false)
	for name, c := range map[string]struct {
		recs []rec
		flat bool
	}{
		"alike":            {[]rec{put("key-1", 1, "v"), put("key-2", 9, "another")}, true},
		"a longer key":     {[]rec{put("key-1", 1, "v"), put("key-33", 1, "v")}, false},
		"another type":     {[]rec{put("key-1", 1, "v"), typed}, false},
		"a tombstone":      {[]rec{put("key-1", 1, "v"), del("key-3", 1)}, false},
		"one that expires": {[]rec{put("key-1", 1, "v"), expiring}, false},
		"all expire":       {[]rec{expiring}, false},
	} {
		file, _ := build(t, WriterOptions{}, c.recs)
		it := mustOpen(t, file, ReaderOptions{}).NewIter(IterOptions{})
		if it.Flat() {
			t.Errorf("%s: flat without a block", name)
		}
		if it.First(); it.Flat() != c.flat {
			t.Errorf("%s: flat is %v", name, it.Flat())
		}
	}
}

func TestEachValueIsAskedForAheadOnce(t *testing.T) {
	file, recs := wideTable(t, NoCompression)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(64 << 20)})
	if err := answers(t, r, recs, ""); err != nil {
		t.Fatal(err)
	}
	it := r.NewIter(IterOptions{})
	asked := 0
	for e := it.First(); e != nil && it.number == 0; e = it.Next() {
		l := it.lines
		if it.pos == 0 {
			if l.due != 0 {
				t.Fatal("the second record asks for nothing")
			}
			continue
		}
		if l.asked < asked || l.asked < min(it.pos+l.step, it.n) || l.asked > it.pos+linesSteps*l.step {
			t.Fatalf("at record %d of %d those up to %d were asked for, in steps of %d", it.pos, it.n, l.asked, l.step)
		}
		asked = l.asked
		if last := it.pos == it.n-1; last && (l.asked != it.n || l.due != math.MaxInt) {
			t.Fatalf("at the end of a block of %d records %d were asked for, %d is due", it.n, l.asked, l.due)
		}
	}
	for e := it.Last(); e != nil; e = it.Prev() {
		if it.lines.due != math.MaxInt {
			t.Fatal("a walk backward asks for what is in front of it")
		}
	}
	own := mustOpen(t, file, ReaderOptions{}).NewIter(IterOptions{Cold: true})
	if own.First(); own.lines.due != math.MaxInt {
		t.Fatal("a block that was just read is asked for")
	}
}

func TestPlaceOfCachedKeysIsNoted(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		file, recs := wideTable(t, c)
		r := mustOpen(t, file, ReaderOptions{Cache: cache.New(64 << 20)})
		if from, n := r.nearby[3].at(); from != 0 || n != 0 {
			t.Errorf("%v: a block that is not cached is at %x, %d", c, from, n)
		}
		if err := answers(t, r, recs, ""); err != nil {
			t.Fatal(err)
		}
		for i := range r.slots {
			b := blockOf(r.slots[i].Peek())
			from, n := r.nearby[i].at()
			end := addressOf(b.keys.p8) + uintptr(8*b.keys.n)
			if from != addressOf(b.keys.prefix()) || from+uintptr(n) < end || from+uintptr(n) >= end+lineSize {
				t.Fatalf("%v: keys of block %d lie from %x to %x, noted are %d bytes from %x", c, i, addressOf(b.keys.prefix()), end, n, from)
			}
			r.ask(i)
		}
		r.ask(len(r.slots)) // behind the last one there is nothing to ask for
	}
}
