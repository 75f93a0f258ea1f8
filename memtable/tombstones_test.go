package memtable

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

func TestRangeDeletesAnswerLikeAPlainListOfThem(t *testing.T) {
	r := newSeed(t)
	table := New(1 << 20)
	if table.RangeDeletes() != nil || table.CoverSeq([]byte("a"), base.SeqMax) != 0 {
		t.Fatal("a new table deletes something")
	}
	var all []rangedel.Tombstone
	key := func() []byte { return fmt.Appendf(nil, "k%02d", r.IntN(100)) }
	for seq := base.SeqNum(1); seq <= 200; seq++ {
		lo, hi := key(), key()
		table.AddRangeDelete(lo, hi, seq)
		all = append(all, rangedel.Tombstone{Start: append([]byte(nil), lo...), End: append([]byte(nil), hi...), Seq: seq})
		clear(lo) // the table has copied them
		clear(hi)
		want := rangedel.New(append([]rangedel.Tombstone(nil), all...))
		if got := table.RangeDeletes().String(); got != want.String() {
			t.Fatalf("after %d:\n%s\nwant\n%s", seq, got, want)
		}
		for range 20 {
			k, limit, to := key(), base.SeqNum(r.IntN(int(seq)+2)), key()
			if got := table.CoverSeq(k, limit); got != want.Cover(k, limit) {
				t.Fatalf("CoverSeq(%q, %d) = %d, want %d", k, limit, got, want.Cover(k, limit))
			}
			if got := table.RangeDeletesNewer(k, to, limit); got != want.Overlaps(k, to, limit) {
				t.Fatalf("RangeDeletesNewer(%q, %q, %d) = %v", k, to, limit, got)
			}
		}
	}
	if table.MaxSeq() != 200 || table.MinSeq() != 1 || table.Empty() || table.Len() != 0 {
		t.Errorf("sequences %d to %d, Empty %v, Len %d", table.MinSeq(), table.MaxSeq(), table.Empty(), table.Len())
	}
}

func TestAddingManyRangeDeletesIsNotQuadratic(t *testing.T) {
	const n = 1 << 14
	table := New(8 << 20)
	joined := 0
	for i := range n {
		table.AddRangeDelete(fmt.Appendf(nil, "k%06d", 2*i), fmt.Appendf(nil, "k%06d", 2*i+1), base.SeqNum(i+1))
		runs := table.deleted.Load().runs
		joined += runs[len(runs)-1].size
		if len(runs) > 15 {
			t.Fatalf("%d runs after %d", len(runs), i+1)
		}
	}
	if joined > 10*n {
		t.Errorf("joined %d tombstones for %d", joined, n)
	}
	if got := len(table.RangeDeletes().Newest()); got != n {
		t.Errorf("%d stretches", got)
	}
}

func TestReaderOfOldRangeDeletesKeepsWhatItHas(t *testing.T) {
	table := New(1 << 20)
	table.AddRangeDelete([]byte("a"), []byte("m"), 1)
	old := table.RangeDeletes()
	table.AddRangeDelete([]byte("b"), []byte("c"), 2)
	if old.String() != "[a-m)#1" {
		t.Errorf("it became %s", old)
	}
}
