package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// beside does what read does while one goroutine puts keys that exist, at a fixed rate.
// How that writer fared is in the measure too.
func (b *bed) beside(puts float64, read stepFunc) (*measure, error) {
	b.writers(1)
	defer room(1)()
	var (
		stop   atomic.Bool
		writer *paced
		werr   error
		group  sync.WaitGroup
	)
	group.Go(func() {
		defer punctual()()
		w := &worker{rng: rng(mix(1 << 32))}
		keys := uniform{b.stored}
		p := pace{rate: puts, clock: systemClock{time.Now()}, stop: &stop}
		writer, werr = p.run(func(i int64) error { return b.put(w, keys.pick(&w.rng), uint64(i)|1) })
	})
	m, err := read(b)
	stop.Store(true)
	group.Wait()
	if err != nil {
		return nil, err
	}
	if werr != nil {
		return nil, werr
	}
	b.user += writer.ops * b.pairLen()
	m.beside = writer
	return m, nil
}

// paced reads at a fixed rate, shared out among so many goroutines, for as long as a row
// may last.
func (b *bed) paced(rate float64, workers int, op operation) (*measure, error) {
	io, err := written()
	if err != nil {
		return nil, err
	}
	defer room(workers)()
	var (
		all   = make([]*paced, workers)
		errs  = make([]error, workers)
		group sync.WaitGroup
		cpu   = cpuTime()
		clock = systemClock{time.Now()}
		each  = pace{rate: rate / float64(workers), limit: b.limit, clock: clock}
	)
	for i := range workers {
		group.Go(func() {
			defer punctual()()
			w := &worker{id: i, rng: rng(mix(uint64(i) + 1))}
			p := each
			p.first = time.Duration(i) * each.due(1) / time.Duration(workers)
			all[i], errs[i] = p.run(func(n int64) error {
				_, err := op(w, n)
				return err
			})
		})
	}
	group.Wait()
	sum := &paced{}
	for i, p := range all {
		if errs[i] != nil {
			return nil, errs[i]
		}
		sum.add(p)
	}
	m := sum.measure()
	m.cpu = cpuTime() - cpu
	now, err := written()
	m.written = now - io
	return m, err
}
