package memtable

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

func get(t *Table, key string, seq base.SeqNum) (string, bool) {
	v, _, ok := t.Get(xxhash.Sum64String(key), []byte(key), seq)
	return string(v), ok
}

func TestTenThousandVersionsOfOneKeyUnderASnapshot(t *testing.T) {
	const n = 10_000
	table := New(16 << 20)
	for i := range 60 {
		set(table, fmt.Sprintf("key%02d", i), base.SeqNum(i+1), "old")
	}
	for i := range n {
		set(table, "key30", base.SeqNum(100+i), fmt.Sprint(i))
	}
	if v, _ := get(table, "key30", 99); v != "old" {
		t.Fatalf("the snapshot reads %q", v)
	}
	it := table.NewIter(true)
	for i := range n {
		seq := base.SeqNum(100 + i)
		if v, _ := get(table, "key30", seq); v != fmt.Sprint(i) {
			t.Fatalf("Get at %d = %q", seq, v)
		}
		if e := it.SeekGE([]byte("key30"), seq); e == nil || e.Seq != seq {
			t.Fatalf("SeekGE at %d = %v", seq, e)
		}
	}
	count := 0
	for e := it.First(); e != nil; e = it.Next() {
		count++
	}
	back := 0
	for e := it.Last(); e != nil; e = it.Prev() {
		back++
	}
	if count != 60+n || back != 60+n {
		t.Fatalf("%d records forward, %d backward, want %d", count, back, 60+n)
	}
}

func TestAnyVersionIsFoundInLogarithmicallyManySteps(t *testing.T) {
	const n = 100_000
	table := New(16 << 20)
	for i := range n {
		set(table, "k", base.SeqNum(i), "")
	}
	a := &table.arena
	head := a.head(table.find(xxhash.Sum64String("k"), []byte("k")))
	for limit := int64(-1); limit < n; limit += 97 {
		steps, r := 0, head
		for r != 0 && int64(a.seq(r)) > limit {
			steps++
			next := a.older(r)
			if off, ok := a.jumpAt(r); ok {
				for _, field := range []uintptr{jumpUp, jumpFar} {
					if to := *a.word(r, off+field); to != 0 && int64(a.seq(to)) > limit {
						next = to
					}
				}
			}
			r = next
		}
		if steps > 80 {
			t.Fatalf("%d steps to version %d of %d", steps, limit, n)
		}
	}
}

func TestIteratorAcrossLeafSplitYieldsEachKeyOnce(t *testing.T) {
	for _, forward := range []bool{true, false} {
		r := newSeed(t)
		table := New(16 << 20)
		seq := base.SeqNum(0)
		add := func(key string) {
			seq++
			set(table, key, seq, "")
		}
		var want []string
		for i := range 1000 {
			want = append(want, fmt.Sprintf("key%04d", i))
		}
		for _, i := range r.Perm(len(want)) {
			add(want[i])
		}
		visible := seq
		it := table.NewIter(true)
		first, move := it.First, it.Next
		if !forward {
			first, move = it.Last, it.Prev
			slices.Reverse(want)
		}
		var got []string
		for e := first(); e != nil; e = move() {
			if e.Seq > visible {
				continue
			}
			got = append(got, string(e.Key))
			for range 5 { // around the iterator, so that its leaf splits under it
				add(fmt.Sprintf("%s.%d", e.Key[:7], seq))
				add(fmt.Sprintf("key%04d.%d", r.IntN(1000), seq))
			}
			if len(got) > len(want) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("forward %v: got %d keys %.200q…, want %d", forward, len(got), got, len(want))
		}
		checkRow(t, table)
	}
}

func TestVersionsAddedUnderTheIteratorAreThereWhenItComesToTheirKey(t *testing.T) {
	table := New(1 << 20)
	for i := range 50 {
		set(table, fmt.Sprintf("key%02d", i), base.SeqNum(i+1), "")
	}
	it := table.NewIter(true)
	it.First()
	set(table, "key40", 100, "new")
	if e := it.Next(); string(e.Key) != "key01" {
		t.Fatal(e)
	}
	for e := it.Next(); string(e.Key) != "key40"; e = it.Next() {
	}
	if it.entry.Seq != 100 {
		t.Fatalf("came to version %d first", it.entry.Seq)
	}
	if e := it.Next(); string(e.Key) != "key40" || e.Seq != 41 {
		t.Fatalf("then to %q#%d", e.Key, e.Seq)
	}
}

func TestSliceKeptAfterIteratorCloseNeverFaults(t *testing.T) {
	var keys, values [][]byte
	func() {
		table := New(8 << 20)
		for i := range 5000 {
			set(table, fmt.Sprintf("key%05d", i), base.SeqNum(i+1), fmt.Sprintf("value%05d", i))
		}
		it := table.NewIter(false)
		for e := it.First(); e != nil; e = it.Next() {
			keys, values = append(keys, e.Key), append(values, e.Value)
		}
		it.Close()
	}()
	for range 3 {
		runtime.GC()
		set(New(8<<20), "other", 1, strings.Repeat("x", 1000))
	}
	for i := range keys {
		if string(keys[i]) != fmt.Sprintf("key%05d", i) || string(values[i]) != fmt.Sprintf("value%05d", i) {
			t.Fatalf("%d: kept %q = %q", i, keys[i], values[i])
		}
	}
}

func TestKeysAAndANulAreTwo(t *testing.T) {
	keys := []string{"a", "a\x00", "a\x00\x00", "a\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a\x00\x01", "b"}
	table := New(1 << 20)
	for i, k := range []int{3, 0, 5, 2, 4, 1} {
		set(table, keys[k], base.SeqNum(i+1), keys[k])
	}
	it := table.NewIter(false)
	var got []string
	for e := it.First(); e != nil; e = it.Next() {
		got = append(got, string(e.Key))
	}
	if !slices.Equal(got, keys) {
		t.Fatalf("order %q", got)
	}
	for _, k := range keys {
		if v, ok := get(table, k, base.SeqMax); !ok || v != k {
			t.Fatalf("Get(%q) = %q, %v", k, v, ok)
		}
		if e := it.SeekGE([]byte(k), base.SeqMax); string(e.Key) != k {
			t.Fatalf("SeekGE(%q) = %q", k, e.Key)
		}
	}
}

func TestLargeValuesHaveTheirOwnAllocation(t *testing.T) {
	table := New(64 << 20)
	for i, n := range []int{0, 1, LargeValue - 1, LargeValue, LargeValue + 1, 4 << 20} {
		key := []byte(fmt.Sprint("key", i))
		hash := xxhash.Sum64(key)
		value := bytes.Repeat([]byte{byte(i)}, n)
		held, arena := table.Bytes(), table.arena.used
		table.Add(hash, key, put(base.SeqNum(2*i)), value)
		if large := table.arena.used-arena >= int64(n) && table.Bytes()-held >= int64(n); n > LargeValue && !large {
			t.Errorf("%d bytes are not counted", n)
		}
		if got, _, ok := table.Get(hash, key, base.SeqMax); !ok || !bytes.Equal(got, value) || n > 0 && &got[0] == &value[0] {
			t.Errorf("Add of %d bytes: got %d, ok %v, or not a copy", n, len(got), ok)
		}
		table.AddReferenced(hash, key, put(base.SeqNum(2*i+1)), value)
		got, _, _ := table.Get(hash, key, base.SeqMax)
		if !bytes.Equal(got, value) || n > 0 && (&got[0] == &value[0]) != (n > LargeValue) {
			t.Errorf("AddReferenced of %d bytes: got %d, or not as told", n, len(got))
		}
	}
	if inChunks := table.arena.held.Load(); inChunks > 1<<20 {
		t.Errorf("chunks hold %d bytes", inChunks)
	}
}

func TestKeysOfEveryLegalLengthAreKept(t *testing.T) {
	table := New(16 << 20)
	var want []string
	seq := base.SeqNum(0)
	for _, n := range []int{1, 7, 8, 9, 65535, 65536, 65537, base.MaxRowKeyLen - 1, base.MaxRowKeyLen} {
		for _, c := range []string{"\x00", "k", "\xff"} {
			key := strings.Repeat(c, n)
			seq++
			set(table, key, seq, strings.Repeat("v", LargeValue))
			want = append(want, key)
		}
	}
	slices.Sort(want)
	it := table.NewIter(true)
	i := 0
	for e := it.First(); e != nil; e = it.Next() {
		if string(e.Key) != want[i] {
			t.Fatalf("record %d has a key of %d bytes, want %d", i, len(e.Key), len(want[i]))
		}
		if _, ok := get(table, want[i], base.SeqMax); !ok {
			t.Fatalf("a key of %d bytes is not found", len(want[i]))
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d records, want %d", i, len(want))
	}
}

func TestWhatFitsCanBeAdded(t *testing.T) {
	r := newSeed(t)
	for _, limit := range []int{0, 1, 100, 4 << 10, 70 << 10, 1 << 20, 5<<20 + 3, 24 << 20} {
		table := New(limit)
		empty := table.Bytes()
		if empty > 8<<10 {
			t.Fatalf("an empty table holds %d bytes", empty)
		}
		seq := base.SeqNum(0)
		for misses := 0; misses < 50; {
			key, value := randomSize(r, base.MaxRowKeyLen), randomSize(r, 2*LargeValue)
			ops := 1 + r.IntN(4)
			if !table.Fits(ops, int64(ops*(key+value))) {
				misses++
				continue
			}
			for range ops {
				seq++
				b := make([]byte, max(1, key))
				copy(b, fmt.Sprint(r.IntN(500)))
				tr := base.Trailer{Seq: seq, Expiry: 1, Attr: base.MakeAttr(base.KindPut, 0, true)}
				if r.IntN(20) == 0 {
					table.AddRangeDelete(b, make([]byte, value), seq)
					continue
				}
				table.Add(xxhash.Sum64(b), b, tr, make([]byte, value))
			}
			if table.arena.used > int64(limit) {
				t.Fatalf("limit %d: %d used", limit, table.arena.used)
			}
		}
		if left := table.arena.limit - table.arena.used; limit >= 1<<20 && left > int64(limit)/10 {
			t.Errorf("limit %d: %d never used", limit, left)
		}
	}
}

// randomSize returns a size below most+1, small ones more often than large.
func randomSize(r *rand.Rand, most int) int {
	if r.IntN(4) == 0 {
		return r.IntN(most + 1)
	}
	return 1 + r.IntN(200)
}

func TestRebaseMovesEverySequence(t *testing.T) {
	table := New(1 << 20)
	set(table, "a", 0, "first")
	set(table, "a", 1, "second")
	table.AddRangeDelete([]byte("m"), []byte("p"), 2)
	table.AddRangeDelete([]byte("n"), []byte("q"), 3)
	table.AddRangeDelete([]byte("x"), []byte("y"), 4)
	set(table, "n", 5, "")
	table.Rebase(1000)

	if _, ok := get(table, "a", 999); ok {
		t.Error("seen before its time")
	}
	if v, _ := get(table, "a", 1000); v != "first" {
		t.Errorf("at 1000: %q", v)
	}
	if v, _ := get(table, "a", base.SeqMax); v != "second" {
		t.Errorf("newest: %q", v)
	}
	if table.MinSeq() != 1000 || table.MaxSeq() != 1005 {
		t.Errorf("sequences %d to %d", table.MinSeq(), table.MaxSeq())
	}
	if got := table.RangeDeletes().String(); got != "[m-p)#1002 [n-q)#1003 [x-y)#1004" {
		t.Errorf("range deletes %s", got)
	}
	if got := table.CoverSeq([]byte("n"), 1002); got != 1002 {
		t.Errorf("cover %d", got)
	}
	if !table.Newer(xxhash.Sum64String("n"), []byte("n"), 1004) || table.Newer(xxhash.Sum64String("n"), []byte("n"), 1005) {
		t.Error("Newer counts from the old base")
	}
	if e := table.NewIter(true).SeekGE([]byte("a"), 1000); e.Seq != 1000 {
		t.Errorf("SeekGE finds %d", e.Seq)
	}
}

func TestKeysOnlyIteratorLendsNoValues(t *testing.T) {
	table := New(1 << 20)
	set(table, "a", 1, "value")
	var it Iter
	it.Init(table, false)
	if e := it.First(); string(e.Value) != "value" {
		t.Fatalf("value %q", e.Value)
	}
	it.Init(table, true)
	if e := it.First(); e.Value != nil {
		t.Fatalf("value %q", e.Value)
	}
}

func TestHotPathsAllocateNothing(t *testing.T) {
	table := New(64 << 20)
	table.Reserve(20_000)
	keys := make([][]byte, 20_000)
	for i := range keys {
		keys[i] = []byte(fmt.Sprintf("user:%08d", i*7919%len(keys)))
		table.Add(xxhash.Sum64(keys[i]), keys[i], put(base.SeqNum(i)), keys[i])
	}
	it := table.NewIter(false)
	var e *iterator.Entry
	seq := base.SeqNum(len(keys))
	i := 0
	next := func() []byte { i++; return keys[i*31%len(keys)] }
	for what, f := range map[string]func(){
		"get":    func() { k := next(); table.Get(xxhash.Sum64(k), k, base.SeqMax) },
		"miss":   func() { table.Get(12345, keys[0][:7], base.SeqMax) },
		"seek":   func() { e = it.SeekGE(next(), base.SeqMax) },
		"seekLT": func() { it.SeekLT(next()) },
		"next": func() {
			if e == nil || string(e.Key) == "user:00019999" {
				e = it.First()
			}
			e = it.Next()
		},
		"prev": func() {
			if it.Last() != nil {
				it.Prev()
			}
		},
		"init":     func() { it.Init(table, true) },
		"newer":    func() { k := next(); table.Newer(xxhash.Sum64(k), k, seq-10) },
		"in range": func() { table.NewerInRange(keys[0], nil, seq-1) },
		"cover":    func() { table.CoverSeq(keys[0], base.SeqMax) },
		"fits":     func() { table.Fits(1, 100) },
	} {
		e = nil
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	overwrite := func() {
		for range 100 {
			k := next()
			seq++
			table.Add(xxhash.Sum64(k), k, put(seq), k)
		}
	}
	if n := testing.AllocsPerRun(100, overwrite); n > 1 {
		t.Errorf("overwrite: %v allocations for 100", n)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var key [8]byte
	insert := func() {
		for range 1000 {
			for j, u := 0, r.Uint64(); j < 8; j++ {
				key[j] = byte(u >> (8 * j))
			}
			seq++
			table.Add(xxhash.Sum64(key[:]), key[:], put(seq), key[:])
		}
	}
	if n := testing.AllocsPerRun(20, insert); n > 100 {
		t.Errorf("insert: %v allocations for 1000", n)
	}
}
