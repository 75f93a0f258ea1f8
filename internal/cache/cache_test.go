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
	c.Drop(s)
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
	if want := int64(len(s)-16) * 1000; c.Waste(0) != want || calls != int(want)/1000 {
		t.Fatalf("%d bytes wasted in %d calls, want %d in %d", c.Waste(0), calls, want, want/1000)
	}
	c.TakeWaste()
	if c.Waste(0) != 0 {
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
					c.Drop(own)
				default:
					read(c, shared, rng.IntN(64))
				}
				if m := c.Metrics(); m.Bytes > m.Limit {
					t.Errorf("%+v", m)
				}
			}
			c.Drop(own)
		})
	}
	wg.Wait()
	c.Drop(shared)
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
	}{
		{"nobody has found it", func(_ *Cache, _ *Slot, e *Entry) { e.EndLease() }, true},
		{"who stored it still points at it", func(*Cache, *Slot, *Entry) {}, false},
		{"asked for, but not found", func(_ *Cache, s *Slot, e *Entry) { e.EndLease(); s.Address() }, true},
		{"found during the lease", func(_ *Cache, s *Slot, e *Entry) { s.Peek(); e.EndLease() }, false},
		{"found after the lease", func(_ *Cache, s *Slot, e *Entry) { e.EndLease(); s.Peek() }, false},
		{"borrowed while there is room, and given back", func(_ *Cache, s *Slot, e *Entry) { e.EndLease(); s.Borrow(false); e.EndLease() }, true},
		{"borrowed in a full cache", func(c *Cache, s *Slot, e *Entry) { e.EndLease(); borrowFull(t, c, s, e) }, true},
		{"borrowed, and not given back", func(c *Cache, s *Slot, e *Entry) { e.EndLease(); c.Reserve(960 << 10); s.Borrow(false) }, false},
		{"borrowed, and found meanwhile", func(c *Cache, s *Slot, e *Entry) {
			e.EndLease()
			c.Reserve(960 << 10)
			s.Borrow(false)
			s.Borrow(false)
			e.EndLease()
		}, false},
		{"evicted for other memory than a block's", func(c *Cache, _ *Slot, e *Entry) { e.EndLease(); c.Reserve(1 << 20); c.Release(1 << 20) }, true},
	} {
		cache, slots := New(1<<20), make([]Slot, 200)
		recycled := 0
		e := new(Entry)
		e.Lease(func(*Entry) { recycled++ })
		cache.Store(&slots[0], e, 10<<10, false)
		c.do(cache, &slots[0], e)
		for i := range slots[1:] {
			cache.Store(&slots[i+1], new(Entry), 10<<10, false)
		}
		if slots[0].Peek() != nil {
			t.Fatalf("%s: it was not evicted", c.name)
		}
		if got := recycled == 1; got != c.recycle || recycled > 1 {
			t.Errorf("%s: recycled %d times", c.name, recycled)
		}
		if e.share() == c.recycle {
			t.Errorf("%s: a reader who comes late gets it: %v", c.name, !c.recycle)
		}
	}
}

// Readers take blocks, and look at them for as long as they like, while others
// make and evict them: what is recycled is in nobody's hands.
// borrowFull borrows e, which is in s, twice from a cache that it makes full.
func borrowFull(t *testing.T, c *Cache, s *Slot, e *Entry) {
	t.Helper()
	c.Reserve(960 << 10)
	for _, mark := range []bool{false, true} {
		if got, lease := s.Borrow(mark); got != e || !lease || e.touched.Load() != 0 != mark {
			t.Errorf("borrowed %p, lease %v, touched %d; want %p", got, lease, e.touched.Load(), e)
		}
		e.EndLease()
	}
	e.touched.Store(0) // or the eviction would spare it once
}

func TestRecycledBlocksAreInNobodysHands(t *testing.T) {
	type fake struct {
		Entry
		content atomic.Int64 // of the slot it was stored for; -1 once it is recycled
	}
	cache, slots := New(64<<10), make([]Slot, 64)
	recycle := func(e *Entry) { (*fake)(unsafe.Pointer(e)).content.Store(-1) }
	var recycled atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 20000 {
				i := rng.IntN(len(slots))
				var e *Entry
				lease := false
				if g%2 == 0 {
					e = slots[i].Load()
				} else {
					e, lease = slots[i].Borrow(true)
				}
				if e != nil {
					b := (*fake)(unsafe.Pointer(e))
					for range 3 {
						if got := b.content.Load(); got != int64(i) {
							t.Errorf("block %d holds %d", i, got)
							return
						}
						runtime.Gosched()
					}
					if lease {
						e.EndLease()
					}
					continue
				}
				b := new(fake)
				b.content.Store(int64(i))
				b.Lease(func(e *Entry) { recycled.Add(1); recycle(e) })
				cache.Store(&slots[i], &b.Entry, 2<<10, rng.IntN(2) == 0)
				if got := b.content.Load(); got != int64(i) {
					t.Errorf("block %d holds %d during its lease", i, got)
					return
				}
				b.EndLease()
			}
		})
	}
	all.Wait()
	if recycled.Load() == 0 {
		t.Error("nothing was recycled")
	}
}
