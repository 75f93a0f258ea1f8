package main

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// drive is how a row puts its operations to an engine.
type drive struct {
	workers int           // goroutines, each a worker
	ops     int64         // operations in all, shared out evenly
	limit   time.Duration // ends the row early; 0: none
	every   int64         // one operation of so many is timed; 0 and 1: each
}

// operation does number i of a row's operations and returns how many units of
// the row's throughput it was.
type operation func(w *worker, i int64) (units int, err error)

// worker is one goroutine of a row.
type worker struct {
	id     int
	rng    rng
	key    []byte // scratch
	value  []byte // scratch
	pairs  []Pair // scratch
	number uint64 // of the key that was named last
	timing histogram
	stall  time.Duration // longest time between two clock readings
	done   int64
	units  int64
}

// measure is what a row's operations came to.
type measure struct {
	ops, units int64
	elapsed    time.Duration
	cpu        time.Duration // of the process, background work included
	written    int64         // bytes
	timing     histogram
	stall      time.Duration // an operation took at least this long at worst

	// Of operations at fixed times, and of those beside a writer:
	value  float64 // the row's figure, where it is neither a rate nor the time that passed
	rate   float64 // operations a second that were asked for
	missed int64   // due, never begun
	beside *paced  // the writer
}

// run calls op for the numbers 0..ops-1, each worker a contiguous share of them,
// and returns what that took. The first error ends the row.
func (d drive) run(op operation) (*measure, error) {
	workers := make([]*worker, d.workers)
	for i := range workers {
		workers[i] = &worker{id: i, rng: rng(mix(uint64(i) + 1))}
	}
	io, err := written()
	if err != nil {
		return nil, err
	}
	var (
		group sync.WaitGroup
		stop  atomic.Bool
		first atomic.Pointer[error]
		cpu   = cpuTime()
		start = time.Now()
		share = d.ops / int64(d.workers)
	)
	for _, w := range workers {
		group.Go(func() {
			lo := share * int64(w.id)
			hi := lo + share
			if w.id == d.workers-1 {
				hi = d.ops
			}
			if err := d.work(w, lo, hi, start, &stop, op); err != nil {
				first.CompareAndSwap(nil, &err)
				stop.Store(true)
			}
		})
	}
	group.Wait()
	m := &measure{elapsed: time.Since(start), cpu: cpuTime() - cpu}
	if err := first.Load(); err != nil {
		return nil, *err
	}
	if m.written, err = written(); err != nil {
		return nil, err
	}
	m.written -= io
	for _, w := range workers {
		m.ops += w.done
		m.units += w.units
		m.timing.add(&w.timing)
		m.stall = max(m.stall, w.stall)
	}
	return m, nil
}

// work is one worker's share. The clock is read once for each timed operation
// if all are timed, and twice if not: then what lies between is only a bound of
// the longest stall.
func (d drive) work(w *worker, lo, hi int64, start time.Time, stop *atomic.Bool, op operation) error {
	every := max(d.every, 1)
	last := time.Since(start)
	for i := lo; i < hi; i++ {
		units, err := op(w, i)
		if err != nil {
			return err
		}
		w.done++
		w.units += int64(units)
		switch left := w.done % every; {
		case left == 0:
			now := time.Since(start)
			if every == 1 {
				w.timing.record(now - last)
			}
			w.stall = max(w.stall, now-last)
			last = now
			if d.limit > 0 && now > d.limit || stop.Load() {
				return nil
			}
		case left == 1: // the first of a stretch is the timed one
			w.timing.record(time.Since(start) - last)
		}
	}
	return nil
}

// cpuTime returns the processor time this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
