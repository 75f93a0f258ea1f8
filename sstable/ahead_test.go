package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// hinted is a file that notes reads and hints, and fails reads that touch a place.
type hinted struct {
	io.ReaderAt
	reads, hints [][2]int64 // from, to
	broken       int64      // a read over it fails; 0: none
	ahead        []bool     // what ReadAhead was told
}

var errBadSector = errors.New("bad sector")

func (h *hinted) ReadAt(p []byte, off int64) (int, error) {
	h.reads = append(h.reads, [2]int64{off, off + int64(len(p))})
	if h.broken > 0 && off <= h.broken && h.broken < off+int64(len(p)) {
		return 0, errBadSector
	}
	return h.ReaderAt.ReadAt(p, off)
}

func (h *hinted) ReadAhead(may bool) { h.ahead = append(h.ahead, may) }

func (h *hinted) WillRead(off, n int64) { h.hints = append(h.hints, [2]int64{off, off + n}) }

// total returns the bytes of stretches.
func total(stretches [][2]int64) (n int64) {
	for _, s := range stretches {
		n += s[1] - s[0]
	}
	return n
}

const wide = 1000 // bytes of a value below

// wideValues returns a table of n records in blocks of the usual size, and its file.
func wideValues(t *testing.T, n int) ([]rec, []byte) {
	var recs []rec
	for i := range n {
		recs = append(recs, put(fmt.Sprintf("key-%06d", i), 1, string(randomValue(wide, byte(i)))))
	}
	file, _ := build(t, WriterOptions{}, recs)
	return recs, file
}

// openHinted opens a table with a cache that has no room or, with room, takes all.
func openHinted(t *testing.T, file []byte, room bool) (*Reader, *hinted) {
	limit := int64(4 << 20)
	if room {
		limit = 64 << 20
	}
	c := cache.New(limit)
	if !room {
		c.Reserve(limit - 1<<20) // less than a block remains, but for what is lent
		others := make([]cache.Slot, 256)
		for i := range others {
			c.Store(&others[i], new(cache.Entry), 8<<10, true)
		}
	}
	h := &hinted{ReaderAt: bytes.NewReader(file)}
	r, err := Open(h, int64(len(file)), ReaderOptions{Name: "000001.sst", Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	h.reads = nil
	return r, h
}

func TestWhatAWalkReadsGrowsWithIt(t *testing.T) {
	recs, file := wideValues(t, 20_000)
	for _, room := range []bool{false, true} {
		for _, backward := range []bool{false, true} {
			for _, n := range []int{1, 10, 100, 1000, 10_000} {
				t.Run(fmt.Sprintf("room %v, backward %v, %d records", room, backward, n), func(t *testing.T) {
					r, h := openHinted(t, file, room)
					it := r.NewIter(IterOptions{})
					defer it.Close()
					at, step, move := 5000, 1, it.Next
					seek := func() *iterator.Entry { return it.SeekGE([]byte(recs[at].key), base.SeqMax) }
					if backward {
						at, step, move = 15_009, -1, it.Prev
						seek = func() *iterator.Entry { return it.SeekLT([]byte(recs[at+1].key)) }
					}
					e := seek()
					for i := range n {
						if want := recs[at+i*step]; e == nil || string(e.Key) != want.key || string(e.Value) != want.value {
							t.Fatalf("record %d is %v", i, e)
						}
						if i < n-1 {
							e = move()
						}
					}
					seen, read := int64(n*wide), total(h.reads)
					if n == 1 && (len(h.reads) != 1 || read > 20<<10) {
						t.Errorf("a seek made %d reads of %d bytes", len(h.reads), read)
					}
					if most := 3*seen + 60<<10; read > most || read > seen+maxAhead+60<<10 {
						t.Errorf("%d bytes were read for %d", read, seen)
					}
					if most := 4 + int(seen/(maxAhead-20<<10)) + 2; len(h.reads) > most {
						t.Errorf("%d reads, more than %d", len(h.reads), most)
					}
					if hints := total(h.hints); (n <= 100 || !backward) && hints > 0 || n == 10_000 && backward && hints == 0 || hints > seen*5/4+maxAhead {
						t.Errorf("%d bytes were asked for ahead of %d", hints, seen)
					}
					if long := n >= 1000 && !backward; long != (len(h.ahead) == 1 && h.ahead[0]) {
						t.Errorf("that the file system may read ahead was said as %v", h.ahead)
					}
					seek()
					if n := len(h.ahead); n > 0 && (n != 2 || h.ahead[1]) {
						t.Errorf("at the next seek it was said as %v", h.ahead)
					}
					slices.SortFunc(h.hints, func(a, b [2]int64) int { return int(a[0] - b[0]) })
					for i := range h.hints[:max(1, len(h.hints))-1] {
						if h.hints[i][1] > h.hints[i+1][0] {
							t.Errorf("%v and %v overlap", h.hints[i], h.hints[i+1])
						}
					}
				})
			}
		}
	}
}

// A walk asks for nothing beyond the block in which its bound lies.
func TestAWalkReadsNothingBeyondItsBounds(t *testing.T) {
	recs, file := wideValues(t, 8000)
	const lo, hi = 1000, 5000
	o := IterOptions{Lower: []byte(recs[lo].key), Upper: []byte(recs[hi].key)}
	for _, room := range []bool{false, true} {
		r, h := openHinted(t, file, room)
		from, _ := r.index.span(r.index.search(o.Lower), 0)
		_, to := r.index.span(0, r.index.search(o.Upper))
		it := r.NewIter(o)
		forward := func() {
			i := lo
			for e := it.SeekGE(o.Lower, base.SeqMax); e != nil && string(e.Key) < string(o.Upper); e = it.Next() {
				if i++; string(e.Value) != recs[i-1].value {
					t.Fatalf("record %d is %s", i-1, e.Key)
				}
			}
			if i != hi {
				t.Errorf("room %v: the walk ended at %d, %v", room, i, it.Err())
			}
		}
		backward := func() {
			i := hi
			for e := it.SeekLT(o.Upper); e != nil && string(e.Key) >= string(o.Lower); e = it.Prev() {
				if i--; string(e.Value) != recs[i].value {
					t.Fatalf("record %d is %s", i, e.Key)
				}
			}
			if i != lo {
				t.Errorf("room %v: the walk back ended at %d, %v", room, i, it.Err())
			}
		}
		for i, walk := range []func(){forward, backward} {
			walk()
			for _, s := range append(h.reads, h.hints...) {
				if s[0] < from || s[1] > to {
					t.Errorf("room %v: %v was asked for, outside [%d, %d)", room, s, from, to)
				}
			}
			if got := []int{len(h.ahead), len(h.hints)}; !room && got[i] == 0 {
				t.Error("a long walk gave no hint")
			}
		}
		it.Close()
	}
}

// What was read ahead and is damaged, or cannot be read, is no error of a walk that does
// not come to it.
func TestAnErrorAheadIsMetWhereItLies(t *testing.T) {
	recs, file := wideValues(t, 2000)
	plain := mustOpen(t, file, ReaderOptions{})
	const bad = 40 // block
	offset, length := plain.index.handle(bad)
	place, first := offset+length/2, int(plain.index.before(bad))
	behind := int(plain.index.before(bad + 1))
	damaged := bytes.Clone(file)
	damaged[place] ^= 1
	for _, room := range []bool{false, true} {
		for _, damage := range []bool{false, true} {
			for _, backward := range []bool{false, true} {
				t.Run(fmt.Sprintf("room %v, damage %v, backward %v", room, damage, backward), func(t *testing.T) {
					content := file
					if damage {
						content = damaged
					}
					r, h := openHinted(t, content, room)
					if !damage {
						h.broken = place
					}
					it := r.NewIter(IterOptions{})
					defer it.Close()
					n, want, e := 0, first, it.First()
					move := it.Next
					if backward {
						want, e, move = len(recs)-behind, it.Last(), it.Prev
					}
					for ; e != nil; e = move() {
						n++
					}
					if n != want {
						t.Errorf("%d records before the block that is broken, want %d", n, want)
					}
					if err := it.Err(); damage && !errors.Is(err, base.ErrCorruption) || !damage && !errors.Is(err, errBadSector) {
						t.Errorf("the walk ends with %v", err)
					}
					if h.broken = 0; !damage {
						e = it.SeekGE([]byte(recs[first].key), base.SeqMax)
						if e == nil || string(e.Value) != recs[first].value {
							t.Errorf("the block cannot be read later: %v", it.Err())
						}
					}
				})
			}
		}
	}
}

// A seek that was begun reads what it would have read, and says so beforehand.
func TestABegunSeekIsTheSeekItself(t *testing.T) {
	recs, file := wideValues(t, 2000)
	for _, room := range []bool{false, true} {
		r, h := openHinted(t, file, room)
		it := r.NewIter(IterOptions{})
		defer it.Close()
		for _, at := range []int{1999, 0, 1000, 3, 1001, 1500} {
			for _, backward := range []bool{false, true} {
				h.reads, h.hints = nil, nil
				key := []byte(recs[at].key)
				reads := it.Aim(key, backward)
				if reads {
					it.Begin()
				}
				seek, want := func() *iterator.Entry { return it.SeekGE(key, base.SeqMax) }, at
				if backward {
					seek, want = func() *iterator.Entry { return it.SeekLT(key) }, at-1
				}
				switch e := seek(); {
				case want < 0 && e != nil, want >= 0 && (e == nil || string(e.Value) != recs[want].value):
					t.Fatalf("the seek to record %d, backward %v, found %v", at, backward, e)
				case len(h.reads) > 0 && !reads:
					t.Errorf("record %d, backward %v: a read that was not announced", at, backward)
				case len(h.reads) > 0 && (len(h.hints) != 1 || h.hints[0] != h.reads[0]):
					t.Errorf("record %d, backward %v: asked for %v, read %v", at, backward, h.hints, h.reads)
				}
			}
		}
		if reads := it.Aim([]byte(recs[1500].key), false); room && reads {
			t.Error("a seek into a cached block is said to read")
		}
	}
}

// Walks and reads of a cache that is smaller than the table see what was written,
// whoever's memory is used again meanwhile.
func TestWalksSideBySideKeepTheirBlocks(t *testing.T) {
	recs, file := wideValues(t, 3000)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(int64(len(file)) * 2 / 3)})
	defer r.Close()
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			it := r.NewIter(IterOptions{})
			defer it.Close()
			for range 300 {
				at, n := rng.IntN(len(recs)), 1+rng.IntN(100)
				if rng.IntN(4) == 0 {
					var l Loan
					v, _, ok, err := r.Get([]byte(recs[at].key), xxhash.Sum64String(recs[at].key), base.SeqMax, &l)
					if !ok || err != nil || string(v) != recs[at].value {
						t.Errorf("record %d is %d bytes, %v, %v", at, len(v), ok, err)
						return
					}
					l.Return()
				}
				step, move, e := 1, it.Next, (*iterator.Entry)(nil)
				if rng.IntN(2) == 0 {
					step, move, e = -1, it.Prev, it.SeekLT([]byte(recs[at].key+"!"))
				} else {
					e = it.SeekGE([]byte(recs[at].key), base.SeqMax)
				}
				for ; n > 0 && at >= 0 && at < len(recs); n-- {
					if e == nil || string(e.Key) != recs[at].key || string(e.Value) != recs[at].value {
						t.Errorf("record %d is %v, %v", at, e, it.Err())
						return
					}
					at, e = at+step, move()
				}
			}
		})
	}
	all.Wait()
}

// A long walk waits no more often where it comes to the next table of a run.
func TestAWalkGoesOnInTheNextTableAsFarAhead(t *testing.T) {
	recs, file := wideValues(t, 3000)
	walk := func(it *Iter, backward bool) {
		t.Helper()
		n := 0
		first, move := it.First, it.Next
		if backward {
			first, move = it.Last, it.Prev
		}
		for e := first(); e != nil; e = move() {
			n++
		}
		if n != len(recs) {
			t.Fatalf("%d records of %d: %v", n, len(recs), it.Err())
		}
	}
	for _, backward := range []bool{false, true} {
		r, h := openHinted(t, file, true)
		next, hn := openHinted(t, file, true)
		it := r.NewIter(IterOptions{})
		walk(it, backward)
		alone := len(h.reads)
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		it.Continue(next, IterOptions{})
		walk(it, backward)
		if got := len(hn.reads); got > alone-3 {
			t.Errorf("backward %v: %d reads in the next table, %d in the first", backward, got, alone)
		}
		if first := total(hn.reads[:1]); first < maxAhead-20<<10 {
			t.Errorf("backward %v: the first read of the next table has %d bytes", backward, first)
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if !backward && !slices.Equal(hn.ahead, []bool{true, false}) {
			t.Errorf("that the file system may read ahead in the next table was said as %v", hn.ahead)
		}

		// A seek goes on with nothing.
		seek, hs := openHinted(t, file, true)
		it.Continue(seek, IterOptions{})
		if it.SeekGE([]byte(recs[1000].key), base.SeqMax) == nil || len(hs.reads) != 1 || total(hs.reads) > 20<<10 {
			t.Errorf("a seek read %v", hs.reads)
		}
		it.Close()
	}
}
