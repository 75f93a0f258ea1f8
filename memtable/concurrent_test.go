package memtable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// history is what a writer will do: operation i writes key[i] at sequence i+1,
// with the sequence as its value.
type history struct {
	key      []string
	versions map[string][]base.SeqNum // rising
	sorted   []string                 // distinct keys
	distinct []int                    // distinct[v]: keys with a version at or below v
}

func newHistory(r *rand.Rand, n, keys int) *history {
	h := &history{versions: map[string][]base.SeqNum{}, distinct: []int{0}}
	for i := range n {
		k := fmt.Sprintf("shared:prefix:%06d", r.IntN(keys))
		if r.IntN(4) == 0 {
			k = fmt.Sprintf("tail:%06d", i)
		}
		if r.IntN(6) == 0 {
			k = "hot"
		}
		h.key = append(h.key, k)
		h.versions[k] = append(h.versions[k], base.SeqNum(i+1))
		h.distinct = append(h.distinct, len(h.versions))
	}
	for k := range h.versions {
		h.sorted = append(h.sorted, k)
	}
	slices.Sort(h.sorted)
	return h
}

// newest returns the newest version of key at v, 0 if there is none.
func (h *history) newest(key string, v base.SeqNum) base.SeqNum {
	all := h.versions[key]
	i, found := slices.BinarySearch(all, v)
	if found {
		return v
	}
	if i == 0 {
		return 0
	}
	return all[i-1]
}

func TestReadersBesideTheWriterSeeExactlyWhatIsVisible(t *testing.T) {
	r := newSeed(t)
	writes := 20_000
	if testing.Short() {
		writes = 6000
	}
	h := newHistory(r, writes, 3000)
	table := New(32 << 20)
	var visible atomic.Uint64
	var done atomic.Bool
	var readers sync.WaitGroup
	read := func(f func(r *rand.Rand, v base.SeqNum) error) {
		mine := rand.New(rand.NewPCG(r.Uint64(), 1))
		readers.Go(func() {
			for last := false; ; last = done.Load() {
				if err := f(mine, base.SeqNum(visible.Load())); err != nil {
					t.Error(err)
					return
				}
				if last {
					return
				}
			}
		})
	}
	read(func(r *rand.Rand, v base.SeqNum) error { return h.checkGets(r, table, v) })
	read(func(r *rand.Rand, v base.SeqNum) error { return h.checkScan(table, v, true) })
	read(func(r *rand.Rand, v base.SeqNum) error { return h.checkScan(table, v, false) })
	read(func(r *rand.Rand, v base.SeqNum) error { return h.checkScanAt(r, table, v) })
	read(func(r *rand.Rand, v base.SeqNum) error { return h.checkRanges(r, table, v) })
	for i, k := range h.key {
		seq := base.SeqNum(i + 1)
		if i%997 == 0 {
			table.AddRangeDelete([]byte("zz"), fmt.Appendf(nil, "zz%06d", i), seq)
		}
		set(table, k, seq, fmt.Sprint(seq))
		visible.Store(uint64(seq))
	}
	done.Store(true)
	readers.Wait()
	checkRow(t, table)
}

func (h *history) checkGets(r *rand.Rand, table *Table, v base.SeqNum) error {
	for range 100 {
		key := h.sorted[r.IntN(len(h.sorted))]
		at := v - min(v, base.SeqNum(r.IntN(50)))
		value, tr, ok := table.Get(xxhash.Sum64String(key), []byte(key), at)
		want := h.newest(key, at)
		if ok != (want > 0) || ok && (tr.Seq != want || string(value) != fmt.Sprint(want)) {
			return fmt.Errorf("Get(%q, %d) = %q#%d, %v; want #%d", key, at, value, tr.Seq, ok, want)
		}
	}
	return nil
}

// checkScan walks the whole table and holds what is visible at v against the
// history.
func (h *history) checkScan(table *Table, v base.SeqNum, forward bool) error {
	it := table.NewIter(false)
	defer it.Close()
	move, e := it.Next, it.First()
	if !forward {
		move, e = it.Prev, it.Last()
	}
	keys := 0
	var lastKey string
	var best base.SeqNum
	check := func() error {
		if best == 0 {
			return nil
		}
		keys++
		if want := h.newest(lastKey, v); best != want {
			return fmt.Errorf("scan at %d: %q#%d, want #%d", v, lastKey, best, want)
		}
		return nil
	}
	for ; e != nil; e = move() {
		if key := string(e.Key); key != lastKey {
			if lastKey != "" && (key > lastKey) != forward {
				return fmt.Errorf("scan: %q after %q", key, lastKey)
			}
			if err := check(); err != nil {
				return err
			}
			lastKey, best = key, 0
		}
		if e.Seq <= v {
			best = max(best, e.Seq)
		}
	}
	if err := check(); err != nil {
		return err
	}
	if keys != h.distinct[v] {
		return fmt.Errorf("scan at %d: %d keys, want %d", v, keys, h.distinct[v])
	}
	return nil
}

// checkScanAt walks what is visible at v, in either direction, and holds it
// against the history.
func (h *history) checkScanAt(r *rand.Rand, table *Table, v base.SeqNum) error {
	var it Iter
	it.InitAt(table, false, v)
	defer it.Close()
	keys, lastKey, forward := 0, "", r.IntN(2) == 0
	move, e := it.Next, it.First()
	if !forward {
		move, e = it.Prev, it.Last()
	}
	for ; e != nil; e = move() {
		key := string(e.Key)
		if keys++; keys > 1 && (key == lastKey || (key > lastKey) != forward) {
			return fmt.Errorf("scan at %d: %q after %q", v, key, lastKey)
		}
		if want := h.newest(key, v); e.Seq != want || string(e.Value) != fmt.Sprint(want) {
			return fmt.Errorf("scan at %d: %q#%d = %q, want #%d", v, key, e.Seq, e.Value, want)
		}
		lastKey = key
	}
	if keys != h.distinct[v] {
		return fmt.Errorf("scan at %d: %d keys, want %d", v, keys, h.distinct[v])
	}
	return nil
}

// checkRanges asks whether anything in a range is newer than a little before v.
func (h *history) checkRanges(r *rand.Rand, table *Table, v base.SeqNum) error {
	if v == 0 {
		return nil
	}
	for range 20 {
		since := v - min(v, base.SeqNum(1+r.IntN(5)))
		key := h.key[v-1]
		got, found := table.NewerInRange([]byte(key), append([]byte(key), 0), since)
		if !found || string(got) != key {
			return fmt.Errorf("NewerInRange(%q, %d) = %q, %v", key, since, got, found)
		}
		if !table.Newer(xxhash.Sum64String(key), []byte(key), since) {
			return fmt.Errorf("Newer(%q, %d) is false", key, since)
		}
		if table.MaxSeq() < v || int(v) > table.Len() {
			return fmt.Errorf("MaxSeq %d, Len %d at %d", table.MaxSeq(), table.Len(), v)
		}
	}
	return nil
}
