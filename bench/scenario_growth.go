package main

import "fmt"

// growthTimes are the sizes of a growing store, in -n keys of 1 KiB: gigabytes, if -n is
// a million.
func growthTimes() []uint64 { return []uint64{1, 2, 4, 8, 16} }

// growthScenario lets one store grow up to so many times -n keys, and puts the same
// operations to it at each size. What they cost is drawn against the size.
func growthScenario(most uint64) scenario {
	s := scenario{name: "growth", keys: keyShape{random: true}, value: wideValue, grows: true, count: allKeys}
	for _, times := range growthTimes() {
		if times > most {
			break
		}
		row := func(name string) string { return fmt.Sprintf("growth-%s-%d", name, times) }
		title := func(what string) string { return fmt.Sprintf("%d × n keys of 1 KiB: %s", times, what) }
		s.steps = append(s.steps,
			sized(loading(row("fill"), title("fill up to there, random keys"), growTo(times))),
			prepare(settle),
			sized(timed(row("read"), title("read, present"), readPresent)),
			sized(timed(row("missing"), title("read, missing"), readMissing)),
			sized(timed(row("seek-10"), title("seek + 10, fresh iterator"), seekFresh(10))),
			sized(timed(row("put"), title("overwrite, 1 goroutine"), overwrite(1))),
		)
	}
	return s
}

// sized marks a step whose result tells how much data is stored.
func sized(s step) step {
	s.sized = true
	return s
}

// growTo puts what is missing of so many times n keys. What a time limit cuts off is
// loaded untimed.
func growTo(times uint64) stepFunc {
	return func(b *bed) (*measure, error) {
		whole := *b
		whole.n = b.n * times
		m, err := fill(&whole)
		b.stored, b.user = whole.stored, whole.user
		return m, err
	}
}
