package main

import "testing"

func TestRestIsSeveralQuietTicksInARow(t *testing.T) {
	for _, c := range []struct {
		seen  string // q: quiet, b: busy; quiet when it ends
		ticks int
		want  int // ticks that were waited
	}{
		{"", 100, restQuiet}, {"bb", 100, 2 + restQuiet}, {"qqqqb", 100, 5 + restQuiet}, {"bbbbbbbb", 6, 6}, {"", 0, 0},
	} {
		n := 0
		untilQuiet(c.ticks, func() bool {
			n++
			return n > len(c.seen) || c.seen[n-1] == 'q'
		})
		if n != c.want {
			t.Errorf("%q, %d ticks at most: waited %d, want %d", c.seen, c.ticks, n, c.want)
		}
	}
}
