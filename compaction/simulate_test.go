package compaction

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
)

// world plays Pick's decisions on tables that are only lists of keys, to
// measure what a policy costs: bytes written for a byte given, runs, space. One
// simulated record stands for scale real ones, so sizes are real sizes.
type world struct {
	t       *testing.T
	cfg     Config
	record  uint64 // bytes of a simulated record
	buffer  uint64 // bytes of a memtable
	tables  map[base.FileNum][]mark
	version *manifest.Version
	next    base.FileNum
	age     uint64
	seq     base.SeqNum

	mem     map[uint64]bool // key → is a put
	pending uint64          // bytes in the memtable, overwritten ones included

	// What readers have lost, in bytes of merging: all in all, and not yet spent.
	lost, saved uint64
	credit      func(saved uint64) uint64 // what of it Pick is told; nil: all

	given, written     uint64
	maxRuns            int
	runSum, runSamples int
	largest            uint64
}

// mark is a simulated record.
type mark struct {
	key uint64
	del bool
}

const (
	realRecord = 16 + 128
	scale      = 100
)

func newWorld(t *testing.T, cfg Config) *world {
	return &world{t: t, cfg: cfg.WithDefaults(), record: realRecord * scale, buffer: 64 << 20,
		tables: map[base.FileNum][]mark{}, version: &manifest.Version{}, mem: map[uint64]bool{}}
}

func (w *world) write(key uint64, del bool) {
	w.mem[key] = !del
	size := w.record
	if del {
		size /= 5
	}
	w.given += size
	if w.pending += size; w.pending >= w.buffer {
		w.flush()
		w.settle(false)
		w.sample()
	}
}

func (w *world) sample() {
	n := len(w.version.Runs)
	w.maxRuns = max(w.maxRuns, n)
	w.runSum += n
	w.runSamples++
}

func (w *world) flush() {
	if len(w.mem) == 0 {
		return
	}
	var ms []mark
	for key, put := range w.mem {
		ms = append(ms, mark{key, !put})
	}
	slices.SortFunc(ms, func(a, b mark) int { return cmp.Compare(a.key, b.key) })
	w.mem, w.pending = map[uint64]bool{}, 0
	w.age++
	c := PlaceFlush(w.version, w.input(false), Span{Lo: keyBytes(ms[0].key), Hi: keyBytes(ms[len(ms)-1].key)}, w.age, false)
	w.install(c, w.cut(c, ms))
}

func keyBytes(k uint64) []byte { return binary.BigEndian.AppendUint64([]byte{1}, k) }

func (w *world) size(ms []mark) (n uint64) {
	for _, m := range ms {
		if m.del {
			n += w.record / 5
		} else {
			n += w.record
		}
	}
	return n
}

// cut makes tables of sorted records as output does.
func (w *world) cut(c *Compaction, ms []mark) (out []*manifest.Table) {
	guards := c.Guards(w.version, w.cfg, int64(w.size(ms)))
	target := uint64(w.cfg.SizeAt(c.Level))
	for g := 0; len(ms) > 0; {
		n, size := 0, uint64(0)
		for n < len(ms) && size < target {
			before := g
			for g < len(guards) && bytes.Compare(guards[g], keyBytes(ms[n].key)) <= 0 {
				g++
			}
			if g > before && size*leastTable >= target {
				break
			}
			size += w.size(ms[n : n+1])
			n++
		}
		out = append(out, w.table(c, ms[:n]))
		ms = ms[n:]
	}
	return out
}

func (w *world) table(c *Compaction, ms []mark) *manifest.Table {
	w.next++
	w.seq++
	t := &manifest.Table{Num: w.next, Level: c.Level, Run: c.Age}
	t.ID, t.Size, t.MinSeq, t.MaxSeq = uint64(w.next), w.size(ms), w.seq, w.seq
	t.Smallest, t.Largest = keyBytes(ms[0].key), keyBytes(ms[len(ms)-1].key)
	for _, m := range ms {
		if m.del {
			t.Deletes += scale
		} else {
			t.Puts += scale
		}
	}
	w.tables[t.Num] = ms
	w.written += t.Size
	return t
}

func (w *world) input(idle bool) Input {
	in := Input{Config: w.cfg, Now: 1, OldestReadSeq: base.SeqMax, OldestReadClock: 1, Idle: idle, ReadCredit: w.saved}
	if w.credit != nil {
		in.ReadCredit = w.credit(w.saved)
	}
	return in
}

// read lets readers lose the given bytes of merging for each run but one, and
// carries out what that pays for.
func (w *world) read(bytes uint64) {
	n := uint64(max(1, len(w.version.Runs))-1) * bytes
	w.lost += n
	w.saved += n
	w.settle(false)
}

// settle carries out picks until there are none.
func (w *world) settle(idle bool) {
	for {
		c := Pick(w.version, w.input(idle))
		if c == nil {
			return
		}
		var out []*manifest.Table
		switch c.Kind {
		case KindMove:
			for _, in := range c.Inputs {
				for _, t := range in.Tables {
					moved := *t
					moved.Level, moved.Run = c.Level, c.Age
					out = append(out, &moved)
				}
			}
		case KindMerge:
			if c.Reason == ReasonReads {
				w.saved -= min(w.saved, c.Bytes())
			}
			w.largest = max(w.largest, c.Bytes())
			out = w.cut(c, w.merge(c))
		}
		w.install(c, out)
	}
}

func (w *world) merge(c *Compaction) (ms []mark) {
	seen := map[uint64]bool{}
	older := NewOlder(w.version, c)
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			for _, m := range w.tables[t.Num] {
				if !seen[m.key] {
					seen[m.key] = true
					ms = append(ms, m)
				}
			}
		}
	}
	slices.SortFunc(ms, func(a, b mark) int { return cmp.Compare(a.key, b.key) })
	return slices.DeleteFunc(ms, func(m mark) bool { return m.del && !older.MayHave(keyBytes(m.key)) })
}

func (w *world) install(c *Compaction, added []*manifest.Table) {
	edit := &manifest.Edit{Added: added}
	for _, in := range c.Inputs {
		for _, t := range in.Tables {
			edit.Removed = append(edit.Removed, t.Num)
		}
	}
	v, err := w.version.Apply(edit)
	if err != nil {
		w.t.Fatalf("%v: %v", c, err)
	}
	w.version = v
}

// space returns the bytes of all tables for each byte that can be read.
func (w *world) space() float64 {
	seen := map[uint64]bool{}
	var all, live uint64
	for _, r := range w.version.Runs {
		for _, t := range r.Tables {
			all += t.Size
			for _, m := range w.tables[t.Num] {
				if !seen[m.key] {
					seen[m.key] = true
					if !m.del {
						live += w.record
					}
				}
			}
		}
	}
	return float64(all) / float64(max(live, 1))
}

func (w *world) amplification() float64 { return float64(w.written) / float64(w.given) }

// stream is a way of writing.
type stream struct {
	name   string
	keys   uint64 // simulated
	writes int
	next   func(r *rand.Rand, i int, keys uint64) (key uint64, del bool)
	fill   bool // rising keys first, not counted

	cfg              Config
	mostWritten      float64
	mostRuns         int
	mostSettledSpace float64
}

func uniform(r *rand.Rand, _ int, keys uint64) (uint64, bool) { return r.Uint64N(keys), false }

func TestWhatThePolicyCosts(t *testing.T) {
	const million = 1e6 / scale
	for _, s := range []stream{
		{name: "fill 10M random", keys: 1 << 40, writes: 10 * million, next: uniform, mostWritten: 6, mostRuns: 12, mostSettledSpace: 1.15},
		{name: "overwrite 10M random", keys: 10 * million, writes: 30 * million, next: uniform, fill: true, mostWritten: 9, mostRuns: 12, mostSettledSpace: 1.25},
		{name: "overwrite 2M random", keys: 2 * million, writes: 12 * million, next: uniform, fill: true, mostWritten: 9, mostRuns: 12, mostSettledSpace: 1.25},
		{name: "overwrite 40M random", keys: 40 * million, writes: 40 * million, next: uniform, fill: true, mostWritten: 9, mostRuns: 16, mostSettledSpace: 1.25},
		{name: "overwrite 10M, read-heavy", keys: 10 * million, writes: 20 * million, next: uniform, fill: true, cfg: Config{FlushRuns: 4}, mostWritten: 11, mostRuns: 8, mostSettledSpace: 1.25},
		{name: "skewed overwrite of 10M", keys: 10 * million, writes: 30 * million, fill: true, mostWritten: 9, mostRuns: 14, mostSettledSpace: 1.25,
			next: func(r *rand.Rand, _ int, keys uint64) (uint64, bool) {
				if r.IntN(5) > 0 {
					return r.Uint64N(keys/10) * 10, false
				}
				return r.Uint64N(keys), false
			}},
		{name: "rising keys", writes: 10 * million, mostWritten: 1.05, mostRuns: 2, mostSettledSpace: 1.05,
			next: func(_ *rand.Rand, i int, _ uint64) (uint64, bool) { return uint64(i), false }},
		{name: "queue: put in front, delete behind", writes: 10 * million, mostWritten: 3, mostRuns: 12, mostSettledSpace: 1.25,
			next: func(_ *rand.Rand, i int, _ uint64) (uint64, bool) {
				if i%2 == 1 && i > 100000 {
					return uint64(i/2 - 50000), true
				}
				return uint64(i / 2), false
			}},
		{name: "delete three in four", keys: 10 * million, writes: 7.5 * million, fill: true, mostWritten: 20, mostRuns: 12, mostSettledSpace: 1.25,
			next: func(_ *rand.Rand, i int, keys uint64) (uint64, bool) { return uint64(i) * 7919 % keys, true }},
	} {
		t.Run(s.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			w := newWorld(t, s.cfg)
			if s.fill {
				for k := range s.keys {
					w.write(k, false)
				}
				w.flush()
				w.settle(true)
				w.given, w.written, w.maxRuns, w.runSum, w.runSamples, w.largest = 0, 0, 0, 0, 0, 0
			}
			for i := range s.writes {
				w.write(s.next(r, i, s.keys))
			}
			busy, running := w.amplification(), w.space()
			w.flush()
			w.settle(true)
			t.Logf("written %.2f (settled %.2f) bytes per byte; runs %.1f on average, %d at most; space %.2f, settled %.2f; largest merge %d MiB; last level %d MiB",
				busy, w.amplification(), float64(w.runSum)/float64(max(1, w.runSamples)), w.maxRuns, running, w.space(), w.largest>>20, w.lastBytes()>>20)
			if busy > s.mostWritten || w.maxRuns > s.mostRuns || w.space() > s.mostSettledSpace {
				t.Errorf("want at most %.2f written, %d runs, %.2f space", s.mostWritten, s.mostRuns, s.mostSettledSpace)
			}
		})
	}
}

func (w *world) lastBytes() uint64 {
	last, _ := lastRun(w.version)
	return bytesOf(last.Tables)
}

// TestWritersAndReadersPayAtMostTwiceTheBestPolicy plays writers and readers in
// turn, in many proportions, and compares with two who know no credit: one never
// merges for readers, the other always does at once.
func TestWritersAndReadersPayAtMostTwiceTheBestPolicy(t *testing.T) {
	const flushes = 24
	play := func(reads uint64, from int, credit func(uint64) uint64) (cost uint64, runs int) {
		w := newWorld(t, Config{})
		w.credit = credit
		r := rand.New(rand.NewPCG(3, 4))
		for i := range flushes {
			for range w.buffer / w.record {
				w.write(r.Uint64N(1<<40), false)
			}
			if i >= from {
				for range 8 {
					w.read(reads / 8)
				}
			}
		}
		return w.lost + w.written, len(w.version.Runs)
	}
	always, _ := play(0, 0, func(uint64) uint64 { return 1 << 50 }) // readers lose nothing
	for _, from := range []int{0, flushes - 1} {                    // when reading begins
		for _, reads := range []uint64{1 << 20, 1 << 24, 1 << 27, 1 << 32} {
			rent, runs := play(reads, from, nil)
			never, _ := play(reads, from, func(uint64) uint64 { return 0 })
			t.Logf("from flush %d on a run costs readers %d MiB a flush: %d MiB, %d runs are left; never merging for readers %d MiB, always %d MiB",
				from, reads>>20, rent>>20, runs, never>>20, always>>20)
			if best := min(never, always); rent > 2*best {
				t.Errorf("%d MiB, the best policy needs %d", rent>>20, best>>20)
			}
		}
	}
}
