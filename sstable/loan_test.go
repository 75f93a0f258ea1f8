package sstable

import (
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
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
		}); n > 0.5 { // the pool may be emptied meanwhile
			t.Errorf("%v: a read on loan allocates %v times", c, n)
		}
		var l Loan
		if _, _, ok, err := r.Get(absent, hash, base.SeqMax, &l); ok || err != nil {
			t.Errorf("%v: an absent key: %v, %v", c, ok, err)
		}
		l.Return()
	}
}

func TestValueInTheIteratorsOwnMemoryIsNotLasting(t *testing.T) {
	file, recs := wideTable(t, S2)
	own, cached := full(t, file).NewIter(IterOptions{}), mustOpen(t, file, ReaderOptions{Cache: cache.New(64 << 20)}).NewIter(IterOptions{})
	defer own.Close()
	defer cached.Close()
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
