package main

import (
	"fmt"
	"slices"
)

// goroutineCounts are how many goroutines share a row's work.
func goroutineCounts() []int { return []int{1, 2, 4, 16, 64} }

// goroutinesScenario makes the same puts, and the same mixes, from ever more goroutines.
func goroutinesScenario() scenario {
	s := scenario{name: "goroutines", keys: keyShape{random: true}, value: usualValue, count: allKeys}
	s.steps = []step{prepare((*bed).load), prepare(warm)}
	for _, g := range goroutineCounts() {
		s.steps = append(s.steps, timed(fmt.Sprintf("mixed-by-%d", g), "mixed, 50 % reads, "+goroutines(g), mixedBy(g, 50)))
	}
	for _, g := range goroutineCounts() {
		s.steps = append(s.steps, timed(fmt.Sprintf("put-by-%d", g), "put of keys that exist, "+goroutines(g), overwrite(g)))
	}
	return s
}

func goroutines(n int) string {
	if n == 1 {
		return "1 goroutine"
	}
	return fmt.Sprintf("%d goroutines", n)
}

// typedScenario makes calls on typed values from ever more goroutines. No peer has them.
func typedScenario() scenario {
	s := scenario{name: "typed", value: typedValue, count: allKeys, only: ours}
	for _, shape := range typedShapes() {
		if !slices.Contains([]string{"set", "get", "incr", "hset", "zadd"}, shape.row) {
			continue
		}
		for _, g := range goroutineCounts() {
			s.steps = append(s.steps, timed(fmt.Sprintf("typed-%s-by-%d", shape.row, g), shape.title+", "+goroutines(g), typedCalls(shape, g)))
		}
	}
	return s
}

// typedCalls makes one call for each key there is, on keys at random.
func typedCalls(shape typedShape, workers int) stepFunc {
	return func(b *bed) (*measure, error) {
		db := b.engine.(*siltstoneEngine).db
		d := drive{workers: workers, ops: int64(b.n), limit: b.limit, every: readSampled}
		return d.run(func(w *worker, _ int64) (int, error) { return 1, shape.call(db, w, b.n, b.values) })
	}
}
