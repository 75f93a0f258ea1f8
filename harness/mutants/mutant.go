package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one fault.
type mutant struct {
	name string // begins with the part of the store it is in
	file string // from the module's root on
	old  string // occurs in the file exactly once
	new  string
	why  string // what the fault would do to a user
	// tests are those that run first, the cheapest first: the directory of a package
	// and, behind a space, a pattern of tests if not all. The root is always the last.
	tests []string
}

// mutants returns all of them.
func mutants() []mutant {
	return slices.Concat(copyMutants, feedMutants, typedMutants, manifestMutants, logMutants, tableMutants, mergeMutants, commitMutants, readMutants)
}

// original returns the text of m's file.
func (m *mutant) original(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	return string(b), err
}

// apply returns the text of m's file with the fault in it. It fails if the text to be
// replaced is not there exactly once: the code has moved, and the mutant has to follow.
func (m *mutant) apply(root string) (string, error) {
	text, err := m.original(root)
	if err != nil {
		return "", err
	}
	if n := strings.Count(text, m.old); n != 1 {
		return "", fmt.Errorf("its text occurs %d times in %s, not once:\n%s", n, m.file, m.old)
	}
	return strings.Replace(text, m.old, m.new, 1), nil
}

// step is the run of the tests of one package.
type step struct {
	dir     string
	pattern string // of tests; empty: all
}

func (s step) String() string { return strings.TrimSpace(s.dir + " " + s.pattern) }

// steps returns the runs for the mutant, in order.
func (m *mutant) steps() (all []step) {
	for _, t := range m.tests {
		dir, pattern, _ := strings.Cut(t, " ")
		all = append(all, step{dir, pattern})
	}
	return append(all, step{dir: "."})
}
