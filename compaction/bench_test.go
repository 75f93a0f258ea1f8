package compaction

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// discard is a file whose bytes go nowhere.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Sync() error                 { return nil }
func (discard) Close() error                { return nil }

// benchInputs makes k runs of n records in all, 16-byte keys and 128-byte values.
func benchInputs(b *testing.B, n, k int, shape string) (readers []*sstable.Reader) {
	r := rand.New(rand.NewPCG(1, 1))
	runs := make([][]int, k)
	for i := range n {
		run := r.IntN(k)
		if shape == "lastlevel" && r.IntN(5) > 0 {
			run = k - 1
		}
		runs[run] = append(runs[run], i)
	}
	value := make([]byte, 128)
	for i, run := range runs {
		f := &file{}
		w := sstable.NewWriter(f, sstable.WriterOptions{ID: uint64(i + 1)})
		for _, j := range run {
			e := putEntry(fmt.Sprintf("\x01user:%010d", j), "", base.SeqNum(j+1), 0)
			e.Value = value
			if err := w.Add(&e); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
		rd, err := sstable.Open(bytes.NewReader(f.Bytes()), int64(f.Len()), sstable.ReaderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		readers = append(readers, rd)
	}
	return readers
}

func BenchmarkMerge(b *testing.B) {
	const n = 200000
	for _, shape := range []string{"even", "lastlevel"} {
		for _, k := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprintf("%s/%d", shape, k), func(b *testing.B) {
				readers := benchInputs(b, n, k, shape)
				env := Env{NewTable: func() (NewTable, error) { return NewTable{Num: 1, ID: 1, Sink: discard{}}, nil }}
				b.SetBytes(n * (16 + 128))
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					job := Job{Now: 1, Level: lastLevel, TableSize: 8 << 20}
					for _, r := range readers {
						job.Inputs = append(job.Inputs, Source{Iter: r.NewIter(sstable.IterOptions{Cold: true}), Records: -1})
					}
					if _, err := Merge(job, env); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(n*144), "ns/B")
			})
		}
	}
}

// BenchmarkPick decides over a store of 100 GiB that has nothing to do, which
// looks at everything.
func BenchmarkPick(b *testing.B) {
	v := &manifest.Version{}
	num := base.FileNum(0)
	run := func(age uint64, level uint8, tables int, size uint64) {
		r := manifest.Run{Age: age, Level: level}
		step := uint64(1 << 40)
		for i := range uint64(tables) {
			num++
			t := &manifest.Table{Num: num, Level: level, Run: age}
			width := step / uint64(tables)
			t.Smallest, t.Largest = keyBytes(i*width), keyBytes((i+1)*width-1)
			t.Size, t.Puts, t.MaxSeq = size, size/144, base.SeqNum(age)
			r.Tables = append(r.Tables, t)
		}
		v.Runs = append(v.Runs, r)
	}
	for i := range uint64(6) {
		run(100-i, 0, 16, 4<<20)
	}
	for i := range uint64(4) {
		run(50-i, 1, 64, 8<<20)
	}
	for i := range uint64(3) {
		run(20-i, 2, 256, 8<<20)
	}
	run(0, lastLevel, 3200, 32<<20)
	for _, idle := range []bool{false, true} {
		b.Run(fmt.Sprintf("idle=%v", idle), func(b *testing.B) {
			in := Input{OldestReadSeq: base.SeqMax, OldestReadClock: 1, Now: 1, Idle: idle, Config: Config{GarbagePercent: 90, GarbageBytes: 1 << 40}}
			for range b.N {
				if c := Pick(v, in); c != nil {
					b.Fatal(c)
				}
			}
		})
	}
}

// BenchmarkFlush is the merge with one source in memory.
func BenchmarkFlush(b *testing.B) {
	const n = 100000
	var records []iterator.Entry
	value := string(make([]byte, 128))
	for i := range n {
		records = append(records, putEntry(fmt.Sprintf("\x01user:%010d", i), value, base.SeqNum(i+1), 0))
	}
	env := Env{NewTable: func() (NewTable, error) { return NewTable{Num: 1, ID: 1, Sink: discard{}}, nil }}
	b.SetBytes(n * 144)
	b.ReportAllocs()
	for range b.N {
		job := Job{Now: 1, TableSize: 8 << 20, Inputs: []Source{{Iter: iterator.NewSlice(records), Records: n}}}
		if _, err := Merge(job, env); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
