package commit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// drawnOp is an operation of any kind, whose value is small, or large now and then.
func drawnOp(rng *rand.Rand, large int) record.Op {
	o := record.Op{Key: fmt.Appendf(nil, "\x01%d", rng.IntN(1_000_000))}
	switch rng.IntN(10) {
	case 0:
		o.Attr = base.MakeAttr(base.KindRangeDelete, 0, false)
		o.Value = append(bytes.Clone(o.Key), 'x')
	case 1, 2:
		o.Attr = base.MakeAttr(base.KindDelete, 0, false)
	default:
		o.Attr, o.Expiry = base.MakeAttr(base.KindPut, 0, true), 1+rng.Int64N(1<<40)
		n := rng.IntN(20)
		if large > 0 && rng.IntN(100) == 0 {
			n = rng.IntN(large)
		}
		o.Value = bytes.Repeat([]byte{byte(n)}, n)
	}
	return o
}

func sameOp(a, b record.Op) bool {
	return a.Attr == b.Attr && a.Expiry == b.Expiry && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

// TestOperationsAreReadInAnyOrder adds operations of all sizes, and reads them forward,
// backward and here and there, while others are added.
func TestOperationsAreReadInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 0))
	for _, large := range []int{0, 3 << 10, 20 << 10, 100 << 10} {
		var c operations
		var all []record.Op
		check := func(i int) {
			t.Helper()
			got, want := c.Op(i), all[i]
			if !sameOp(got, want) {
				t.Fatalf("operation %d of %d is %v, want %v", i, len(all), got, want)
			}
			hash := base.HashRow(want.Key)
			if want.Attr.Kind() == base.KindRangeDelete {
				hash = 0
			}
			if got := c.Hash(i); got != hash {
				t.Fatalf("operation %d has the hash %x, want %x", i, got, hash)
			}
		}
		puts, size := 0, 0
		for range 3000 {
			o := drawnOp(rng, large)
			c.AddOp(o)
			all = append(all, o)
			if size += len(o.Key) + len(o.Value); o.Attr.Kind() == base.KindPut {
				puts++
			}
			if rng.IntN(10) == 0 {
				check(rng.IntN(len(all)))
			}
		}
		for i := range all {
			check(i)
		}
		for i := len(all) - 1; i >= 0; i -= 7 {
			check(i)
		}
		if c.Len() != len(all) || c.puts != puts || c.bytes != int64(size) {
			t.Errorf("%d operations, %d puts, %d bytes; want %d, %d, %d", c.Len(), c.puts, c.bytes, len(all), puts, size)
		}
		if log := bytes.Join(append(c.full, c.tail), nil); int64(len(log)) != c.Encoded() {
			t.Errorf("%d bytes for the log, want %d", c.Encoded(), len(log))
		} else if again, one := (&Change{}), OnePiece(log); again.Fill(&one, false, 0) != nil || again.Len() != len(all) || !sameOp(again.Op(len(all)-1), all[len(all)-1]) {
			t.Error("the pieces one behind the other are not the operations")
		}
	}
}

// TestABatchInPiecesIsTheSameChange: whatever the sizes, and once more after a Reset, which
// keeps the memory.
func TestABatchInPiecesIsTheSameChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 0))
	var p Pieces
	for _, large := range []int{0, 200 << 10, 3 << 10} {
		p.Reset()
		var all []record.Op
		for range 2000 {
			o := drawnOp(rng, large)
			all = append(all, o)
			if o.Attr.Kind() == base.KindRangeDelete {
				p.AddEncoded(o)
			} else {
				p.AddRow(o.Attr, o.Expiry, nil, o.Key[1:], o.Value)
			}
		}
		for _, relative := range []bool{false, true} {
			c := NewChange()
			if err := c.Fill(&p, relative, 5); err != nil || c.Len() != len(all) {
				t.Fatalf("%d operations, %v, want %d", c.Len(), err, len(all))
			}
			for i, want := range all {
				if relative && want.Expiry != 0 {
					want.Expiry += 5
				}
				if got := c.Op(i); !sameOp(got, want) {
					t.Fatalf("operation %d is %v, want %v", i, got, want)
				}
			}
			c.Free()
		}
	}
	p.Reset()
	if n := testing.AllocsPerRun(10, func() {
		for range 1000 {
			p.AddRow(base.MakeAttr(base.KindDelete, 0, false), 0, nil, []byte("key"), nil)
		}
		p.Reset()
	}); n > 0 {
		t.Errorf("filling it again allocates %v times", n)
	}
}

// TestOperationsHoldLittleMoreThanTheirBytes: what is not used of pieces is a sixteenth of
// the whole, and less for operations that have pieces of their own.
func TestOperationsHoldLittleMoreThanTheirBytes(t *testing.T) {
	for name, sizes := range map[string][]int{
		"empty values":    {0},
		"tiny values":     {8},
		"200 bytes":       {200},
		"5 KiB":           {5 << 10},
		"10 KiB":          {10 << 10},
		"70 KiB":          {70 << 10},
		"tiny and large":  {8, 70 << 10},
		"tiny and medium": {8, 8, 8, 3 << 10},
	} {
		var c operations
		for i := 0; c.Encoded() < 1<<20; i++ {
			c.AddOp(record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: fmt.Appendf(nil, "%8d", i), Value: make([]byte, sizes[i%len(sizes)])})
		}
		if used := float64(c.Memory()) / float64(c.Encoded()); used > 1.15 {
			t.Errorf("%s: %d bytes are held for %d: %.2f", name, c.Memory(), c.Encoded(), used)
		}
	}
}
