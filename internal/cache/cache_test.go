package cache

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// page stands for a table's block: the entry first, then what it caches.
type page struct {
	Entry
	number int
}

func store(c *Cache, s []Slot, i int, bytes int64, hot bool) {
	c.Store(&s[i], &(&page{number: i}).Entry, bytes, hot)
}

func held(s []Slot) (n int) {
	for i := range s {
		if s[i].Peek() != nil {
			n++
		}
	}
	return n
}

// read is a point read: a hit marks, a miss stores.
func read(c *Cache, s []Slot, i int) (hit bool) {
	if s[i].Load() != nil {
		return true
	}
	store(c, s, i, 100, true)
	return false
}

func TestStoredBlockIsFoundUntilDropped(t *testing.T) {
	c, s := New(1000), make([]Slot, 3)
	store(c, s, 1, 100, true)
	if s[0].Load() != nil || s[1].Load() == nil || s[1].Peek() == nil {
		t.Fatal("a slot must hold exactly what was stored into it")
	}
	c.Drop(s, false)
	if s[1].Load() != nil {
		t.Fatal("a dropped slot still holds its block")
	}
	if m := c.Metrics(); m.Bytes != 0 || m.Blocks != 0 || m.Misses != 1 {
		t.Fatalf("after Drop: %+v", m)
	}
}

func TestBlocksStayBelowTheLimit(t *testing.T) {
	c, s := New(1000), make([]Slot, 200)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		i := rng.IntN(len(s))
		if s[i].Load() == nil {
			store(c, s, i, int64(rng.IntN(300)), rng.IntN(2) == 0)
		}
		if m := c.Metrics(); m.Bytes > m.Limit || m.Blocks != int64(held(s)) {
			t.Fatalf("%+v with %d slots full", m, held(s))
		}
	}
	if c.Metrics().Evictions == 0 {
		t.Fatal("nothing was evicted")
	}
}

func TestReservedMemoryEvictsBlocks(t *testing.T) {
	c, s := New(1000), make([]Slot, 10)
	for i := range s {
		store(c, s, i, 100, true)
	}
	if held(s) != 10 {
		t.Fatalf("%d of 10 blocks fit", held(s))
	}
	c.Reserve(750)
	if held(s) != 2 {
		t.Fatalf("%d blocks beside 750 reserved bytes of 1000, want 2", held(s))
	}
	c.Reserve(750)
	if m := c.Metrics(); held(s) != 0 || m.Reserved != 1500 {
		t.Fatalf("reserved beyond the limit: %d blocks, %+v", held(s), m)
	}
	store(c, s, 0, 1, true)
	if held(s) != 0 {
		t.Fatal("a block was kept though all is reserved")
	}
	c.Release(1500)
	store(c, s, 0, 100, true)
	if held(s) != 1 {
		t.Fatal("released memory is not used")
	}
}

func TestScanDoesNotEvictWhatPointReadsUse(t *testing.T) {
	c, s := New(100*100), make([]Slot, 2000)
	for range 3 { // the working set: 60 of the 100 blocks that fit
		for i := range 60 {
			read(c, s, i)
		}
	}
	for i := 100; i < 2000; i++ { // a scan of twenty times the cache
		if s[i].Peek() == nil {
			store(c, s, i, 100, false)
		}
	}
	if n := held(s[:60]); n < 55 {
		t.Fatalf("the scan left %d of 60 blocks of the working set", n)
	}
}

func TestBlockAskedForAgainAfterEvictionGoesToMain(t *testing.T) {
	c, s := New(1000), make([]Slot, 40)
	read(c, s, 0)
	for i := 1; s[0].Peek() != nil; i++ {
		read(c, s, i)
	}
	read(c, s, 0)
	if !s[0].Peek().inMain {
		t.Fatal("the block went through probation twice")
	}
	for i := 20; i < 40; i++ {
		store(c, s, i, 100, false)
	}
	if s[0].Peek() == nil {
		t.Fatal("a scan evicted a block of the main queue")
	}
}

func TestFullCacheAdmitsOnlyWhatIsAskedForTwice(t *testing.T) {
	c, s := New(100*1000+slack), make([]Slot, 300)
	for i := range 100 {
		if !c.Admits(&s[i], 1000, false) {
			t.Fatalf("block %d was refused though there is room", i)
		}
		store(c, s, i, 1000, true)
	}
	for range 2 {
		if c.Admits(&s[200], 1000, false) {
			t.Error("a full cache takes what a scan passes over")
		}
	}
	if c.Admits(&s[201], 1000, true) {
		t.Error("a full cache takes what was asked for once")
	}
	if !c.Admits(&s[201], 1000, true) {
		t.Error("a full cache refuses what was asked for twice")
	}
	for i := range 100 { // as many others as the cache has blocks
		c.Admits(&s[202+i%98], 1000, true)
	}
	s[299].gone = 0
	c.Admits(&s[299], 1000, true)
	for range 150 {
		c.clock++
	}
	if c.Admits(&s[299], 1000, true) {
		t.Error("a full cache takes what was asked for long ago")
	}
}

func TestLendingHasABoundAndCountsAsReserved(t *testing.T) {
	c := New(8000)
	if !c.Lend(600) || !c.Lend(400) || c.Lend(1) {
		t.Fatal("an eighth of the limit is lent, and no more")
	}
	if m := c.Metrics(); m.Lent != 1000 || m.Reserved != 1000 {
		t.Fatalf("%+v", m)
	}
	c.Takeback(400)
	if !c.Lend(1) {
		t.Fatal("what was taken back is not lent again")
	}
}

func TestLendingEvictsWhatStoodInItsPlace(t *testing.T) {
	c, s := New(16_000), make([]Slot, 16)
	for i := range s {
		store(c, s, i, 1000, true)
	}
	if !c.Lend(2000) {
		t.Fatal("an eighth of the limit is not lent")
	}
	if m := c.Metrics(); m.Bytes != 14_000 {
		t.Errorf("%d bytes of blocks beside 2000 that are lent, of 16000", m.Bytes)
	}
}

func TestWasteIsAnnouncedAsItGrows(t *testing.T) {
	c, s := New(16_000), make([]Slot, 64)
	calls := 0
	c.OnWaste = func() { calls++ }
	for i := range s {
		store(c, s, i, 1000, true)
	}
	if lost := c.Lost(); lost != int64(len(s)-16)*1000 || c.Waste(0) != 0 {
		t.Errorf("%d bytes of evicted blocks are lost and %d are waste", lost, c.Waste(0))
	}
	const want = 48_000
	for range want / 1000 {
		c.Waste(1000)
	}
	if c.Waste(0) != want || calls != int(want)/1000 {
		t.Fatalf("%d bytes wasted in %d calls, want %d in %d", c.Waste(0), calls, want, want/1000)
	}
	c.TakeWaste()
	if c.Waste(0) != 0 || c.Lost() != 0 {
		t.Fatal("waste that was taken is still there")
	}
}

func TestHugeBlockIsNotKept(t *testing.T) {
	c, s := New(1000), make([]Slot, 11)
	for i := range 10 {
		store(c, s, i, 100, true)
	}
	store(c, s, 10, 501, true)
	if held(s) != 10 {
		t.Fatalf("%d blocks after a huge one, want the 10 before it", held(s))
	}
}

func TestStoringTwiceReplaces(t *testing.T) {
	c, s := New(1000), make([]Slot, 1)
	a, b := &page{number: 1}, &page{number: 2}
	c.Store(&s[0], &a.Entry, 100, true)
	c.Store(&s[0], &b.Entry, 300, true)
	if s[0].Load() != &b.Entry {
		t.Fatal("the first entry stayed")
	}
	if m := c.Metrics(); m.Bytes != 300 || m.Blocks != 1 {
		t.Fatalf("%+v", m)
	}
}

func TestConcurrentReadersScansReservationsAndDrops(t *testing.T) {
	c := New(20 * 100)
	shared := make([]Slot, 64)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 7))
			own := make([]Slot, 32)
			for i := range 3000 {
				switch i % 16 {
				case 3:
					c.Reserve(500)
					c.Release(500)
				case 7:
					store(c, own, rng.IntN(32), 50, false)
				case 11:
					c.Drop(own, false)
				default:
					read(c, shared, rng.IntN(64))
				}
				if m := c.Metrics(); m.Bytes > m.Limit {
					t.Errorf("%+v", m)
				}
			}
			c.Drop(own, false)
		})
	}
	wg.Wait()
	c.Drop(shared, false)
	if m := c.Metrics(); m.Bytes != 0 || m.Blocks != 0 || m.Reserved != 0 {
		t.Fatalf("at the end %+v", m)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	c, s := New(1000), make([]Slot, 1)
	store(c, s, 0, 100, true)
	if n := testing.AllocsPerRun(100, func() { s[0].Load() }); n != 0 {
		t.Fatalf("%v allocations per hit", n)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c, s := New(1<<20), make([]Slot, 1024)
	for i := range s {
		store(c, s, i, 100, true)
	}
	for i := 0; b.Loop(); i++ {
		s[i&1023].Load()
	}
}

func TestBlockAtWhichNobodyPointsIsRecycled(t *testing.T) {
	for _, c := range []struct {
		name    string
		do      func(c *Cache, s *Slot, e *Entry)
		recycle bool
		late    bool // a reader who found it before the eviction may come later
	}{
		{"nobody has found it", func(_ *Cache, _ *Slot, e *Entry) { e.EndLease() }, true, false},
		{"who stored it still points at it", func(*Cache, *Slot, *Entry) {}, false, true},
		{"asked for, but not found", func(_ *Cache, s *Slot, e *Entry) { e.EndLease(); s.Address() }, true, false},
		{"found during the lease", func(_ *Cache, s *Slot, e *Entry) { s.Peek(); e.EndLease() }, false, true},
		{"found after the lease", func(_ *Cache, s *Slot, e *Entry) { e.EndLease(); s.Peek() }, false, true},
		{"borrowed while there is room", func(c *Cache, s *Slot, e *Entry) { e.EndLease(); s.Borrow(c, false) }, false, true},
		{"borrowed in a full cache", func(c *Cache, s *Slot, e *Entry) { e.EndLease(); borrowFull(t, c, s, e) }, true, false},
		{"borrowed, and not given back", func(c *Cache, s *Slot, e *Entry) { e.EndLease(); c.Reserve(960 << 10); s.Borrow(c, false) }, false, true},
		{"borrowed, and found meanwhile", func(c *Cache, s *Slot, e *Entry) {
			e.EndLease()
			c.Reserve(960 << 10)
			s.Borrow(c, false)
			s.Borrow(c, false)
			e.EndLease()
		}, false, true},
		{"evicted for other memory than a block's", func(c *Cache, _ *Slot, e *Entry) { e.EndLease(); c.Reserve(1015 << 10); c.Release(1015 << 10) }, true, false},
		{"evicted for all memory", func(c *Cache, _ *Slot, e *Entry) { e.EndLease(); c.Reserve(1 << 20); c.Release(1 << 20) }, false, false},
		{"found, and dropped", func(c *Cache, s *Slot, _ *Entry) { s.Peek(); c.Drop(unsafe.Slice(s, 1), false) }, false, true},
		{"found, and dropped unused", func(c *Cache, s *Slot, _ *Entry) { s.Peek(); c.Drop(unsafe.Slice(s, 1), true) }, true, false},
		{"found by readers of epochs that have ended", func(c *Cache, s *Slot, _ *Entry) {
			c.BeginEpoch(3)
			c.BeginEpoch(4)
			s.Peek()
			c.Drop(unsafe.Slice(s, 1), false)
			c.EndEpochs(5)
		}, true, true},
		{"found by readers of epochs of which one goes on", func(c *Cache, s *Slot, _ *Entry) {
			c.BeginEpoch(3)
			c.BeginEpoch(4)
			s.Peek()
			c.Drop(unsafe.Slice(s, 1), false)
			c.BeginEpoch(5)
			c.EndEpochs(4)
		}, false, true},
	} {
		cache, slots := New(1<<20), make([]Slot, 200)
		e, memory := new(Entry), make([]byte, 9<<10)
		e.Own(memory)
		e.Lease()
		cache.Store(&slots[0], e, 10<<10, false)
		c.do(cache, &slots[0], e)
		for i := range slots[1:] {
			cache.Store(&slots[i+1], new(Entry), 10<<10, false)
		}
		if slots[0].Peek() != nil {
			t.Fatalf("%s: it was not evicted", c.name)
		}
		if got := &cache.Buffer(9 << 10)[0] == &memory[0]; got != c.recycle {
			t.Errorf("%s: its memory is used again: %v", c.name, got)
		}
		if got := e.share(); got != c.late {
			t.Errorf("%s: a reader who comes late gets it: %v", c.name, got)
		}
	}
}

// borrowFull borrows e, which is in s, twice from a cache that it makes full.
func borrowFull(t *testing.T, c *Cache, s *Slot, e *Entry) {
	t.Helper()
	c.Reserve(960 << 10)
	for _, mark := range []bool{false, true} {
		if got, lease := s.Borrow(c, mark); got != e || !lease || e.touched.Load() != 0 != mark {
			t.Errorf("borrowed %p, lease %v, touched %d; want %p", got, lease, e.touched.Load(), e)
		}
		e.EndLease()
	}
	e.touched.Store(0) // or the eviction would spare it once
}

// Readers take blocks, and look at them for as long as they like, while others
// make and evict them: what is recycled is in nobody's hands.
func TestRecycledBlocksAreInNobodysHands(t *testing.T) {
	type fake struct {
		Entry
		content []byte // each byte the number of the slot it was stored for
	}
	const size = 2 << 10
	cache, slots := New(64<<10), make([]Slot, 64)
	var reused atomic.Int64
	var epochs epochs
	epochs.begin(cache)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for n := range 3000 {
				if n%20 == 0 {
					epochs.begin(cache)
				}
				i := rng.IntN(len(slots))
				mine := epochs.join()
				var e *Entry
				lease := false
				if g%2 == 0 {
					e = slots[i].Load()
				} else {
					e, lease = slots[i].Borrow(cache, true)
				}
				if e != nil {
					b := (*fake)(unsafe.Pointer(e))
					for range 3 {
						if first, last := b.content[0], b.content[size-1]; first != byte(i) || last != byte(i) {
							t.Errorf("block %d holds %d and %d", i, first, last)
							return
						}
						runtime.Gosched()
					}
					if lease {
						e.EndLease()
					}
					epochs.leave(cache, mine)
					continue
				}
				b := &fake{content: cache.Buffer(size)}
				if b.content[0] != 0 || b.content[size-1] != 0 {
					reused.Add(1)
				}
				for j := range b.content {
					b.content[j] = byte(i)
				}
				b.Own(b.content)
				b.Lease()
				cache.Store(&slots[i], &b.Entry, size, rng.IntN(2) == 0)
				if got := b.content[size-1]; got != byte(i) {
					t.Errorf("block %d holds %d during its lease", i, got)
					return
				}
				b.EndLease()
				epochs.leave(cache, mine)
			}
		})
	}
	all.Wait()
	if reused.Load() == 0 {
		t.Error("nothing was used again")
	}
}

// epochs are those of readers in a test.
type epochs struct {
	mu      sync.Mutex
	newest  uint64
	readers map[uint64]int
}

// begin begins an epoch.
func (x *epochs) begin(c *Cache) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.readers == nil {
		x.readers = map[uint64]int{}
	}
	x.newest++
	c.BeginEpoch(x.newest)
}

// join returns the newest epoch, which goes on until leave.
func (x *epochs) join() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.readers[x.newest]++
	return x.newest
}

// leave lets an epoch end once all its readers have left.
func (x *epochs) leave(c *Cache, mine uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.readers[mine]--; x.readers[mine] == 0 {
		delete(x.readers, mine)
	}
	oldest := x.newest
	for e := range x.readers {
		oldest = min(oldest, e)
	}
	c.EndEpochs(oldest)
}
