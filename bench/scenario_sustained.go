package main

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	sustainedTimes = 10    // times -n: 10 M keys
	sustainedGets  = 1_000 // a second, beside the fill
)

// sustainedScenario fills a store with more than memtables and a first merge take.
func sustainedScenario() scenario {
	return scenario{
		name: "sustained", keys: keyShape{random: true}, value: usualValue, unlimited: true,
		count: func(n uint64) uint64 { return n * sustainedTimes },
		steps: sustainedSteps("sustained", "", ", ten times as many"),
	}
}

// sustainedBeyondScenario does so with data eight times larger than the memory.
func sustainedBeyondScenario() scenario {
	return scenario{
		name: "sustained-8", keys: keyShape{random: true}, value: wideValue, unlimited: true, times: 8, count: allKeys,
		steps: sustainedSteps("sustained-8", "8 × memory: ", ", sustained"),
	}
}

func sustainedSteps(name, before, behind string) []step {
	return []step{
		prepare(mark),
		loading("fill-"+name, before+"fill, random keys"+behind, sustainedFill),
		timed(name+"-whole", before+"fill and the merging that it left"+behind, func(b *bed) (*measure, error) { return b.whole, nil }),
		figure(name+"-stall", before+"longest stall of a put"+behind, millis, longestStall),
		tail(name+"-get", before+"get, 1000 a second beside the fill: p99.9"+behind, func(b *bed) (*measure, error) { return b.gets.measure(), nil }),
		figure(name+"-written", before+"bytes written per user byte"+behind, perByte, writtenPerByte),
		figure(name+"-disk", before+"bytes on disk per live byte"+behind, perByte, diskPerByte),
		figure(name+"-memory", before+"peak memory"+behind, megabytes, memory),
	}
}

// sustainedFill puts every key from one goroutine, while another reads some of those that
// are there, at a fixed rate. Then it waits until the engine rests.
func sustainedFill(b *bed) (*measure, error) {
	b.writers(1)
	defer room(1)()
	var (
		stored atomic.Uint64
		stop   atomic.Bool
		gerr   error
		group  sync.WaitGroup
		start  = time.Now()
		cpu    = cpuTime()
	)
	io, err := written()
	if err != nil {
		return nil, err
	}
	group.Go(func() {
		defer punctual()()
		w := &worker{rng: 1}
		p := pace{rate: sustainedGets, clock: systemClock{start}, stop: &stop}
		b.gets, gerr = p.run(func(int64) error {
			if n := stored.Load(); n > 0 {
				return b.get(w, w.rng.below(n), true)
			}
			return nil
		})
	})
	d := drive{workers: 1, ops: int64(b.n), limit: b.limit}
	m, err := d.run(func(w *worker, i int64) (int, error) {
		if err := b.put(w, uint64(i), 0); err != nil {
			return 0, err
		}
		stored.Store(uint64(i) + 1)
		return 1, nil
	})
	stop.Store(true)
	if group.Wait(); err == nil {
		err = gerr
	}
	if err != nil {
		return nil, err
	}
	b.stored = uint64(m.ops)
	b.user += m.ops * b.pairLen()
	if err := b.load(); err != nil { // nothing, but where a test has a limit
		return nil, err
	}
	filled := time.Since(start)
	b.whole = &measure{ops: int64(b.stored), units: int64(b.stored), elapsed: filled + b.rest(longerRest), cpu: cpuTime() - cpu, stall: m.stall}
	now, err := written()
	b.whole.written = now - io
	return m, err
}

// longestStall returns the milliseconds that a put of the sustained fill took at worst.
func longestStall(b *bed) (float64, error) { return b.whole.stall.Seconds() * 1e3, nil }
