package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// store is an open store of an engine: the least that all of them can do.
type store interface {
	// Commit makes the changes in one synced commit.
	Commit(ops []op) error
	// Flush writes what is in memory to tables, if a call of the engine does that.
	Flush() error
	// Get returns a copy of the value of key, and whether there is one.
	Get(key string) (string, bool, error)
	// Scan calls fn with every pair in order.
	Scan(fn func(key, value string)) error
	Close() error
}

// op is a put, or a delete if there is no value.
type op struct{ key, value string }

// engineKind is an engine with its options.
type engineKind struct {
	name    string
	module  string // by which its version is found
	options string // what was set, in words
	open    func(dir string) (store, error)
	log     string // how the names of its log files end; empty if it has none
	lock    string // a file of no content that is left as it is
}

// ours is how the names of Siltstone's kinds begin.
const ours = "siltstone"

// engineKinds returns all engines. Options are the defaults, but that commits are synced
// and that files are small where the engine reserves their full size.
func engineKinds() []engineKind {
	return []engineKind{
		{
			name: ours, module: "github.com/siltstonedb/siltstone", log: ".wal", lock: "LOCK", open: openSiltstone,
			options: "defaults",
		},
		{
			name: "pebble", module: "github.com/cockroachdb/pebble/v2", log: ".log", lock: "LOCK", open: openPebble,
			options: "defaults, newest format, Sync commits; block checksums are always verified; without a handler of damage it ends the process",
		},
		{
			name: "pebble-handler", module: "github.com/cockroachdb/pebble/v2", log: ".log", lock: "LOCK", open: openPebbleHandling,
			options: "as pebble, with an EventListener whose DataCorruption does nothing, so that reads return the error",
		},
		{
			name: "badger", module: "github.com/dgraph-io/badger/v4", log: ".mem", lock: "LOCK", open: openBadger,
			options: "defaults, SyncWrites, files of 1 MiB",
		},
		{
			name: "badger-block", module: "github.com/dgraph-io/badger/v4", log: ".mem", lock: "LOCK", open: openBadgerBlock,
			options: "as badger, with ChecksumVerificationMode OnBlockRead and VerifyValueChecksum",
		},
		{
			name: "badger-table-block", module: "github.com/dgraph-io/badger/v4", log: ".mem", lock: "LOCK", open: openBadgerTableAndBlock,
			options: "as badger, with ChecksumVerificationMode OnTableAndBlockRead and VerifyValueChecksum",
		},
		{
			name: "bbolt", module: "go.etcd.io/bbolt", open: openBbolt,
			options: "defaults; there is no option that verifies pages",
		},
		{
			name: "goleveldb", module: "github.com/syndtr/goleveldb", log: ".log", lock: "LOCK", open: openGoleveldb,
			options: "defaults, Sync commits; DefaultStrict verifies block and journal checksums",
		},
		{
			name: "goleveldb-strict", module: "github.com/syndtr/goleveldb", log: ".log", lock: "LOCK", open: openGoleveldbStrict,
			options: "as goleveldb, with StrictAll",
		},
	}
}

// version returns the version of the engine's module in this build.
func (k engineKind) version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || k.name == ours {
		return "this tree"
	}
	for _, d := range info.Deps {
		if d.Path == k.module {
			return d.Version
		}
	}
	return "unknown"
}

// chooseEngines returns the engines of a list with commas; all for an empty one.
func chooseEngines(list string) ([]engineKind, error) {
	if list == "" {
		return engineKinds(), nil
	}
	var chosen []engineKind
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, k := range engineKinds() {
			if k.name == name {
				chosen = append(chosen, k)
				continue next
			}
		}
		return nil, fmt.Errorf("no engine %q", name)
	}
	return chosen, nil
}
