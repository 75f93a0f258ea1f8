//go:build invariants

package invariants

import "sync"

// Mutex is a sync.Mutex that knows its rank and who holds it.
type Mutex struct {
	mu   sync.Mutex
	rank Rank
}

// RWMutex is a sync.RWMutex that knows its rank and who holds it.
type RWMutex struct {
	mu   sync.RWMutex
	rank Rank
}

// ranked is a lock whose rank can be set.
type ranked interface{ setRank(Rank) }

// SetRank gives a *Mutex or *RWMutex its rank, before anybody takes it.
func SetRank(m any, r Rank) { m.(ranked).setRank(r) }

func (m *Mutex) setRank(r Rank)   { m.rank = r }
func (m *RWMutex) setRank(r Rank) { m.rank = r }

// Lock takes the lock, and fails if one is held that comes behind it.
func (m *Mutex) Lock() {
	begin(m, m.rank)
	m.mu.Lock()
}

// Unlock gives the lock back.
func (m *Mutex) Unlock() {
	end(m, m.rank)
	m.mu.Unlock()
}

// Lock takes the lock, and fails if one is held that comes behind it.
func (m *RWMutex) Lock() {
	begin(m, m.rank)
	m.mu.Lock()
}

// Unlock gives the lock back.
func (m *RWMutex) Unlock() {
	end(m, m.rank)
	m.mu.Unlock()
}

// RLock takes the lock for reading, and fails if one is held that comes behind it.
func (m *RWMutex) RLock() {
	begin(m, m.rank)
	m.mu.RLock()
}

// RUnlock gives the lock back.
func (m *RWMutex) RUnlock() {
	end(m, m.rank)
	m.mu.RUnlock()
}

// holding is one lock that a goroutine holds, or is about to.
type holding struct {
	lock any
	rank Rank
}

// held is what each goroutine holds, by what goroutine returns, in stripes that are
// guarded by locks of their own.
var held [64]stripe

// stripe is what a part of the goroutines hold.
type stripe struct {
	mu sync.Mutex
	by map[uint64][]holding
}

// stripeOf returns where the locks of goroutine g are noted. Addresses end in zeros.
func stripeOf(g uint64) *stripe { return &held[(g^g>>9)%uint64(len(held))] }

// begin notes that the goroutine takes a lock.
func begin(m any, r Rank) {
	g := goroutine()
	h := stripeOf(g)
	h.mu.Lock()
	before := h.by[g]
	h.mu.Unlock()
	for _, o := range before { // nobody but the goroutine itself changes it
		if !r.below(o.rank) {
			failf("%v is taken while %v is held", r, o.rank)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[uint64][]holding{}
	}
	h.by[g] = append(h.by[g], holding{m, r})
}

// end notes that the goroutine gives a lock back.
func end(m any, r Rank) {
	g := goroutine()
	h := stripeOf(g)
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := h.by[g]
	for i := len(mine) - 1; i >= 0; i-- {
		if mine[i].lock != m {
			continue
		}
		mine = append(mine[:i], mine[i+1:]...)
		if h.by[g] = mine; len(mine) == 0 {
			delete(h.by, g)
		}
		return
	}
	failf("%v is given back by a goroutine that does not hold it", r)
}

// mine returns the ranks that the goroutine holds.
func mine() (ranks []Rank) {
	g := goroutine()
	h := stripeOf(g)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.by[g] {
		ranks = append(ranks, o.rank)
	}
	return ranks
}

// Outside fails if the goroutine holds a lock under which there is no I/O. what is
// the call that is about to be made. Until back is called the goroutine counts as
// holding nothing: the file system of a test may look into a store of its own.
func Outside(what string) (back func()) {
	for _, r := range mine() {
		if rules[r].noIO {
			failf("%s while %v is held", what, r)
		}
	}
	g := goroutine()
	h := stripeOf(g)
	h.mu.Lock()
	defer h.mu.Unlock()
	aside := h.by[g]
	delete(h.by, g)
	if aside == nil {
		return func() {}
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.by[g] = aside
	}
}

// NotUnder fails if the goroutine holds a lock of the given rank.
func NotUnder(r Rank, what string) {
	for _, o := range mine() {
		if o == r {
			failf("%s while %v is held", what, r)
		}
	}
}

// below reports whether a lock of rank r may be taken under one of rank held.
func (r Rank) below(held Rank) bool {
	return held != Leaf && (r == Leaf || r > held)
}
