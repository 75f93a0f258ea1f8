// Command bench compares siltstone with other embedded stores on the same keys,
// values, memory and durability.
//
//	compare ── one child process per engine, scenario and run ──► out/results.jsonl
//	   │            engines take turns, so that a slow minute of the machine
//	   │            falls on all of them
//	   └── medians ──► out/benchmarks.md   ratios and figures
//	                   out/bench.txt       Go benchmark lines, for benchstat
//	                   out/*.svg           bars, and curves of growth
//
// A child (the "run" command) proves that its engine's wrapper stores before it
// times anything, then goes through the steps of one scenario on one store and
// prints a line of JSON per row.
//
//	go -C bench run . compare -quick
//	go -C bench run . compare -engines siltstone,pebble -rows 'read|seek' -runs 5
//	go -C bench run . table            # the documents again, from out/results.jsonl
//	go -C bench run . list             # rows and engines
//	go -C bench run . compare -rows edge             # data about as large as the cache
//	go -C bench run . compare -rows beyond           # data larger than memory
//	go -C bench run . compare -rows ^live            # reads beside a writer at a fixed rate
//	go -C bench run . compare -rows sustained        # long fills, with the merging that they leave
//	go -C bench run . compare -rows -by-             # by goroutines
//	go -C bench run . compare -rows ^kvbench         # the shapes of a public harness
//	go -C bench run . compare -rows ^growth -grow 16 # 1 to 16 GB, drawn
//
// Rows of data larger than memory run in a control group that holds the process and
// its page cache. It is made below the group that this process is in, of version 1 or 2,
// or below that whose folder -group names. In version 2 that group must have the memory
// controller and hold no process but this one, as
// "systemd-run --user --scope -p Delegate=yes ./bench compare -rows beyond" makes one.
// Where no group can be had those rows are left out, which is said.
//
// Rows beside a writer are an open loop: operations are due at fixed times, and what one
// took counts from then (pace.go).
//
// The typed command compares the calls on typed values with redis-server, whose
// programs it needs, and writes out/typed.md.
//
//	go -C bench run . typed -quick
package main
