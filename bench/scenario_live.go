package main

import "fmt"

// livePuts is the rate of the writer in the rows at equal rates, in puts a second.
const livePuts = 20_000

// reading is a kind of read that a live row makes.
type reading struct {
	row, title string
	workers    int
	rate       float64 // a second, where all engines are to make as many
	ops        func(*bed) int64
	op         func(*bed) operation
}

// readings are point reads, and seeks to keys at random from where so many pairs are read
// by a fresh iterator.
func readings() []reading {
	get := func(b *bed) operation {
		keys := uniform{b.stored}
		return func(w *worker, _ int64) (int, error) { return 1, b.get(w, keys.pick(&w.rng), true) }
	}
	seek := func(n int) func(*bed) operation {
		return func(b *bed) operation {
			keys := uniform{b.stored}
			return func(w *worker, _ int64) (int, error) {
				w.key = b.keys.append(w.key[:0], keys.pick(&w.rng))
				return 1, seekOnce(b.engine, w.key, n)
			}
		}
	}
	return []reading{
		{"get", "get, 2 goroutines", readers, 20_000, (*bed).reads, get},
		{"seek-10", "seek + 10", 1, 5_000, (*bed).seeks, seek(10)},
		{"seek-100", "seek + 100", 1, 1_000, (*bed).seeks, seek(100)},
		{"seek-10000", "seek + 10,000", 1, 25, (*bed).seeks, seek(10_000)},
	}
}

// fast reads as fast as it goes.
func (r reading) fast(b *bed) (*measure, error) {
	every := int64(1)
	if r.workers > 1 {
		every = readSampled
	}
	return drive{workers: r.workers, ops: r.ops(b), limit: b.limit, every: every}.run(r.op(b))
}

// beside reads as fast as it goes beside the writer of the equal rates.
func (r reading) beside(b *bed) (*measure, error) { return b.beside(livePuts, r.fast) }

// equal makes as many reads beside as many puts on every engine.
func (r reading) equal(b *bed) (*measure, error) {
	return b.beside(livePuts, func(b *bed) (*measure, error) { return b.paced(r.rate, r.workers, r.op(b)) })
}

// half makes half of the puts that the engine can, and beside them half of the reads that
// it can beside them.
func (r reading) half(b *bed) (*measure, error) {
	puts := b.capacity / 2
	trial := *b
	trial.limit = max(b.limit/4, 1) // 0 would be none
	m, err := trial.beside(puts, r.fast)
	if err != nil {
		return nil, err
	}
	rate := float64(m.ops) / m.elapsed.Seconds() / 2
	return b.beside(puts, func(b *bed) (*measure, error) { return b.paced(rate, r.workers, r.op(b)) })
}

// liveScenario reads a store that is being written to.
func liveScenario() scenario {
	s := scenario{name: "live", keys: keyShape{random: true}, value: usualValue, count: allKeys}
	s.steps = []step{
		prepare((*bed).load), prepare(warm),
		loading("live-capacity", "overwrite as fast as it goes, 1 goroutine", capacity), prepare(settle),
	}
	for _, r := range readings() {
		row := "live-" + r.row
		s.steps = append(s.steps,
			timed(row, fmt.Sprintf("%s beside %d,000 puts/s", r.title, livePuts/1000), r.beside),
			tail(row+"-equal", fmt.Sprintf("%s, %.0f a second beside %d,000 puts/s: p99.9", r.title, r.rate, livePuts/1000), r.equal),
			tail(row+"-half", r.title+", half its own rate beside puts at half theirs: p99.9", r.half),
			prepare(settle), // or the next row would be beside the merges that this one has left
		)
	}
	return s
}

// capacity overwrites as fast as it goes and notes how fast that is.
func capacity(b *bed) (*measure, error) {
	m, err := overwrite(1)(b)
	if err == nil {
		b.capacity = float64(m.ops) / m.elapsed.Seconds()
	}
	return m, err
}
