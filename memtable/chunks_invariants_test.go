//go:build invariants

package memtable

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Who keeps what a table lent beyond the table's release sees that it is spoiled.
func TestChunksThatAreFreeAreSpoiled(t *testing.T) {
	var c Chunks
	table := c.New(4 << 20)
	value := bytes.Repeat([]byte("v"), 900)
	row := func(i int) []byte { return binary.BigEndian.AppendUint32([]byte("row"), uint32(i)) }
	for i := range 3000 {
		table.Add(base.HashRow(row(i)), row(i), base.Trailer{Seq: base.SeqNum(i + 1), Attr: base.MakeAttr(base.KindPut, 1, false)}, value)
	}
	var lent [][]byte
	for i := range 3000 {
		v, _, ok := table.Get(base.HashRow(row(i)), row(i), base.SeqMax)
		if !ok {
			t.Fatalf("row %d is missing", i)
		}
		lent = append(lent, v)
	}
	table.Release()
	c.Poison()
	spoiled := int64(0)
	for _, v := range lent {
		if !bytes.Equal(v, value) {
			spoiled += int64(len(v))
		}
	}
	if free := c.Bytes(); free == 0 || spoiled < free/2 {
		t.Errorf("%d bytes of values are spoiled, of %d that are free", spoiled, free)
	}
}
