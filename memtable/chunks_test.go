package memtable

import (
	"bytes"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestAReleasedTablesMemoryIsTheNextOnes(t *testing.T) {
	var chunks Chunks
	value := bytes.Repeat([]byte{'v'}, 1<<10)
	key := func(i int) []byte { return []byte{byte(i >> 8), byte(i)} }
	fill := func(table *Table, n int) {
		for i := range n {
			tr := base.Trailer{Seq: base.SeqNum(i + 1), Attr: base.MakeAttr(base.KindPut, 0, false)}
			table.Add(xxhash.Sum64(key(i)), key(i), tr, value)
		}
	}
	first := chunks.New(16 << 20)
	fill(first, 8000)
	if chunks.Bytes() != 0 {
		t.Fatal("a table in use has given chunks away")
	}
	first.Release()
	kept := chunks.Bytes()
	if kept < 6*chunkBytes {
		t.Fatalf("a table of 8 MiB leaves %d bytes", kept)
	}
	second := chunks.New(16 << 20)
	fill(second, 4000)
	if left := chunks.Bytes(); left > kept-3*chunkBytes {
		t.Errorf("of %d bytes %d are left by a table of 4 MiB", kept, left)
	}
	for i := range 8000 {
		v, _, ok := second.Get(xxhash.Sum64(key(i)), key(i), base.SeqMax)
		if ok != (i < 4000) || ok && !bytes.Equal(v, value) {
			t.Fatalf("key %d: found %v, %.10q", i, ok, v)
		}
	}
	if let := chunks.Shrink(chunkBytes); let < chunkBytes || chunks.Bytes() != chunkBytes {
		t.Errorf("shrunk by %d bytes to %d", let, chunks.Bytes())
	}
}
