package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// recordFile holds, a line each, the mutants and the one test that noticed them last.
const recordFile = "harness/mutants/caught.txt"

// records are the tests that noticed mutants last, by the names of those. They only say
// what to run first: most faults then cost one package and one test. A test that is
// gone, or notices nothing any more, costs its time, and the other steps follow.
type records map[string]step

func readRecords(root string) (records, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(recordFile)))
	if err != nil {
		return nil, err
	}
	r := records{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("%s: no name, package and test: %q", recordFile, line)
		}
		r[f[0]] = step{dir: f[1], pattern: "^" + f[2] + "$"}
	}
	return r, nil
}

func (r records) write(root string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r)) {
		s := r[name]
		fmt.Fprintf(&text, "%s %s %s\n", name, s.dir, strings.Trim(s.pattern, "^$"))
	}
	return os.WriteFile(filepath.Join(root, filepath.FromSlash(recordFile)), []byte(text.String()), 0o644)
}

// steps returns the runs for the mutant, in order.
func (r records) steps(m *mutant) []step {
	if s, ok := r[m.name]; ok {
		return append([]step{s}, m.steps()...)
	}
	return m.steps()
}

var noticed = regexp.MustCompile(`^(\S+): (Test\w+)`)

// testOf returns the test that was red. A crash and a timeout name none for sure.
func testOf(v verdict) (step, bool) {
	at := noticed.FindStringSubmatch(v.by)
	if at == nil || v.outcome != caught {
		return step{}, false
	}
	return step{dir: at[1], pattern: "^" + at[2] + "$"}, true
}

// add notes which test noticed the mutant.
func (r records) add(m *mutant, v verdict) {
	if s, ok := testOf(v); ok {
		r[m.name] = s
	}
}
