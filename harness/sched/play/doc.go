// Package play has the scenarios of harness/sched: small programs of a few clients over
// a store with a tiny memtable, each with what must hold however the store's
// goroutines and theirs take turns. The scenarios are tests, because a bubble of
// testing/synctest needs one. go run ./harness/sched builds them over a store with
// switch points, and plays them; in an ordinary build they are skipped.
package play
