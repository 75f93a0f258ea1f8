package siltstone

import "time"

// Within reports whether ok comes true within a minute: background work takes its
// time.
func Within(ok func() bool) bool {
	end := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		<-tick.C
	}
	return true
}
