// Package seed gives random tests their seeds. It declares the flag -seed for all
// of them, which replays a failure:
//
//	go test ./memtable -run TestTableAnswersLikeASortedSlice -seed 1795214173350394916
//
// Only tests import it.
package seed

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var flagged = flag.Uint64("seed", 0, "the seed of random tests, to replay a failure; 0: a new one")

// Given returns the seed of the command line, if there is one.
func Given() (seed uint64, ok bool) { return *flagged, *flagged != 0 }

// New returns the seed of the command line, or else a new one. If the test fails
// it tells how it is run again.
func New(t testing.TB) uint64 {
	t.Helper()
	return Or(t, max(1, rand.Uint64()))
}

// Or returns the seed of the command line, or else n, for tests that do the same
// each time. If the test fails it tells how it is run again.
func Or(t testing.TB, n uint64) uint64 {
	t.Helper()
	if given, ok := Given(); ok {
		n = given
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(Replay(t, n))
		}
	})
	return n
}

// Replay returns the command that runs a test with a seed, in the directory of its
// package.
func Replay(t testing.TB, n uint64) string {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return "replay: go test . -run '" + strings.Join(parts, "/") + "' -seed " + strconv.FormatUint(n, 10)
}
