package compaction

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// file is a table's bytes in memory, and what was done to them.
type file struct {
	bytes.Buffer
	synced, closed bool
	failSync       bool
}

func (f *file) Write(b []byte) (int, error) {
	f.synced = false
	return f.Buffer.Write(b)
}

func (f *file) Sync() error {
	if f.failSync {
		return errors.New("sync failed")
	}
	f.synced = true
	return nil
}

func (f *file) Close() error {
	f.closed = true
	return nil
}

// store is a store without log, cache or goroutines: a memtable, tables in
// memory and a version. It installs what Pick and Merge say.
type store struct {
	t       testing.TB
	cfg     Config
	options sstable.WriterOptions
	files   map[base.FileNum]*file
	readers map[base.FileNum]*sstable.Reader
	next    base.FileNum
	age     uint64
	version *manifest.Version

	records []iterator.Entry // of the memtable
	ranges  []rangedel.Tombstone
	points  []base.ReadPoint
	now     int64
	busy    []*Compaction      // carried out but not installed
	named   []manifest.IDRange // every nomination so far
	written uint64             // bytes of table files
}

func newStore(t testing.TB, cfg Config) *store {
	return &store{t: t, cfg: cfg, files: map[base.FileNum]*file{}, readers: map[base.FileNum]*sstable.Reader{},
		version: &manifest.Version{}, now: 1000, options: sstable.WriterOptions{BlockSize: 100}}
}

func (s *store) env() Env {
	return Env{NewTable: func() (NewTable, error) {
		s.next++
		f := &file{}
		s.files[s.next] = f
		return NewTable{Num: s.next, ID: uint64(s.next) * 7919, Sink: f}, nil
	}}
}

func (s *store) input() Input {
	in := Input{Config: s.cfg, Now: s.now, OldestReadSeq: base.SeqMax, OldestReadClock: s.now, Busy: s.busy, RangeDeletes: s.rangeDeletes}
	for _, p := range s.points {
		in.OldestReadSeq = min(in.OldestReadSeq, p.Seq)
		in.OldestReadClock = min(in.OldestReadClock, p.Clock)
	}
	return in
}

func (s *store) rangeDeletes(t *manifest.Table) *rangedel.List { return s.reader(t.Num).RangeDeletes() }

func (s *store) reader(n base.FileNum) *sstable.Reader {
	if r := s.readers[n]; r != nil {
		return r
	}
	f := s.files[n]
	if f == nil || !f.synced || !f.closed {
		s.t.Fatalf("table %d is read but was not finished: %+v", n, f != nil)
	}
	r, err := sstable.Open(bytes.NewReader(f.Bytes()), int64(f.Len()), sstable.ReaderOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.readers[n] = r
	return r
}

// tables are the tables of one input, opened one at a time.
type tables struct {
	s  *store
	ts []*manifest.Table
}

func (t tables) Len() int                     { return len(t.ts) }
func (t tables) Bounds(i int) (lo, hi []byte) { return t.ts[i].Smallest, t.ts[i].Largest }
func (t tables) Open(i int, _ bool) (iterator.Iterator, error) {
	return t.s.reader(t.ts[i].Num).NewIter(sstable.IterOptions{Cold: true}), nil
}

func (s *store) source(ts []*manifest.Table) Source {
	c := &iterator.Concat{}
	c.Init(tables{s, ts})
	src := Source{Iter: c}
	for _, t := range ts {
		src.RangeDeletes = rangedel.Merge(src.RangeDeletes, s.rangeDeletes(t))
		src.Records += int64(t.Records())
	}
	return src
}

// job returns the job of c on version v.
func (s *store) job(v *manifest.Version, c *Compaction) Job {
	j := Job{Older: NewOlder(v, c), Level: c.Level, Age: c.Age, TableSize: s.cfg.SizeAt(c.Level), Guards: c.Guards(v, s.cfg, int64(c.Bytes())), Writer: s.options}
	for _, in := range c.Inputs {
		j.Inputs = append(j.Inputs, s.source(in.Tables))
	}
	j.ReadPoints, j.Now = slices.Clone(s.points), s.now
	return j
}

// run carries c out up to its installation.
func (s *store) run(c *Compaction) *Result {
	switch c.Kind {
	case KindDrop:
		return &Result{}
	case KindMove:
		r := &Result{}
		for _, in := range c.Inputs {
			for _, t := range in.Tables {
				moved := *t
				moved.Level, moved.Run = c.Level, c.Age
				r.Tables = append(r.Tables, &moved)
			}
		}
		return r
	}
	r, err := Merge(s.job(s.version, c), s.env())
	if err != nil {
		s.t.Fatalf("%v: %v", c, err)
	}
	s.written += r.Stats.BytesOut
	return r
}

// install makes r, the result of c, part of the version, which it checks.
func (s *store) install(c *Compaction, r *Result) {
	s.named = append(s.named, r.Nominated...)
	edit := &manifest.Edit{Added: r.Tables}
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			edit.Removed = append(edit.Removed, t.Num)
		}
	}
	v, err := s.version.Apply(edit)
	if err == nil {
		err = v.Check()
	}
	if err != nil {
		s.t.Fatalf("after %v: %v\n%s", c, err, picture(s.version))
	}
	checkVersion(s.t, v, c)
	s.version = v
}

// checkVersion asserts that runs are disjoint and levels in order of age.
func checkVersion(t testing.TB, v *manifest.Version, c *Compaction) {
	t.Helper()
	for i, r := range v.Runs {
		if i > 0 && (v.Runs[i-1].Age <= r.Age || v.Runs[i-1].Level > r.Level || v.Runs[i-1].Level == lastLevel) {
			t.Fatalf("after %v: runs out of order\n%s", c, picture(v))
		}
		for j, tab := range r.Tables {
			if tab.Level != r.Level || tab.Run != r.Age {
				t.Fatalf("after %v: table %d says level %d run %d\n%s", c, tab.Num, tab.Level, tab.Run, picture(v))
			}
			if !TableSpan(tab).holds(tab.Smallest) || j > 0 && !TableSpan(r.Tables[j-1]).endsBefore(tab.Smallest) {
				t.Fatalf("after %v: tables overlap\n%s", c, picture(v))
			}
		}
	}
}

// picture draws the version, a run per line.
func picture(v *manifest.Version) string {
	var b bytes.Buffer
	for _, r := range v.Runs {
		fmt.Fprintf(&b, "L%d@%d", r.Level, r.Age)
		for _, t := range r.Tables {
			fmt.Fprintf(&b, "  %d:%v", t.Num, TableSpan(t))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// flush turns the memtable into tables.
func (s *store) flush(older bool) {
	if len(s.records) == 0 && len(s.ranges) == 0 {
		return
	}
	c, job := s.flushJob(older)
	r, err := Merge(job, s.env())
	if err != nil {
		s.t.Fatal(err)
	}
	s.written += r.Stats.BytesOut
	s.install(c, r)
}

func (s *store) flushJob(older bool) (*Compaction, Job) {
	slices.SortFunc(s.records, func(a, b iterator.Entry) int { return base.CompareInternal(a.Key, a.Seq, b.Key, b.Seq) })
	list := rangedel.New(s.ranges)
	var span Span
	first := true
	join := func(o Span) {
		if first {
			span, first = o, false
		}
		span = span.join(o)
	}
	for i := range s.records {
		join(Span{Lo: s.records[i].Key, Hi: s.records[i].Key})
	}
	for _, f := range list.Newest() {
		join(Span{Lo: f.Start, Hi: f.End, Exclusive: true})
	}
	s.age++
	c := PlaceFlush(s.version, s.input(), span, s.age, older)
	it := iterator.NewSlice(s.records)
	job := Job{Inputs: []Source{{Iter: it, RangeDeletes: list, Records: int64(len(s.records))}}, ReadPoints: slices.Clone(s.points), Now: s.now,
		Older: NewOlder(s.version, c), Level: c.Level, Age: c.Age, TableSize: s.cfg.SizeAt(c.Level), Guards: c.Guards(s.version, s.cfg, int64(40*len(s.records))), Writer: s.options}
	s.records, s.ranges = nil, nil
	return c, job
}

// settle carries out picks until there are none.
func (s *store) settle(in Input) (picks []*Compaction) {
	for range 10000 {
		c := Pick(s.version, in)
		if c == nil {
			return picks
		}
		picks = append(picks, c)
		s.install(c, s.run(c))
	}
	s.t.Fatalf("picking does not end: %v", picks[len(picks)-3:])
	return nil
}

// contents returns every record and range tombstone there is, newest run first.
func (s *store) contents() (records []iterator.Entry, ranges []rangedel.Tombstone) {
	records, ranges = slices.Clone(s.records), slices.Clone(s.ranges)
	for _, run := range s.version.Runs {
		for _, t := range run.Tables {
			it := s.reader(t.Num).NewIter(sstable.IterOptions{})
			for e := it.First(); e != nil; e = it.Next() {
				records = append(records, iterator.Entry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value), Trailer: e.Trailer})
				if !TableSpan(t).holds(e.Key) {
					s.t.Fatalf("table %d %v holds %q", t.Num, TableSpan(t), e.Key)
				}
			}
			if it.Err() != nil {
				s.t.Fatal(it.Err())
			}
			for _, f := range s.rangeDeletes(t).Tombstones() {
				if !TableSpan(t).holds(f.Start) || TableSpan(t).endsBefore(f.End) && !(t.LargestExclusive && bytes.Equal(t.Largest, f.End)) {
					s.t.Fatalf("table %d %v has a tombstone over [%q, %q)", t.Num, TableSpan(t), f.Start, f.End)
				}
			}
			ranges = append(ranges, s.rangeDeletes(t).Tombstones()...)
		}
	}
	return records, ranges
}

// read is what a reader at p finds of key among the given records: its newest
// visible version, unless deleted or expired. Of equal sequences the first
// stands.
func read(records []iterator.Entry, ranges []rangedel.Tombstone, key string, p base.ReadPoint) string {
	var at *iterator.Entry
	for i := range records {
		if e := &records[i]; string(e.Key) == key && e.Seq <= p.Seq && (at == nil || e.Seq > at.Seq) {
			at = e
		}
	}
	if at == nil || at.Attr.Kind() == base.KindDelete || at.Expired(p.Clock) {
		return ""
	}
	for _, r := range ranges {
		if r.Seq <= p.Seq && r.Seq > at.Seq && string(r.Start) <= key && key < string(r.End) {
			return ""
		}
	}
	return string(at.Value)
}

// newerThan reports whether anything about key is newer than seq.
func newerThan(records []iterator.Entry, ranges []rangedel.Tombstone, key string, seq base.SeqNum) bool {
	return slices.ContainsFunc(records, func(e iterator.Entry) bool { return string(e.Key) == key && e.Seq > seq }) ||
		slices.ContainsFunc(ranges, func(r rangedel.Tombstone) bool {
			return r.Seq > seq && string(r.Start) <= key && key < string(r.End)
		})
}

func putEntry(key, value string, seq base.SeqNum, expiry int64) iterator.Entry {
	return iterator.Entry{Key: []byte(key), Value: []byte(value),
		Trailer: base.Trailer{Seq: seq, Expiry: expiry, Attr: base.MakeAttr(base.KindPut, uint8(record.TypeString), expiry != 0)}}
}

func deleteEntry(key string, seq base.SeqNum) iterator.Entry {
	return iterator.Entry{Key: []byte(key), Trailer: base.Trailer{Seq: seq, Attr: base.MakeAttr(base.KindDelete, 0, false)}}
}

func metaEntry(key string, id uint64, seq base.SeqNum, expiry int64) iterator.Entry {
	e := putEntry(key, "", seq, expiry)
	e.Attr = base.MakeAttr(base.KindPut, uint8(record.TypeHash), expiry != 0)
	e.Value = record.AppendMeta(nil, record.Meta{Encoding: record.EncodingRows, ID: id, Count: 1, Bytes: 1000})
	return e
}
