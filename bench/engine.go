package main

import (
	"fmt"
	"strings"
)

// Engine is a store as the workloads see it: the least that all of them can do.
// All methods but Close may be called from several goroutines at once.
type Engine interface {
	// Put stores one pair as a commit of its own, at the level of Config.Sync.
	Put(key, value []byte) error
	// Apply stores pairs as one atomic commit. The engine keeps none of the slices.
	Apply(pairs []Pair) error
	// Get appends the value of key to dst and reports whether the key exists.
	Get(dst, key []byte) ([]byte, bool, error)
	// NewCursor returns a cursor over the current state; back says that it will be
	// walked towards the front. The caller closes it.
	NewCursor(back bool) (Cursor, error)
	// Close ends the store cleanly.
	Close() error
}

// Cursor walks pairs in key order. It is used by one goroutine. Moves report
// whether the cursor stands on a pair; Key and Value are valid until the next
// move.
type Cursor interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	Next() bool
	Prev() bool
	Key() []byte
	Value() []byte
	// Close releases the cursor and returns the error that ended a walk, if one did.
	Close() error
}

// Pair is a key and its value.
type Pair struct{ Key, Value []byte }

// Config is what every engine is given alike.
type Config struct {
	Dir      string
	Cache    int64 // bytes for cached blocks
	Memtable int64 // bytes of a memtable
	Sync     bool  // commits survive power loss; else they may lose the last moments
	Value    int   // bytes of a usual value, for engines that treat large ones apart
}

// sharedWriters is implemented by engines that commit differently when several
// goroutines write at once. It is called while nothing else runs.
type sharedWriters interface{ SetWriters(n int) }

// rareReader is implemented by engines that have a better way than Get to read
// keys of which most do not exist. It does what Get does.
type rareReader interface {
	GetRare(dst, key []byte) ([]byte, bool, error)
}

// engineKind is an engine that can be compared.
type engineKind struct {
	name string
	open func(Config) (Engine, error)
	// without says which scenarios the engine takes no part in, and why.
	without map[string]string
}

// takesPart reports whether the engine is measured in a scenario.
func (k engineKind) takesPart(s scenario) bool {
	return k.without[s.name] == "" && (s.only == "" || s.only == k.name)
}

// engineKinds returns every engine of this build; siltstone is the first.
func engineKinds() []engineKind {
	kinds := []engineKind{
		{name: "siltstone", open: openSiltstone},
		{name: "pebble", open: openPebble},
	}
	kinds = append(kinds, rocksKinds()...)
	return append(kinds,
		engineKind{name: "badger", open: openBadger},
		engineKind{name: "goleveldb", open: openGoleveldb},
		engineKind{name: "bbolt", open: openBbolt, without: map[string]string{
			"beyond-8":    "a random page write per key: hours",
			"sustained":   "a random page write per key: hours",
			"sustained-8": "a random page write per key: hours",
			"growth":      "a random page write per key: hours",
		}},
		engineKind{name: "buntdb", open: openBuntdb, without: map[string]string{
			"sustained":   "keeps everything in memory",
			"cache":       "keeps everything in memory",
			"edge":        "keeps everything in memory",
			"beyond-8":    "keeps everything in memory",
			"beyond-2":    "keeps everything in memory",
			"sustained-8": "keeps everything in memory",
			"growth":      "keeps everything in memory",
		}},
	)
}

// chooseEngines returns the engines named in a comma-separated list, in the
// order of engineKinds; all for an empty list.
func chooseEngines(list string) ([]engineKind, error) {
	all := engineKinds()
	if list == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []engineKind
	for _, k := range all {
		if wanted[k.name] {
			chosen = append(chosen, k)
			delete(wanted, k.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("no engine %q in this build", name)
	}
	return chosen, nil
}
