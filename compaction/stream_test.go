package compaction

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/sstable"
)

// streamJob is a run of 200 plain records, k000@1 to k199@200, in blocks, and
// a newer one with few.
func streamJob(block int, newer []iterator.Entry, ranges ...rangedel.Tombstone) Job {
	var records []iterator.Entry
	for i := range 200 {
		records = append(records, putEntry(string(row(fmt.Sprintf("k%03d", i))), "v", base.SeqNum(i+1), 0))
	}
	big := iterator.NewSlice(records)
	big.BlockLen = block
	return Job{Now: 1, Level: lastLevel, TableSize: 1 << 20, Inputs: []Source{
		{Iter: iterator.NewSlice(newer), Records: int64(len(newer)), RangeDeletes: rangedel.New(ranges)},
		{Iter: big, Records: 200},
	}}
}

// outcome lists what a job's tables hold: sequences by key.
func outcome(t *testing.T, job Job) (map[string]base.SeqNum, Stats) {
	t.Helper()
	s := newStore(t, Config{})
	r, err := Merge(job, s.env())
	if err != nil {
		t.Fatal(err)
	}
	seqs := map[string]base.SeqNum{}
	for _, table := range r.Tables {
		it := s.reader(table.Num).NewIter(sstable.IterOptions{})
		for e := it.First(); e != nil; e = it.Next() {
			seqs[fmt.Sprintf("%s=%s", unrow(e.Key), e.Value)] = e.Seq
		}
	}
	return seqs, r.Stats
}

// TestStreamingChangesNoOutcome merges the same records with and without blocks:
// a streamed record may keep its sequence where the slow way zeroes it, but not
// more than that.
func TestStreamingChangesNoOutcome(t *testing.T) {
	newer := []iterator.Entry{putEntry(string(row("k100")), "new", 301, 0), deleteEntry(string(row("k150")), 302), putEntry(string(row("k151x")), "new", 303, 0)}
	tomb := rangedel.Tombstone{Start: row("k060"), End: row("k064"), Seq: 304}
	for _, c := range []struct {
		name   string
		points []base.ReadPoint
		older  *Span
		newer  []iterator.Entry
		ranges []rangedel.Tombstone
	}{
		{name: "alone"},
		{name: "newer records", newer: newer},
		{name: "a range tombstone inside a block", ranges: []rangedel.Tombstone{tomb}},
		{name: "a reader in the middle", points: []base.ReadPoint{{Seq: 90}}},
		{name: "a reader before the end", points: []base.ReadPoint{{Seq: 199}}},
		{name: "something older in the middle", older: &Span{Lo: row("k083"), Hi: row("k084")}},
		{name: "everything", newer: newer, ranges: []rangedel.Tombstone{tomb}, points: []base.ReadPoint{{Seq: 150}}, older: &Span{Lo: row("k010"), Hi: row("k011")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(block int) (map[string]base.SeqNum, Stats) {
				job := streamJob(block, c.newer, c.ranges...)
				job.ReadPoints = c.points
				if c.older != nil {
					job.Older = &Older{}
					job.Older.Add(*c.older)
				}
				return outcome(t, job)
			}
			want, slow := run(0)
			for _, block := range []int{16, 40, 200} {
				got, fast := run(block)
				if len(got) != len(want) || fast.In != slow.In || fast.Out != slow.Out || fast.BytesIn != slow.BytesIn {
					t.Fatalf("blocks of %d: %v, want %v", block, fast, slow)
				}
				for key, seq := range want {
					if s, ok := got[key]; !ok || s != seq && seq != 0 {
						t.Errorf("blocks of %d: %s has sequence %d (%v), want %d", block, key, s, ok, seq)
					}
				}
				if c.older == nil && c.points == nil && fast.Zeroed != slow.Zeroed {
					t.Errorf("blocks of %d: %d zeroed, want %d", block, fast.Zeroed, slow.Zeroed)
				}
			}
		})
	}
}
