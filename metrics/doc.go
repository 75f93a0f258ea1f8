// Package metrics has the figures of a store at one moment, as DB.Metrics returns them.
//
//	before := db.Metrics()
//	work()
//	done := db.Metrics().Sub(before) // what happened in between
//	fmt.Println(done.Commits.Count, "commits,", done.Log.Syncs.Quantile(0.99), "for a sync")
//
// Metrics is a plain value: print it as a table, encode it as JSON, or publish it:
//
//	expvar.Publish("store", expvar.Func(func() any { return db.Metrics() }))
//
// A field is a counter, which counts from Open on and never decreases, or a gauge, which
// says how things stand. Sizes are in bytes.
package metrics
