package memtable

import (
	"math"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// fillUntil adds records of about a KiB until the table wants a chunk, and returns
// the number behind the last; at most bytes are added.
func fillUntil(t *Table, from, bytes int) (next int, wants bool) {
	value := make([]byte, 1<<10)
	for i := from; i < from+bytes/len(value); i++ {
		addNumber(t, i, value)
		if t.Wants() {
			return i + 1, true
		}
	}
	return from + bytes/len(value), false
}

func addNumber(t *Table, i int, value []byte) {
	key := []byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
	t.Add(xxhash.Sum64(key), key, base.Trailer{Seq: base.SeqNum(i), Attr: base.MakeAttr(base.KindPut, 0, false)}, value)
}

func TestPreparedChunkIsTheOneOpenedNext(t *testing.T) {
	var chunks Chunks
	table := chunks.New(64 << 20)
	next, wants := fillUntil(table, 1, 4<<20)
	if !wants {
		t.Fatal("a table with room for many chunks wants none")
	}
	chunks.prepare()
	chunks.prepare()
	if got := chunks.Bytes(); got != chunkBytes {
		t.Errorf("preparing twice took %d bytes, want a chunk of %d", got, chunkBytes)
	}
	before := allocated()
	next, wants = fillUntil(table, next, 4<<20)
	if !wants {
		t.Error("the prepared chunk was opened, and no other is wanted")
	}
	if took := allocated() - before; took > chunkBytes/2 {
		t.Errorf("filling up to the prepared chunk allocated %d bytes", took)
	}
	before = allocated()
	if _, wants = fillUntil(table, next, 4<<20); !wants || allocated()-before < chunkBytes {
		t.Errorf("what nobody prepared was not allocated: %d bytes, wants %v", allocated()-before, wants)
	}
}

func TestChunkIsWantedOnlyIfItWillBeFilled(t *testing.T) {
	for _, c := range []struct{ room, least, most int }{
		{1 << 20, 0, 0},
		{2 << 20, 0, 0},
		{16 << 20, 12, 15},
	} {
		var chunks Chunks
		table, wanted := chunks.New(c.room), 0
		value := make([]byte, 1<<10)
		for i := 1; table.Fits(1, 4+1<<10); i++ {
			addNumber(table, i, value)
			if table.Wants() {
				wanted++
				table.Prepare()
			}
		}
		if wanted < c.least || wanted > c.most {
			t.Errorf("a table of %d bytes wanted %d chunks, want %d to %d", c.room, wanted, c.least, c.most)
		}
		if n := chunks.Bytes(); n > chunkBytes {
			t.Errorf("a full table of %d bytes leaves %d ahead", c.room, n)
		}
	}
}

func TestNoChunkIsWantedWhileReleasedOnesAreLeft(t *testing.T) {
	var chunks Chunks
	old, table := chunks.New(16<<20), chunks.New(16<<20)
	for i := range 8 << 10 {
		addNumber(old, i, make([]byte, 1<<10))
	}
	old.Release()
	if n := chunks.Bytes(); n < 6<<20 {
		t.Fatalf("%d MiB left %d bytes of full chunks", 8, n)
	}
	next, wants := 1, false
	for !wants {
		next, wants = fillUntil(table, next, 16<<20)
	}
	if n := chunks.Bytes(); n != 0 || table.Bytes() < 6<<20 {
		t.Errorf("a chunk is wanted when %d bytes of old ones are left", n)
	}
}

func TestChunksArePreparedBesideAdditions(t *testing.T) {
	var chunks Chunks
	table, value := chunks.New(32<<20), make([]byte, 4<<10)
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					chunks.prepare()
					_ = chunks.Bytes()
				}
			}
		})
	}
	const n = 4000
	for i := 1; i <= n; i++ {
		for j := range value {
			value[j] = byte(i)
		}
		addNumber(table, i, value)
	}
	close(done)
	group.Wait()
	for i := 1; i <= n; i++ {
		key := []byte{0, 0, byte(i >> 8), byte(i)}
		if v, _, ok := table.Get(xxhash.Sum64(key), key, base.SeqMax); !ok || v[0] != byte(i) || v[len(v)-1] != byte(i) {
			t.Fatalf("key %d: %v, found %v", i, v, ok)
		}
	}
}

func TestHashTableGrowsIntoTheOneMadeAhead(t *testing.T) {
	table := New(256 << 20)
	for i := 0; table.index.ahead.Load() == nil; i++ {
		if addNumber(table, i, nil); i > leastAhead {
			t.Fatal("no table is made ahead")
		}
		if table.Wants() {
			table.Prepare()
		}
	}
	ahead, n := table.index.ahead.Load(), table.Len()
	for i := n; table.index.table.Load() != ahead; i++ {
		if addNumber(table, i, nil); i > leastAhead {
			t.Fatal("the index did not grow into the table made ahead")
		}
	}
	if table.index.ahead.Load() != nil {
		t.Error("the table in use still lies ready")
	}
	for i := range table.Len() {
		key := []byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		if _, tr, ok := table.Get(xxhash.Sum64(key), key, base.SeqMax); !ok || tr.Seq != base.SeqNum(i) {
			t.Fatalf("key %d: found %v, %v", i, ok, tr)
		}
	}
	table.index.ahead.Store(newHashTable(firstSlots))
	if table.Reserve(1 << 20); table.index.table.Load().slots == nil || len(table.index.table.Load().slots) < 1<<20 {
		t.Error("an index grew into a table of another size")
	}
}

func TestFetchMayBeAskedForAnyHash(t *testing.T) {
	table := New(1 << 20)
	key := []byte("key")
	for _, hash := range []uint64{0, 1, math.MaxUint64, 1 << 63, xxhash.Sum64(key)} {
		table.Fetch(hash)
	}
	if _, _, ok := table.Get(xxhash.Sum64(key), key, base.SeqMax); ok || !table.Empty() {
		t.Error("fetching left something behind")
	}
}
