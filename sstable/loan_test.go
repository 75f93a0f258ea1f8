package sstable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// full returns a reader of a table whose cache has no room.
func full(t *testing.T, file []byte) *Reader {
	c := cache.New(64 << 10)
	c.Reserve(64 << 10)
	return mustOpen(t, file, ReaderOptions{Cache: c})
}

func TestReadsOnLoanAreRightAndAllocateNothing(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		file, recs := wideTable(t, c)
		r := full(t, file)
		for _, rc := range recs {
			var l Loan
			v, _, ok, err := r.Get([]byte(rc.key), xxhash.Sum64String(rc.key), base.SeqMax, &l)
			if err != nil || !ok || string(v) != rc.value {
				t.Fatalf("%v: %q is %q, %v, %v; want %q", c, rc.key, v, ok, err, rc.value)
			}
			if l.block == nil {
				t.Fatalf("%v: a full cache took the block of %q", c, rc.key)
			}
			l.Return()
			l.Return()
		}
		key, absent := []byte(recs[777].key), []byte("key-absent")
		hash := xxhash.Sum64(key)
		if n := testing.AllocsPerRun(100, func() {
			var l Loan
			r.Get(key, hash, base.SeqMax, &l)
			l.Return()
		}); n > 0.5 && !invariants.Enabled { // the pool may be emptied meanwhile; a build with invariants may allocate
			t.Errorf("%v: a read on loan allocates %v times", c, n)
		}
		var l Loan
		if _, _, ok, err := r.Get(absent, hash, base.SeqMax, &l); ok || err != nil {
			t.Errorf("%v: an absent key: %v, %v", c, ok, err)
		}
		l.Return()
	}
}

// Tables of one key each have their own row of it, in the one cache there is.
func TestRowsOfSeveralTablesStayApart(t *testing.T) {
	c := cache.New(8 << 20)
	const tables, key = 5, "key"
	hash := xxhash.Sum64String(key)
	var readers []*Reader
	for i := range tables {
		recs := []rec{put(key, base.SeqNum(i+1), fmt.Sprint("value of table ", i))}
		for k := range 300 {
			recs = append(recs, put(fmt.Sprintf("other-%03d", k), 1, strings.Repeat("x", 40)))
		}
		file, _ := build(t, WriterOptions{BlockSize: 512, ID: uint64(i + 1)}, recs)
		readers = append(readers, mustOpen(t, file, ReaderOptions{Cache: c}))
	}
	others := make([]cache.Slot, 1024) // of blocks that fill the cache
	for i := range others {
		c.Store(&others[i], new(cache.Entry), 8<<10, true)
	}
	kept := 0
	for range 4 { // a row is kept when it is asked for again
		for i, r := range readers {
			var l Loan
			v, tr, ok, err := r.Get([]byte(key), hash, base.SeqMax, &l)
			if err != nil || !ok || string(v) != fmt.Sprint("value of table ", i) || tr.Seq != base.SeqNum(i+1) {
				t.Errorf("table %d has %q#%d, %v, %v", i, v, tr.Seq, ok, err)
			}
			if _, _, ok := r.row([]byte(key), hash, base.SeqMax, &l); ok {
				kept++
			}
			l.Return()
		}
	}
	if kept < tables {
		t.Errorf("the cache has a row in %d of %d looks: nothing was tried", kept, 4*tables)
	}
}

// brittle fails to read once it is told to.
type brittle struct {
	io.ReaderAt
	err error
}

func (b *brittle) ReadAt(p []byte, off int64) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.ReaderAt.ReadAt(p, off)
}

// A look-up that could not read must not say that the key is not there, whichever
// way its record would have come: a whole block, keys alone and a page, on loan or
// into the cache.
func TestFailedReadIsNotAMissingKey(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		file, recs := wideTable(t, c)
		for _, room := range []int64{0, 64 << 10, 256 << 10, 16 << 20} {
			for _, loan := range []bool{false, true} {
				disk := &brittle{ReaderAt: bytes.NewReader(file)}
				o := ReaderOptions{Name: "000001.sst"}
				if room > 0 {
					o.Cache = cache.New(room)
				}
				r, err := Open(disk, int64(len(file)), o)
				if err != nil {
					t.Fatal(err)
				}
				look := func(key string) error {
					var l *Loan
					if loan {
						l = &Loan{}
						defer l.Return()
					}
					_, _, ok, err := r.Get([]byte(key), xxhash.Sum64String(key), base.SeqMax, l)
					if ok == (err != nil) {
						t.Fatalf("%v, cache of %d, loan %v: %q: found %v, %v", c, room, loan, key, ok, err)
					}
					return err
				}
				failed := 0
				for i, rc := range recs {
					disk.err = nil
					if i%3 > 0 { // keys of its block may be cached, its page is not
						if err := look(rc.key); err != nil {
							t.Fatal(err)
						}
					}
					disk.err = io.ErrClosedPipe
					if err := look(rc.key); errors.Is(err, io.ErrClosedPipe) {
						failed++
					} else if err != nil {
						t.Fatal(err)
					}
				}
				if room < 16<<20 && failed == 0 {
					t.Errorf("%v, cache of %d, loan %v: no read failed", c, room, loan)
				}
				r.Close()
			}
		}
	}
}

// A value lasts if it lies in a block that somebody has for good: one that the iterator has
// just read is its own, or leased like one at which nobody else points, and its memory is
// used again.
func TestValueInTheIteratorsOwnMemoryIsNotLasting(t *testing.T) {
	file, recs := wideTable(t, S2)
	r := mustOpen(t, file, ReaderOptions{Cache: cache.New(64 << 20)})
	own, cached := full(t, file).NewIter(IterOptions{}), r.NewIter(IterOptions{})
	defer own.Close()
	defer cached.Close()
	for _, whose := range []string{"that was read for the iterator", "at which nobody else points"} {
		for e := cached.First(); e != nil; e = cached.Next() {
			if e.Lasting {
				t.Fatalf("the value of %q lasts, in a block %s", e.Key, whose)
			}
		}
	}
	for _, rc := range recs {
		if _, _, ok, err := r.Get([]byte(rc.key), xxhash.Sum64String(rc.key), base.SeqMax, nil); !ok || err != nil {
			t.Fatal(rc.key, ok, err)
		}
	}
	for i := range recs {
		e, c := own.Next, cached.Next
		if i == 0 {
			e, c = own.First, cached.First
		}
		if x, y := e(), c(); x.Lasting || !y.Lasting || string(x.Value) != string(y.Value) {
			t.Fatalf("record %d: lasting %v and %v, %q and %q", i, x.Lasting, y.Lasting, x.Value, y.Value)
		}
	}
}

// A block is as large as its largest value: a pool that keeps such a one holds it
// for as long as small values are read.
func TestMemoryOfAHugeBlockIsNotKept(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		rc := put("huge", 1, strings.Repeat("value ", keepBuffer/4))
		file, _ := build(t, WriterOptions{BlockSize: 4096, Compression: c}, []rec{rc})
		var l Loan
		v, _, ok, err := full(t, file).Get([]byte(rc.key), xxhash.Sum64String(rc.key), base.SeqMax, &l)
		if err != nil || !ok || string(v) != rc.value {
			t.Fatalf("%v: %d bytes, %v, %v", c, len(v), ok, err)
		}
		lent := l.block
		if lent == nil || max(cap(lent.sealed), cap(lent.raw)) <= keepBuffer {
			t.Fatalf("%v: the value is not on loan in memory of its own", c)
		}
		l.Return()
		for range 100 { // the pool may hand out others first
			if loans.Get().(*loanedBlock) == lent {
				t.Fatalf("%v: the block is kept", c)
			}
		}
	}
}

// Blocks that the cache lets go of are read into again. Values without a loan stay
// good for ever, and those on loan until it is returned.
func TestMemoryOfEvictedBlocksIsUsedAgainAndNeverWhileAValueIsLent(t *testing.T) {
	for _, c := range []Compression{NoCompression, S2} {
		file, recs := wideTable(t, c)
		r := mustOpen(t, file, ReaderOptions{Cache: cache.New(192 << 10)})
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 2))
				held := map[int][]byte{}
				for n := range 4000 {
					i := rng.IntN(len(recs))
					if rng.IntN(2) == 0 {
						i = rng.IntN(len(recs) / 20)
					}
					var l Loan
					lent := &l
					if rng.IntN(8) == 0 {
						lent = nil
					}
					v, _, ok, err := r.Get([]byte(recs[i].key), xxhash.Sum64String(recs[i].key), base.SeqMax, lent)
					if err != nil || !ok || string(v) != recs[i].value {
						t.Errorf("%v: %q is %q, %v, %v", c, recs[i].key, v, ok, err)
						return
					}
					if lent == nil {
						held[i] = v
					}
					if n%50 == 0 {
						runtime.Gosched()
					}
					if string(v) != recs[i].value {
						t.Errorf("%v: %q changes while it is lent", c, recs[i].key)
					}
					l.Return()
				}
				for i, v := range held {
					if string(v) != recs[i].value {
						t.Errorf("%v: %q has changed", c, recs[i].key)
					}
				}
			})
		}
		all.Wait()
		r.Close()
	}
}

// A merge reads the tables that it replaces, and their blocks are what the next ones need:
// neither it nor the walks before it may keep them from being used again.
func TestBlocksOfATableThatIsMergedAwayAreUsedAgain(t *testing.T) {
	file, _ := wideTable(t, S2)
	blocks := cache.New(64 << 20)
	r := mustOpen(t, file, ReaderOptions{Cache: blocks})
	for _, o := range []IterOptions{{}, {}, {Cold: true}} { // read, found, merged
		it := r.NewIter(o)
		for e := it.First(); e != nil; e = it.Next() {
		}
		it.Close()
	}
	held := blocks.Metrics().Blocks
	for i := range r.slots {
		if e, lease := r.slots[i].Borrow(false); e != nil && !lease {
			t.Errorf("block %d of %d is kept for good", i, held)
		} else if e != nil {
			e.EndLease()
		}
	}
	if held == 0 {
		t.Error("the cache has no block")
	}
	r.Close()
}

func TestASpareBlockHasRoomAndIsFoundBySize(t *testing.T) {
	for n := 1; n < 1<<16; n++ {
		if spareSize(n) < spareSize(n-1) {
			t.Fatalf("%d bytes are of a smaller size than %d", n, n-1)
		}
		if n >= 4 && spareSize(2*n) != spareSize(n)+4 {
			t.Fatalf("%d and %d bytes are of sizes %d and %d", n, 2*n, spareSize(n), spareSize(2*n))
		}
	}
	for _, n := range []int{0, 1 << 24, 1 << 30, math.MaxInt} {
		if i := spareSize(n); i < 0 || i >= spareSizes {
			t.Errorf("%d bytes are of size %d", n, i)
		}
	}
	var s spare
	for range 100 {
		for _, have := range []int{100, 5000, 9000, 16384, 18432} {
			s.put(&block{mem: make([]byte, have)})
		}
		for _, n := range []int{90, 16300, 9001, 4999, 1} {
			if b := s.buffer(n); len(b) != n {
				t.Fatalf("%d bytes for %d", len(b), n)
			}
		}
	}
}
