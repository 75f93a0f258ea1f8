// Package index keeps the Go source of a tree in a Siltstone store: it reads the
// packages of the tree, and makes the store equal to them, one transaction per
// package that differs.
//
//	Tree ──► Package ──► Loader ──► the keys below
package index

import (
	"fmt"

	"github.com/siltstonedb/siltstone"
)

// The keys of the index. Raw keys, for what is read by range:
//
//	file/src/sort/sort.go            the contents
//	line/src/sort/sort.go:0000017    one line, without its end
//
// and named values, for what is counted:
//
//	package/src/sort       hash        files, bytes, lines, identifiers
//	digests/src/sort       hash        file name → SHA-256 of the contents
//	imports/src/sort       set         import paths
//	identifiers/src/sort   sorted set  identifier → how often it stands there
//	identifiers            sorted set  the same over all packages
//	totals                 hash        files, bytes, lines, packages
//	recent                 list        the files indexed last, newest first
//
// A package is in the index exactly if its hash exists: all of it is written by
// one transaction.
const (
	FilePrefix = "file/"
	LinePrefix = "line/"

	StatsPrefix       = "package/"
	DigestsPrefix     = "digests/"
	ImportsPrefix     = "imports/"
	IdentifiersPrefix = "identifiers/"

	IdentifiersKey = "identifiers"
	TotalsKey      = "totals"
	RecentKey      = "recent"
)

// recentLen is how many files the list of recent ones keeps.
const recentLen = 100

// Names of counts, in the hash of a package and in the totals.
const (
	CountFiles       = "files"
	CountBytes       = "bytes"
	CountLines       = "lines"
	CountIdentifiers = "identifiers"
	CountPackages    = "packages"
)

// FileKey is the key of a file's contents.
func FileKey(path string) []byte { return []byte(FilePrefix + path) }

// LineKey is the key of a line, counted from 1. The number has a fixed width, so
// that the order of the keys is the order of the lines.
func LineKey(path string, line int) []byte {
	return fmt.Appendf(nil, "%s%s:%07d", LinePrefix, path, line)
}

// FileLines is the range of all lines of a file.
func FileLines(path string) siltstone.Range {
	return siltstone.Prefix([]byte(LinePrefix + path + ":"))
}

// Lines is the range of the lines from first to last, both included.
func Lines(path string, first, last int) siltstone.Range {
	return siltstone.Range{Lower: LineKey(path, first), Upper: LineKey(path, last+1)}
}
