package debughttp

import (
	"fmt"
	"time"
)

// size is n bytes for people.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for ; v >= 1024 && unit < 4; unit++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}

// took is a duration of three digits or so.
func took(d time.Duration) string {
	for _, unit := range []time.Duration{time.Minute, time.Second, time.Millisecond} {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.Round(time.Microsecond).String()
}

// share is what part of whole n is, in percent.
func share(n, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return min(100, n*100/whole)
}

// count is how many of what there are.
func count(n any, what string) string {
	text := fmt.Sprintf("%d %s", n, what)
	if text == "1 "+what {
		return text
	}
	return text + "s"
}
