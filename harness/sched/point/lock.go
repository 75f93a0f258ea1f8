package point

import "sync"

// Mutex is a sync.Mutex whose waiters the schedule knows.
type Mutex struct{ mu sync.Mutex }

// Lock takes the lock.
func (m *Mutex) Lock() { take(m, m.mu.TryLock, m.mu.Lock) }

// TryLock takes the lock if it is free.
func (m *Mutex) TryLock() bool { return m.mu.TryLock() }

// Unlock gives the lock back.
func (m *Mutex) Unlock() { m.mu.Unlock(); free(m) }

// RWMutex is a sync.RWMutex whose waiters the schedule knows. A reader does not wait
// for a writer that waits.
type RWMutex struct{ mu sync.RWMutex }

// Lock takes the lock.
func (m *RWMutex) Lock() { take(m, m.mu.TryLock, m.mu.Lock) }

// TryLock takes the lock if it is free.
func (m *RWMutex) TryLock() bool { return m.mu.TryLock() }

// Unlock gives the lock back.
func (m *RWMutex) Unlock() { m.mu.Unlock(); free(m) }

// RLock takes the lock for reading.
func (m *RWMutex) RLock() { take(m, m.mu.TryRLock, m.mu.RLock) }

// TryRLock takes the lock for reading if no writer has it.
func (m *RWMutex) TryRLock() bool { return m.mu.TryRLock() }

// RUnlock gives the lock back.
func (m *RWMutex) RUnlock() { m.mu.RUnlock(); free(m) }

// take takes a lock.
func take(lock any, try func() bool, wait func()) {
	s := now.Load()
	if s == nil {
		wait()
		return
	}
	a := s.myTurn("lock")
	for !try() {
		s.park(a, a.at, lock)
	}
}

func free(lock any) {
	if s := now.Load(); s != nil {
		s.free(lock)
	}
}

// Once is a sync.Once whose waiters the schedule knows.
type Once struct {
	mu   Mutex
	done bool
}

// Do calls f if it is the first call, and returns when f has returned.
func (o *Once) Do(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done {
		defer func() { o.done = true }()
		f()
	}
}

// OnceFunc returns a function that calls f once.
func OnceFunc(f func()) func() {
	var o Once
	return func() { o.Do(f) }
}

// Pool is a sync.Pool that gives back what was put last, and nothing of the schedule
// before.
type Pool struct {
	New func() any

	mu   sync.Mutex
	of   *schedule
	free []any
}

// Get takes what was put last, or what New makes.
func (p *Pool) Get() any {
	p.mu.Lock()
	if n := len(p.free); n > 0 && p.of == now.Load() {
		v := p.free[n-1]
		p.free[n-1], p.free = nil, p.free[:n-1]
		p.mu.Unlock()
		return v
	}
	p.mu.Unlock()
	if p.New == nil {
		return nil
	}
	return p.New()
}

// Put gives v to a later Get.
func (p *Pool) Put(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := now.Load(); p.of != s {
		p.of, p.free = s, nil
	}
	p.free = append(p.free, v)
}
