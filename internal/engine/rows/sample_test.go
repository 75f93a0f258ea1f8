package rows

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
)

// spread is rows that lie in all kinds of sources: a last run of several tables, young
// runs, memtables, own writes. Sequences rise from one to the next.
type spread struct {
	t      testing.TB
	rng    *rand.Rand
	dir    storedir.Dir
	states *readstate.States
	keys   int // of each of the three parts of the key space
	seq    base.SeqNum
	num    base.FileNum
	runs   []manifest.Run // newest first
	mem    *memtable.Table
}

const spreadNow = 1000 // records expire before and after it

func newSpread(t testing.TB, seed uint64, keys int) *spread {
	s := &spread{t: t, rng: rand.New(rand.NewPCG(seed, 1)), dir: storedir.Dir{FS: vfs.NewMem(), Path: "db"}, keys: keys}
	s.must(s.dir.Make())
	s.states = readstate.NewStates(readstate.NewTables(s.dir, 100, cache.New(1<<20), func() {}))
	s.states.Drained, s.states.Spent = func() {}, func(*readstate.Mem) {}
	return s
}

func (s *spread) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *spread) key() []byte {
	return fmt.Appendf(nil, "%c%04d", "amz"[s.rng.IntN(3)], s.rng.IntN(s.keys))
}

// write adds n operations to a memtable. Half of them put, and values are of very
// different sizes.
func (s *spread) write(m *memtable.Table, n int, first base.SeqNum) {
	for i := range n {
		seq, key := first+base.SeqNum(i), s.key()
		attr, expiry, value := base.MakeAttr(base.KindPut, 0, false), int64(0), []byte{}
		switch s.rng.IntN(40) {
		case 0, 1, 2, 3, 4, 5, 6, 7:
			attr = base.MakeAttr(base.KindDelete, 0, false)
		case 8, 9:
			attr, expiry = base.MakeAttr(base.KindPut, 0, true), int64(1+s.rng.IntN(2*spreadNow))
		case 10:
			if s.rng.IntN(8) == 0 {
				m.AddRangeDelete(key, append(key[:len(key)-1:len(key)-1], '~'), seq)
				continue
			}
		case 11, 12, 13:
			value = bytes.Repeat([]byte("v"), s.rng.IntN(3000))
		}
		m.Add(base.HashRow(key), key, base.Trailer{Seq: seq, Attr: attr, Expiry: expiry}, value)
	}
}

// memtable returns one of n operations.
func (s *spread) memtable(n int) *memtable.Table {
	m := memtable.New(64 << 20)
	s.write(m, n, s.seq+1)
	s.seq += base.SeqNum(n)
	return m
}

// flush makes a run of a memtable, of several tables if there are no range tombstones.
func (s *spread) flush(m *memtable.Table, level uint8) {
	run := manifest.Run{Age: uint64(len(s.runs) + 1), Level: level}
	var w *sstable.Writer
	begin := func() {
		s.num++
		f, err := s.dir.FS.Create(s.dir.Name(base.FileTable, s.num))
		s.must(err)
		w = sstable.NewWriter(f, sstable.WriterOptions{ID: uint64(s.num), BlockSize: 512})
	}
	end := func() {
		props, err := w.Finish()
		s.must(err)
		run.Tables = append(run.Tables, &manifest.Table{Num: s.num, Level: level, Run: run.Age, TableProperties: props})
	}
	begin()
	deletes := slices.Clone(m.RangeDeletes().Tombstones())
	slices.SortFunc(deletes, rangedel.Compare)
	for _, d := range deletes {
		s.must(w.AddRangeDelete(d))
	}
	var last []byte
	it := m.NewIter(false)
	for e := it.First(); e != nil; e = it.Next() {
		if w.Size() > 20<<10 && len(deletes) == 0 && !bytes.Equal(last, e.Key) {
			end()
			begin()
		}
		last = append(last[:0], e.Key...)
		s.must(w.Add(&iterator.Entry{Key: e.Key, Value: e.Value, Trailer: e.Trailer}))
	}
	end()
	s.runs = slices.Insert(s.runs, 0, run)
}

// fill makes all sources, and returns a view of the last moment.
func (s *spread) fill(n int) View {
	s.flush(s.memtable(4*n), manifest.LastLevel)
	s.flush(s.memtable(n), 0)
	s.flush(s.memtable(n/2), 0)
	imm := s.memtable(n)
	s.mem = s.memtable(n)
	s.states.Publish(func(rs *readstate.State) {
		rs.Version = &manifest.Version{Runs: s.runs}
		rs.Mem, rs.Imms = &readstate.Mem{Table: s.mem}, []*readstate.Mem{{Table: imm}}
	})
	v := View{State: s.states.Current.Load(), Seq: s.seq, Now: spreadNow}
	s.t.Cleanup(func() { s.states.Tables.Close() })
	return v
}

// withOwn returns the view of a transaction that has written n operations.
func (s *spread) withOwn(v View, n int) View {
	v.Own, v.OwnSeq = memtable.New(64<<20), OwnBase+base.SeqNum(n)
	s.write(v.Own, n, OwnBase+1)
	return v
}

func rowOf(key []byte, seq base.SeqNum) string { return fmt.Sprintf("%s#%d", key, uint64(seq)) }

// walked returns the rows that a walk meets, with their values.
func (s *spread) walked(v View, lo, hi []byte) map[string]string {
	s.t.Helper()
	found := map[string]string{}
	it, err := New(&Source{States: s.states, Loss: Loss{Wake: func() {}}}, v, lo, hi, false)
	s.must(err)
	defer it.Release()
	for ok := it.First(); ok; ok = it.Next() {
		found[rowOf(it.Key(), it.Trailer().Seq)] = string(it.Value())
	}
	s.must(it.Err())
	return found
}

// TestEveryRowIsAtOnePlace compares all places with a walk: in the present and in the
// past, with own writes and without, of parts and of all.
func TestEveryRowIsAtOnePlace(t *testing.T) {
	first, rounds := seed.New(t), 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		s := newSpread(t, first+uint64(round), 20+200*round)
		present := s.fill(300 + 300*round)
		views := map[string]View{
			"present":   present,
			"past":      {State: present.State, Seq: s.seq / 2, Now: spreadNow},
			"long past": {State: present.State, Seq: 10, Now: spreadNow},
			"own":       s.withOwn(present, 400),
		}
		for name, v := range views {
			for _, part := range []string{"-", "m-n", "am", "m0005-m0015", "m00-m0001", "b-c"} {
				lo, hi, bounded := strings.Cut(part, "-")
				var upper []byte
				if bounded && hi != "" {
					upper = []byte(hi)
				}
				want := s.walked(v, []byte(lo), upper)
				met := map[string]int{}
				var sample Sample
				s.must(sample.Init(v, []byte(lo), upper))
				for place := range sample.Places() {
					ok, err := sample.At(place, readstate.WantValue)
					s.must(err)
					if !ok {
						continue
					}
					row := rowOf(sample.Key, sample.Found.Seq)
					if value, there := want[row]; !there || value != string(sample.Found.Value) || sample.Mine != (sample.Found.Seq > OwnBase) {
						t.Fatalf("round %d, %s, %s: place %d has %s, mine %v", round, name, part, place, row, sample.Mine)
					}
					met[row]++
					sample.Found.Loan.Return()
				}
				for row := range want {
					if met[row] != 1 {
						t.Errorf("round %d, %s, %s: %s is at %d places", round, name, part, row, met[row])
					}
				}
			}
		}
	}
}

// draw returns a row drawn at random.
func (s *spread) draw(sample *Sample) string {
	s.t.Helper()
	for {
		ok, err := sample.At(s.rng.Uint64N(sample.Places()), readstate.WantKey)
		s.must(err)
		if sample.Found.Loan.Return(); ok {
			return rowOf(sample.Key, sample.Found.Seq)
		}
	}
}

// chiSquare returns how far counts of draws are from even, in standard deviations of
// what even ones give.
func chiSquare(met map[string]int, rows, draws int) float64 {
	even, sum := float64(draws)/float64(rows), 0.0
	for _, n := range met {
		sum += (float64(n) - even) * (float64(n) - even) / even
	}
	sum += float64(rows-len(met)) * even
	free := float64(rows - 1)
	return (sum - free) / math.Sqrt(2*free)
}

// TestDrawsAreEven draws, while another writes to the memtable, so that its leaves split
// and its places are counted anew.
func TestDrawsAreEven(t *testing.T) {
	s, each := newSpread(t, 7, 300), 100
	if testing.Short() {
		each = 20
	}
	v := s.fill(1200)
	for name, v := range map[string]View{"present": v, "past": {State: v.State, Seq: s.seq / 2, Now: spreadNow}, "own": s.withOwn(v, 500)} {
		want := s.walked(v, []byte("m"), []byte("n"))
		var sample Sample
		s.must(sample.Init(v, []byte("m"), []byte("n")))
		met, draws, places, counts := map[string]int{}, each*len(want), sample.Places(), 0
		for i := range draws {
			met[s.draw(&sample)]++
			if i%2 == 0 {
				s.write(s.mem, 1, s.seq+1)
				s.seq++
			}
			if i%8 == 0 { // a new key, in the range
				key := fmt.Appendf(nil, "m%04d %d", s.rng.IntN(s.keys), i)
				s.seq++
				s.mem.Add(base.HashRow(key), key, base.Trailer{Seq: s.seq, Attr: base.MakeAttr(base.KindPut, 0, false)}, nil)
			}
			if now := sample.Places(); now != places {
				places, counts = now, counts+1
			}
		}
		off := chiSquare(met, len(want), draws)
		t.Logf("%s: %d draws of %d rows, %.1f standard deviations from even, places counted anew %d times", name, draws, len(want), off, counts)
		if math.Abs(off) > 4 || counts == 0 {
			t.Errorf("%s: %.1f standard deviations from even, %d counts", name, off, counts)
		}
	}
}

func TestARangeWithoutRowsHasNone(t *testing.T) {
	s := newSpread(t, 7, 100)
	v := s.fill(200)
	for _, part := range [][2]string{{"~", ""}, {"m0005", "m0005"}, {"A", "B"}} {
		var upper []byte
		if part[1] != "" {
			upper = []byte(part[1])
		}
		var sample Sample
		s.must(sample.Init(v, []byte(part[0]), upper))
		for place := range sample.Places() {
			if ok, err := sample.At(place, readstate.WantKey); ok || err != nil {
				t.Errorf("%q: a row %q, %v", part, sample.Key, err)
			}
		}
		if ok, err := sample.At(sample.Places(), readstate.WantKey); ok || err != nil {
			t.Errorf("%q: behind all places is %q, %v", part, sample.Key, err)
		}
	}
}
