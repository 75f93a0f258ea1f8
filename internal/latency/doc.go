// Package latency counts how long operations take, at a nanosecond or two for each.
//
//	operation ──► Sampler: one in 256? ──► clock ──► … ──► clock ──► Histogram
//	                  │ no                                              buckets of doubling width
//	                  └─► nothing more
//
// What is measured counts for all those that are not, so counts and sums are estimates of
// all operations. Nothing allocates and nothing is locked.
package latency
