package compaction

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/manifest"
)

// history is a store beside the list of everything that was ever written to it.
type history struct {
	*store
	r       *rand.Rand
	keys    []string
	records []iterator.Entry
	ranges  []rangedel.Tombstone
	seq     base.SeqNum
	id      uint64
	pending []running
	log     []string
}

// running is a compaction that has been carried out but not installed.
type running struct {
	c *Compaction
	r *Result
}

func newHistory(t testing.TB, seed uint64) *history {
	r := rand.New(rand.NewPCG(seed, 9))
	cfg := Config{FlushRuns: 1 + r.IntN(4), TierRuns: 1 + r.IntN(3), TableSize: int64(400 + r.IntN(1500)),
		LastTableSize: int64(400 + r.IntN(3000)), MaxInput: int64(1000 + r.IntN(20000)), GarbageBytes: 1 << 20, YoungPercent: 1 + r.IntN(60)}
	h := &history{store: newStore(t, cfg), r: r}
	h.options.BlockSize = 40 + r.IntN(400)
	n := 3 + r.IntN(40)
	if r.IntN(4) == 0 {
		n *= 6 // sparse: blocks that nobody else has a key in
	}
	for i := range n {
		h.keys = append(h.keys, fmt.Sprintf("\x01k%03d", i))
	}
	return h
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// write makes one random change.
func (h *history) write() {
	h.seq++
	key := h.keys[h.r.IntN(len(h.keys))]
	var e iterator.Entry
	switch n := h.r.IntN(20); {
	case n < 1:
		a, b := h.r.IntN(len(h.keys)), h.r.IntN(len(h.keys))
		rt := rangedel.Tombstone{Start: []byte(h.keys[min(a, b)]), End: []byte(h.keys[max(a, b)] + "\x00"), Seq: h.seq}
		h.ranges = append(h.ranges, rt)
		h.store.ranges = append(h.store.ranges, rt)
		h.note("delete range [%s, %s) @%d", rt.Start[1:], rt.End[1:], h.seq)
		return
	case n < 5:
		e = deleteEntry(key, h.seq)
	case n < 9:
		e = putEntry(key, fmt.Sprintf("v%d", h.seq), h.seq, h.now+1+h.r.Int64N(30))
	case n < 13:
		if h.id == 0 || h.r.IntN(3) > 0 {
			h.id++
		}
		e = metaEntry(key, h.id, h.seq, []int64{0, h.now + 1 + h.r.Int64N(20)}[h.r.IntN(2)])
	default:
		e = putEntry(key, fmt.Sprintf("v%d", h.seq), h.seq, 0)
	}
	h.records = append(h.records, e)
	h.store.records = append(h.store.records, e)
	h.note("%v %s @%d expiry %d", e.Attr.Kind(), key[1:], h.seq, e.Expiry)
}

// choose picks something to do: what Pick says, or any merge that is allowed.
func (h *history) choose() *Compaction {
	in := h.input()
	in.Idle = h.r.IntN(2) == 0
	if h.r.IntN(4) == 0 {
		in.ReadCredit = uint64(h.r.IntN(20000))
	}
	if h.r.IntN(5) == 0 {
		a, b := h.r.IntN(len(h.keys)), h.r.IntN(len(h.keys))
		in.Manual = &KeyRange{Lo: []byte(h.keys[min(a, b)]), Hi: []byte(h.keys[max(a, b)] + "\x00")}
	}
	if n := len(h.version.Runs); n > 0 && h.r.IntN(3) == 0 {
		p := newPicker(h.version, in)
		i := h.r.IntN(n)
		if p.young > 0 && h.r.IntN(2) == 0 { // neighbours in age, anywhere
			j := i + 1 + h.r.IntN(n-i)
			c := p.whole(i, j, h.version.Runs[j-1].Level, ReasonManual)
			if c != nil && c.Level == lastLevel {
				c.Age = lastAge
			}
			return c
		}
		ts := h.version.Runs[i].Tables
		return p.down(i, TableSpan(ts[h.r.IntN(len(ts))]), ReasonManual)
	}
	return Pick(h.version, in)
}

// step does something at random.
func (h *history) step() {
	switch n := h.r.IntN(40); {
	case n < 24:
		h.write()
	case n < 27:
		h.note("flush")
		h.flush(false)
	case n < 29:
		h.now += h.r.Int64N(15)
		h.note("now %d", h.now)
	case n < 31 && len(h.points) < 5:
		h.points = append(h.points, base.ReadPoint{Seq: h.seq, Clock: h.now})
		h.note("register %v", h.points[len(h.points)-1])
	case n < 33 && len(h.points) > 0:
		i := h.r.IntN(len(h.points))
		h.note("release %v", h.points[i])
		h.points = slices.Delete(h.points, i, i+1)
	case n < 37 && len(h.pending) < 2:
		if c := h.choose(); c != nil {
			h.note("start %v", c)
			h.pending = append(h.pending, running{c, h.run(c)})
			h.busy = append(h.busy, c)
			if h.pending[len(h.pending)-1].c.Kind != KindMerge {
				h.finish(len(h.pending) - 1)
			}
		}
	case len(h.pending) > 0:
		h.finish(h.r.IntN(len(h.pending)))
	}
}

func (h *history) finish(i int) {
	p := h.pending[i]
	h.pending, h.busy = slices.Delete(h.pending, i, i+1), slices.Delete(h.busy, i, i+1)
	h.note("install %v: %v", p.c, p.r.Stats)
	h.install(p.c, p.r)
	h.check()
}

// check compares every answer with the history's.
func (h *history) check() {
	records, ranges := h.contents()
	points := append(slices.Clone(h.points), base.ReadPoint{Seq: base.SeqMax, Clock: h.now})
	for _, key := range h.keys {
		for _, p := range points {
			if got, want := read(records, ranges, key, p), read(h.records, h.ranges, key, p); got != want {
				h.fail("reading %s at %v: got %q, want %q", key[1:], p, got, want)
			}
			if p.Seq < base.SeqMax && newerThan(h.records, h.ranges, key, p.Seq) && !newerThan(records, ranges, key, p.Seq) {
				h.fail("a transaction at %v does not learn that %s has changed", p, key[1:])
			}
		}
	}
	h.checkNominated(records)
}

// checkNominated asserts that no collection's id is lost: as long as no record
// has it any more, it was nominated.
func (h *history) checkNominated(records []iterator.Entry) {
	here := map[string]bool{}
	for _, e := range records {
		here[string(e.Value)] = true
	}
	for id := uint64(1); id <= h.id; id++ {
		named := slices.ContainsFunc(h.named, func(r manifest.IDRange) bool { return r.First <= id && id <= r.Last })
		if !here[string(metaEntry("k", id, 0, 0).Value)] && !named {
			h.fail("collection %d is gone and nobody was told", id)
		}
	}
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	for _, l := range h.log {
		h.t.Log(l)
	}
	h.t.Logf("%s", picture(h.version))
	h.t.Fatalf(format, args...)
}

func TestMergingChangesNoAnswer(t *testing.T) {
	first := seed.New(t)
	rounds := 400
	if testing.Short() {
		rounds = 30
	}
	for i := range rounds {
		t.Run(fmt.Sprintf("seed=%d", first+uint64(i)), func(t *testing.T) {
			h := newHistory(t, first+uint64(i))
			for range 400 {
				h.step()
			}
			for len(h.pending) > 0 {
				h.finish(0)
			}
			h.flush(false)
			h.check()
			in := h.input()
			in.Idle = true
			h.settle(in)
			h.check()
			h.points = nil
			in = h.input()
			in.Manual = &KeyRange{Lo: []byte("\x01"), Hi: nil}
			h.settle(in)
			h.check()
			h.checkClean()
		})
	}
}

// checkClean asserts that after everything was compacted by hand, with nobody
// reading, nothing is left but what can be read.
func (h *history) checkClean() {
	records, ranges := h.contents()
	if len(ranges) > 0 || len(h.version.Runs) > 1 {
		h.fail("range tombstones %v, %d runs are left", ranges, len(h.version.Runs))
	}
	live := 0
	for _, key := range h.keys {
		if read(h.records, h.ranges, key, base.ReadPoint{Seq: base.SeqMax, Clock: h.now}) != "" {
			live++
		}
	}
	if live != len(records) {
		h.fail("%d records are left of %d that can be read: %v", len(records), live, records)
	}
}
