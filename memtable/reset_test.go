package memtable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// fillFor puts n keys of the round into t, with values that say which round they
// are of.
func fillFor(t *Table, round, n int) {
	for i := range n {
		key := binary.BigEndian.AppendUint64(fmt.Appendf(nil, "%d/", round%3), uint64(i)*0x9E3779B97F4A7C15)
		value := fmt.Appendf(nil, "round %d value %d", round, i)
		if i%1000 == 0 {
			value = append(value, make([]byte, LargeValue)...)
		}
		t.Add(xxhash.Sum64(key), key, base.Trailer{Seq: base.SeqNum(i + 1), Attr: base.MakeAttr(base.KindPut, 1, false)}, value)
	}
}

func TestResetTableIsLikeANewOne(t *testing.T) {
	var chunks Chunks
	used := chunks.New(4 << 20)
	for round := range 4 {
		n := 20_000 - 6_000*round
		if round > 0 {
			used.AddRangeDelete([]byte("a"), []byte("z"), 1<<30)
			used.Rebase(77)
			used.Release()
			used.Reset(4 << 20)
		}
		if !used.Empty() || used.Len() != 0 || used.MinSeq() != 0 || used.MaxSeq() != 0 || used.CoverSeq([]byte("b"), base.SeqMax) != 0 || used.Filled() > 1<<20 {
			t.Fatalf("round %d: a table that was reset is not empty", round)
		}
		fresh := New(4 << 20)
		fillFor(used, round, n)
		fillFor(fresh, round, n)
		if used.Len() != fresh.Len() || used.MaxSeq() != fresh.MaxSeq() {
			t.Fatalf("round %d: %d records up to %d, want %d up to %d", round, used.Len(), used.MaxSeq(), fresh.Len(), fresh.MaxSeq())
		}
		sameRecords(t, used, fresh)
	}
}

// sameRecords compares two tables by their iterators and by point reads.
func sameRecords(t *testing.T, a, b *Table) {
	t.Helper()
	x, y := a.NewIter(false), b.NewIter(false)
	defer x.Close()
	defer y.Close()
	n := 0
	p, q := x.First(), y.First()
	for ; p != nil && q != nil; p, q = x.Next(), y.Next() {
		if !bytes.Equal(p.Key, q.Key) || p.Trailer != q.Trailer || !bytes.Equal(p.Value, q.Value) {
			t.Fatalf("record %d: %q %v, want %q %v", n, p.Key, p.Trailer, q.Key, q.Trailer)
		}
		v, _, ok := a.Get(xxhash.Sum64(p.Key), p.Key, base.SeqMax)
		if !ok || !bytes.Equal(v, q.Value) {
			t.Fatalf("point read of %q after a reset: %q, %v", p.Key, v, ok)
		}
		n++
	}
	if p != nil || q != nil || n != b.Len() {
		t.Fatalf("the walk ended after %d of %d records", n, b.Len())
	}
}

func TestResetTableTakesNoFreshMemory(t *testing.T) {
	var chunks Chunks
	table, value := chunks.New(8<<20), make([]byte, 100)
	fill := func() {
		fillSmall(table, 0, 40_000, value)
	}
	renew := func() {
		table.Release()
		table.Reset(8 << 20)
	}
	fill()
	held := table.Bytes()
	renew()
	fill() // its first chunks were small; from now on they are all full ones
	renew()
	before := allocated()
	fill()
	if took := allocated() - before; took > uint64(held)/50 {
		t.Errorf("filling a reset table of %d bytes again allocated %d", held, took)
	}
	if all := table.Bytes() + chunks.Bytes(); all > held+held/8 {
		t.Errorf("the table held %d bytes, and %d when filled again", held, all)
	}
}

// fillSmall adds the keys of numbers from up to to.
func fillSmall(table *Table, from, to uint64, value []byte) {
	var key [8]byte
	for i := from; i < to; i++ {
		binary.BigEndian.PutUint64(key[:], i*0x9E3779B97F4A7C15)
		table.Add(xxhash.Sum64(key[:]), key[:], base.Trailer{Seq: base.SeqNum(i), Attr: base.MakeAttr(base.KindPut, 1, false)}, value)
	}
}

func TestTableBeingFilledTakesTheChunksOfAReleasedOne(t *testing.T) {
	var chunks Chunks
	old, next, value := chunks.New(8<<20), chunks.New(8<<20), make([]byte, 100)
	fillSmall(old, 0, 40_000, value)
	fillSmall(next, 0, 10_000, value)
	old.Release()
	free := chunks.Bytes()
	if free < 3<<20 {
		t.Fatalf("a table of %d bytes left %d of chunks", old.Bytes(), free)
	}
	before := allocated()
	fillSmall(next, 10_000, 20_000, value)
	if taken := free - chunks.Bytes(); taken < 1<<20 {
		t.Errorf("10,000 records more took %d bytes of chunks", taken)
	}
	if took := allocated() - before; took > 1<<20 {
		t.Errorf("and %d of fresh memory", took)
	}
	for i := range uint64(20_000) {
		key := binary.BigEndian.AppendUint64(nil, i*0x9E3779B97F4A7C15)
		if v, _, ok := next.Get(xxhash.Sum64(key), key, base.SeqMax); !ok || !bytes.Equal(v, value) {
			t.Fatalf("key %d: %q, %v", i, v, ok)
		}
	}
	had := chunks.Bytes()
	if gone := chunks.Shrink(1 << 20); gone != had-1<<20 || chunks.Bytes() != 1<<20 {
		t.Errorf("shrinking let go of %d bytes and left %d", gone, chunks.Bytes())
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestTableIsFullWhenRecordsAndIndexesTakeItsRoom(t *testing.T) {
	for _, n := range []int{0, 16, 100, 1000} {
		const room = 8 << 20
		table, value := New(room), make([]byte, n)
		var i uint64
		for ; table.Fits(1, int64(8+n)); i++ {
			fillSmall(table, i, i+1, value)
		}
		if got := table.Bytes(); got > room+room/8 || got < room/2 {
			t.Errorf("values of %d bytes: the full table holds %d bytes, its room is %d", n, got, room)
		}
	}
}

func TestResetTableKeepsNoneOfItsChunksAlive(t *testing.T) {
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var chunks Chunks
	table, before := chunks.New(32<<20), live()
	fillSmall(table, 0, 200_000, make([]byte, 100))
	table.Release()
	table.Reset(32 << 20)
	chunks.Shrink(0)
	if more := live() - before; more > table.Bytes()+1<<20 {
		t.Errorf("%d bytes are alive, the empty table says %d", more, table.Bytes())
	}
	runtime.KeepAlive(table)
}
