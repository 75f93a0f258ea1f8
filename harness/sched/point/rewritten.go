package point

// Rewritten reports whether the store calls this package: harness/sched makes it true
// in what it builds.
const Rewritten = false

// Tiny makes the options of a store those of one that rotates, flushes and merges all
// the time. The rewritten store sets it.
var Tiny func(options any)
