// Command bench compares siltstone with other embedded stores on the same keys,
// values, memory and durability.
//
//	compare ── one child process per engine, scenario and run ──► out/results.jsonl
//	   │            engines take turns, so that a slow minute of the machine
//	   │            falls on all of them
//	   └── medians ──► out/benchmarks.md   ratios and figures
//	                   out/bench.txt       Go benchmark lines, for benchstat
//	                   out/*.svg           bars
//
// A child (the "run" command) proves that its engine's wrapper stores before it
// times anything, then goes through the steps of one scenario on one store and
// prints a line of JSON per row.
//
//	go -C bench run . compare -quick
//	go -C bench run . compare -engines siltstone,pebble -rows 'read|seek' -runs 5
//	go -C bench run . table            # the documents again, from out/results.jsonl
//	go -C bench run . list             # rows and engines
//
// The typed command compares the calls on typed values with redis-server, whose
// programs it needs, and writes out/typed.md.
//
//	go -C bench run . typed -quick
package main
