package compaction

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/sstable"
)

// row and unrow put test keys into the space of keys and back.
func row(key string) []byte { return append([]byte{keyenc.SpaceKeys}, key...) }

func unrow(key []byte) string {
	if len(key) > 0 && key[0] == keyenc.SpaceKeys {
		return string(key[1:])
	}
	return fmt.Sprintf("%x", key)
}

// parseRecord reads "a#5=v", "a#5=v~9" (expires at 9), "a#5:7" (a hash with id
// 7), "a#5-" (a tombstone).
func parseRecord(t *testing.T, text string) iterator.Entry {
	t.Helper()
	text, expiry, _ := strings.Cut(text, "~")
	at := int64(0)
	if expiry != "" {
		at = number(t, expiry)
	}
	key, rest, ok := strings.Cut(text, "#")
	i := strings.IndexAny(rest, "=:-")
	if !ok || i < 0 {
		t.Fatalf("bad record %q", text)
	}
	seq, k := base.SeqNum(number(t, rest[:i])), string(row(key))
	switch rest[i] {
	case '-':
		return deleteEntry(k, seq)
	case ':':
		return metaEntry(k, uint64(number(t, rest[i+1:])), seq, int64(at))
	}
	return putEntry(k, rest[i+1:], seq, int64(at))
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// parseRange reads "[a-c)#9,7".
func parseRange(t *testing.T, text string) (ts []rangedel.Tombstone) {
	t.Helper()
	bounds, seqs, _ := strings.Cut(strings.TrimPrefix(text, "["), ")#")
	start, end, _ := strings.Cut(bounds, "-")
	for _, s := range strings.Split(seqs, ",") {
		ts = append(ts, rangedel.Tombstone{Start: row(start), End: row(end), Seq: base.SeqNum(number(t, s))})
	}
	return ts
}

// parseJob reads a job: "points 10@5 20@7" (sequence@clock), "now 9", "older
// a-c", "size 500", "guards c f", and a "run" line per input, newest first.
func parseJob(t *testing.T, lines []string) Job {
	t.Helper()
	job := Job{Now: 100, TableSize: 1 << 20, Level: 6, Older: &Older{}, Writer: sstable.WriterOptions{BlockSize: 64}}
	for _, line := range lines {
		f := strings.Fields(line)
		switch f[0] {
		case "now":
			job.Now = number(t, f[1])
		case "size":
			job.TableSize = number(t, f[1])
		case "points":
			for _, p := range f[1:] {
				seq, clock, _ := strings.Cut(p, "@")
				job.ReadPoints = append(job.ReadPoints, base.ReadPoint{Seq: base.SeqNum(number(t, seq)), Clock: number(t, clock)})
			}
		case "older":
			for _, s := range f[1:] {
				lo, hi, _ := strings.Cut(s, "-")
				job.Older.Add(Span{Lo: row(lo), Hi: row(hi)})
			}
		case "guards":
			for _, k := range f[1:] {
				job.Guards = append(job.Guards, row(k))
			}
		case "run":
			var records []iterator.Entry
			var ranges []rangedel.Tombstone
			for _, r := range f[1:] {
				if strings.HasPrefix(r, "[") {
					ranges = append(ranges, parseRange(t, r)...)
				} else {
					records = append(records, parseRecord(t, r))
				}
			}
			job.Inputs = append(job.Inputs, Source{Iter: iterator.NewSlice(records), RangeDeletes: rangedel.New(ranges), Records: int64(len(records))})
		default:
			t.Fatalf("bad line %q", line)
		}
	}
	return job
}

// show draws a result: a line per table, then what was nominated and why
// records left.
func show(s *store, r *Result) string {
	var b strings.Builder
	for _, t := range r.Tables {
		end := "]"
		if t.LargestExclusive {
			end = ")"
		}
		fmt.Fprintf(&b, "[%s, %s%s ", unrow(t.Smallest), unrow(t.Largest), end)
		it := s.reader(t.Num).NewIter(sstable.IterOptions{})
		for e := it.First(); e != nil; e = it.Next() {
			fmt.Fprintf(&b, " %s#%d", unrow(e.Key), e.Seq)
			id, isMeta := record.CollectionID(record.Type(e.Attr.Type()), e.Value)
			switch {
			case e.Attr.Kind() == base.KindDelete:
				b.WriteByte('-')
			case isMeta:
				fmt.Fprintf(&b, ":%d", id)
			default:
				fmt.Fprintf(&b, "=%s", e.Value)
			}
			if e.Expiry != 0 {
				fmt.Fprintf(&b, "~%d", e.Expiry)
			}
		}
		deletes := slices.Clone(s.rangeDeletes(t).Tombstones())
		slices.SortFunc(deletes, rangedel.Compare)
		for _, d := range deletes {
			fmt.Fprintf(&b, " [%s-%s)#%d", unrow(d.Start), unrow(d.End), d.Seq)
		}
		b.WriteByte('\n')
	}
	if len(r.Tables) == 0 {
		b.WriteString("nothing\n")
	}
	for _, n := range r.Nominated {
		fmt.Fprintf(&b, "nominated %d/%d-%d\n", n.Keyspace, n.First, n.Last)
	}
	st := r.Stats
	for _, f := range []struct {
		name string
		n    uint64
	}{{"shadowed", st.Shadowed}, {"covered", st.Covered}, {"elided", st.Elided}, {"expired", st.Expired}, {"buried", st.Buried}} {
		if f.n > 0 {
			fmt.Fprintf(&b, "%s %d\n", f.name, f.n)
		}
	}
	return b.String()
}

func TestMergeStreams(t *testing.T) {
	golden.Cases(t, "testdata/merge.txt", func(t *testing.T, given []string) string {
		s := newStore(t, Config{})
		r, err := Merge(parseJob(t, given), s.env())
		if err != nil {
			return err.Error()
		}
		return show(s, r)
	})
}

// job returns a job of n records of 100 bytes in so many runs.
func plainJob(n, runs int) Job {
	job := Job{Now: 1, TableSize: 4096, Level: 6, Writer: sstable.WriterOptions{BlockSize: 512}}
	for i := range runs {
		var records []iterator.Entry
		for k := i; k < n; k += runs {
			records = append(records, putEntry(string(row(fmt.Sprintf("key%06d", k))), strings.Repeat("v", 80), base.SeqNum(k+1), 0))
		}
		job.Inputs = append(job.Inputs, Source{Iter: iterator.NewSlice(records), Records: int64(len(records))})
	}
	return job
}

func TestOutputsAreSyncedClosedAndInOrder(t *testing.T) {
	s := newStore(t, Config{})
	job := plainJob(2000, 3)
	job.Level, job.Age = 2, 17
	r, err := Merge(job, s.env())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) < 10 || len(r.Abandoned) != 0 {
		t.Fatalf("%d tables, %d abandoned", len(r.Tables), len(r.Abandoned))
	}
	for i, table := range r.Tables {
		f := s.files[table.Num]
		if !f.synced || !f.closed || table.Size != uint64(f.Len()) || table.Level != 2 || table.Run != 17 || table.ID != uint64(table.Num)*7919 {
			t.Fatalf("table %d: %+v, synced %v, closed %v", i, table, f.synced, f.closed)
		}
		if size := int64(f.Len()); i < len(r.Tables)-1 && (size < job.TableSize*3/4 || size > job.TableSize*3/2) {
			t.Errorf("table %d of %d has %d bytes", i, len(r.Tables), size)
		}
		if i > 0 && bytes.Compare(r.Tables[i-1].Largest, table.Smallest) >= 0 {
			t.Errorf("tables %d and %d overlap", i-1, i)
		}
	}
}

func TestUserKeyIsNeverSplitAcrossTables(t *testing.T) {
	s := newStore(t, Config{})
	var records []iterator.Entry
	job := Job{Now: 1, TableSize: 300, Level: 6, Writer: sstable.WriterOptions{BlockSize: 64}}
	for _, key := range []string{"a", "b", "c"} {
		for seq := base.SeqNum(60); seq > 0; seq-- {
			records = append(records, putEntry(string(row(key)), "a value of some length", seq, 0))
			job.ReadPoints = append(job.ReadPoints, base.ReadPoint{Seq: seq})
		}
	}
	job.Inputs = []Source{{Iter: iterator.NewSlice(records), Records: -1}}
	r, err := Merge(job, s.env())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 3 {
		t.Fatalf("%d tables", len(r.Tables))
	}
	for _, table := range r.Tables {
		if !bytes.Equal(table.Smallest, table.Largest) || table.Records() != 60 || table.Shadowed != 59 {
			t.Errorf("[%s, %s] has %d records, %d of them shadowed", unrow(table.Smallest), unrow(table.Largest), table.Records(), table.Shadowed)
		}
	}
}

func TestTablesEndAtGuards(t *testing.T) {
	s := newStore(t, Config{})
	job := plainJob(2000, 2)
	job.Level = 1
	var guards []string
	for k := 7; k < 2000; k += 29 {
		guards = append(guards, fmt.Sprintf("key%06d", k))
		job.Guards = append(job.Guards, row(guards[len(guards)-1]))
	}
	r, err := Merge(job, s.env())
	if err != nil {
		t.Fatal(err)
	}
	for i, table := range r.Tables[1:] {
		if first := unrow(table.Smallest); !slices.Contains(guards, first) {
			t.Errorf("table %d begins at %s, which is no guard", i+1, first)
		}
		if table.Size < uint64(job.TableSize)/3 && i+2 < len(r.Tables) {
			t.Errorf("table %d has %d bytes", i+1, table.Size)
		}
	}
}

// broken is a source that fails at its n-th record or ends there.
type broken struct {
	*iterator.Slice
	left int
	err  error
	seen error
}

func (b *broken) Next() *iterator.Entry {
	if b.left--; b.left <= 0 {
		b.seen = b.err
		return nil
	}
	return b.Slice.Next()
}

func (b *broken) Err() error   { return b.seen }
func (b *broken) Close() error { return b.seen }

func TestFailedMergeNamesWhatToDelete(t *testing.T) {
	broke := errors.New("it broke")
	for name, spoil := range map[string]func(*Job, *Env, *store){
		"source fails": func(j *Job, _ *Env, _ *store) {
			j.Inputs[1].Iter = &broken{Slice: j.Inputs[1].Iter.(*iterator.Slice), left: 200, err: broke}
		},
		"source ends early": func(j *Job, _ *Env, _ *store) {
			j.Inputs[0].Iter = &broken{Slice: j.Inputs[0].Iter.(*iterator.Slice), left: 200}
		},
		"cancelled": func(_ *Job, e *Env, _ *store) { e.Yield = func(int) error { return broke } },
		"no file": func(_ *Job, e *Env, s *store) {
			make := e.NewTable
			e.NewTable = func() (NewTable, error) {
				if s.next == 5 {
					return NewTable{}, broke
				}
				return make()
			}
		},
		"sync fails": func(_ *Job, e *Env, s *store) {
			make := e.NewTable
			e.NewTable = func() (NewTable, error) {
				n, err := make()
				s.files[n.Num].failSync = s.next == 3
				return n, err
			}
		},
		"out of order": func(j *Job, _ *Env, _ *store) { j.Inputs[1] = plainJob(2000, 3).Inputs[0] },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Config{})
			job, env := plainJob(2000, 3), s.env()
			spoil(&job, &env, s)
			r, err := Merge(job, env)
			if err == nil {
				t.Fatal("no error")
			}
			if want := name == "source ends early" || name == "out of order"; errors.Is(err, base.ErrCorruption) != want {
				t.Errorf("%v", err)
			}
			if len(r.Tables) != 0 || len(r.Abandoned) != len(s.files) {
				t.Errorf("%d tables, %d of %d files to delete", len(r.Tables), len(r.Abandoned), len(s.files))
			}
			for n, f := range s.files {
				if !f.closed {
					t.Errorf("file %d is left open", n)
				}
			}
		})
	}
}

func TestMergeYieldsAllItReads(t *testing.T) {
	s := newStore(t, Config{})
	env := s.env()
	calls, sum := 0, 0
	env.Yield = func(n int) error {
		calls++
		sum += n
		return nil
	}
	job := plainJob(20000, 2)
	r, err := Merge(job, env)
	if err != nil {
		t.Fatal(err)
	}
	total := int(r.Stats.BytesIn)
	if calls < total/yieldEvery-2 || sum > total || sum < total-2*yieldEvery {
		t.Fatalf("%d calls for %d of %d bytes", calls, sum, total)
	}
}

func TestCollectionUnderDroppedElementSpaceIsNotNominated(t *testing.T) {
	named := keyenc.AppendKeyspacePrefix(nil, 5)
	for _, c := range []struct {
		name   string
		end    []byte
		expect int
	}{
		{"keys alone", append(bytes.Clone(named), keyenc.SpaceElements), 1},
		{"the whole keyspace", base.Successor(named), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := string(keyenc.AppendKeyRow(nil, named, []byte("h")))
			job := Job{Now: 1, TableSize: 1000, Inputs: []Source{{
				Iter: iterator.NewSlice([]iterator.Entry{metaEntry(key, 9, 3, 0)}), Records: 1,
				RangeDeletes: rangedel.New([]rangedel.Tombstone{{Start: named, End: c.end, Seq: 7}}),
			}}}
			r, err := Merge(job, newStore(t, Config{}).env())
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Nominated) != c.expect || c.expect == 1 && (r.Nominated[0].Keyspace != 5 || r.Nominated[0].First != 9) {
				t.Fatalf("nominated %v", r.Nominated)
			}
		})
	}
}

func TestAMergeTellsOfEndedKeysBeforeItIsWithoutThem(t *testing.T) {
	lines := []string{"now 50", "points 3@50", "run a#9=live b#9=v~40 c#9- d#2=v~40 e#9:7~40 f#9=v~60 g#9=new", "run a#5=v~40 b#5=v~30 c#5=v~40 g#5=v~40 h#4=v~40"}
	for _, c := range []struct {
		keep, tell bool
		want       string // told, and the ended records that are left
	}{
		{false, true, "told b d e h; left "},
		{true, true, "told ; left b d e h"},
		{false, false, "told ; left "},
	} {
		s := newStore(t, Config{})
		job, env := parseJob(t, lines), s.env()
		var told, left []string
		if job.KeepEnded = c.keep; c.tell {
			env.Ended = func(keys [][]byte) error {
				for _, k := range keys {
					told = append(told, unrow(k))
				}
				return nil
			}
		}
		r, err := Merge(job, env)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range r.Tables {
			it := s.reader(table.Num).NewIter(sstable.IterOptions{})
			for e := it.First(); e != nil; e = it.Next() {
				if e.Expiry != 0 && e.Expiry <= job.Now && !slices.Contains(left, unrow(e.Key)) {
					left = append(left, unrow(e.Key))
				}
			}
		}
		if got := "told " + strings.Join(told, " ") + "; left " + strings.Join(left, " "); got != c.want {
			t.Errorf("keep %v, tell %v: %s, want %s", c.keep, c.tell, got, c.want)
		}
	}
	failed := errors.New("on purpose")
	env := newStore(t, Config{}).env()
	env.Ended = func([][]byte) error { return failed }
	if _, err := Merge(parseJob(t, lines), env); !errors.Is(err, failed) {
		t.Errorf("told nobody: %v", err)
	}
}
