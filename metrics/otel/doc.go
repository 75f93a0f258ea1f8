// Package otel publishes the figures of stores to OpenTelemetry, as asynchronous
// instruments: nothing is done until a reader collects.
//
//	import storemetrics "github.com/siltstonedb/siltstone/metrics/otel"
//
//	registration, err := storemetrics.Register(provider.Meter("orders-service"), "orders", db)
//	…
//	registration.Unregister() // before db.Close
//
// A figure of metrics.Figures is called siltstone. and its name, with the unit s or By:
//
//	commits             siltstone.commits            counter, {store=orders}
//	write.wait          siltstone.write.wait         counter in s, {store=orders, cause=merges}
//
// OpenTelemetry has no asynchronous histograms, so a latency is three counters: how many,
// their sum in s, and how many took less than the bound le, in seconds:
//
//	get.duration        siltstone.get.duration.count, .sum, .bucket{le=0.000128}
//
// docs/watching.md has all figures, with what to do about each. It is a module of its own,
// so that a program without it does not depend on OpenTelemetry.
package otel
