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
//	go -C bench run . compare -rows edge                              # data about as large as the cache
//	go -C bench run . compare -rows beyond -group /sys/fs/cgroup/mine # data larger than memory
//
// Rows of data larger than memory run in a control group that holds the process and
// its page cache. The folder that -group names is that of a group in which this user may
// make others, with the memory controller: of version 2, as
// "systemd-run --user --scope -p Delegate=yes" makes one, or of version 1. Without it
// those rows are left out, which is said.
//
// The typed command compares the calls on typed values with redis-server, whose
// programs it needs, and writes out/typed.md.
//
//	go -C bench run . typed -quick
package main
