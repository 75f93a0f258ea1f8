package commit

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

func TestHeadroomIsWhatFlushesAndMergesNeed(t *testing.T) {
	for _, c := range []struct{ unflushed, young, last, want int64 }{
		{0, 0, 0, minMerge},
		{5 << 20, 0, 80 << 20, 15 << 20},
		{5 << 20, 7 << 20, 80 << 20, 22 << 20},
		{64 << 20, 0, 100 << 30, 64<<20 + maxMerge},
		{64 << 20, 2 << 30, 0, 64<<20 + maxMerge},
	} {
		if got := headroom(c.unflushed, c.young, c.last); got != c.want {
			t.Errorf("headroom(%d, %d, %d) = %d, want %d", c.unflushed, c.young, c.last, got, c.want)
		}
	}
}

func TestChangeThatTakesAsMuchAsItGivesFrees(t *testing.T) {
	for _, c := range []struct {
		puts, deletes int
		want          bool
	}{{0, 1, true}, {1, 0, false}, {1, 1, true}, {2, 1, false}, {1, 2, true}} {
		ch := NewChange()
		for i := range c.puts {
			ch.AddOp(record.Op{Attr: base.MakeAttr(base.KindPut, uint8(record.TypeString), false), Key: []byte{1, byte(i)}, Value: []byte("v")})
		}
		for i := range c.deletes {
			ch.AddOp(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: []byte{2, byte(i)}})
		}
		if got := ch.frees(); got != c.want {
			t.Errorf("%d puts and %d deletes free: %v", c.puts, c.deletes, got)
		}
		ch.Free()
	}
}

// The merge for which it is made would wait for its own end.
func TestWhatAMergeTellsOnAFullDiskWaitsForNoMerge(t *testing.T) {
	waited := false
	s := &Section{hooks: Hooks{Ended: func() bool { waited = true; return true }}}
	for _, ofMerge := range []bool{false, true} {
		c := NewChange()
		c.AddOp(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: []byte{2}})
		c.OfMerge = ofMerge
		if again := s.spaceMayCome(c, base.ErrNoSpace, 1); again == ofMerge || waited == ofMerge {
			t.Errorf("of a merge %v: tried again %v, waited %v", ofMerge, again, waited)
		}
		waited = false
		c.Free()
	}
}
