package main

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
	filePrefix = "file/"
	linePrefix = "line/"

	statsPrefix       = "package/"
	digestsPrefix     = "digests/"
	importsPrefix     = "imports/"
	identifiersPrefix = "identifiers/"

	identifiersKey = "identifiers"
	totalsKey      = "totals"
	recentKey      = "recent"
)

// recentLen is how many files the list of recent ones keeps.
const recentLen = 100

// Names of counts, in the hash of a package and in the totals.
const (
	countFiles       = "files"
	countBytes       = "bytes"
	countLines       = "lines"
	countIdentifiers = "identifiers"
	countPackages    = "packages"
)

func fileKey(path string) []byte { return []byte(filePrefix + path) }

// lineKey is the key of a line, counted from 1. The number has a fixed width, so
// that the order of the keys is the order of the lines.
func lineKey(path string, line int) []byte {
	return fmt.Appendf(nil, "%s%s:%07d", linePrefix, path, line)
}

// fileLines is the range of all lines of a file.
func fileLines(path string) siltstone.Range {
	return siltstone.Prefix([]byte(linePrefix + path + ":"))
}

// lines is the range of the lines from first to last, both included.
func lines(path string, first, last int) siltstone.Range {
	return siltstone.Range{Lower: lineKey(path, first), Upper: lineKey(path, last+1)}
}
