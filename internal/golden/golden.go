// Package golden compares what a test prints with a file that stands beside it.
// It declares the flag -update for all tests that do, which writes the files anew:
//
//	go test ./wal -update
//
// A flag exists only in the test binaries that import this package; CONTRIBUTING
// lists those packages in one command.
package golden

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Updating reports whether -update was given, for tests that write their files
// themselves.
func Updating() bool { return *update }

// Compare fails the test unless got is what the file at path holds. With -update
// it writes got there instead.
func Compare(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	if want := read(t, path); got != want {
		t.Errorf("%s differs; -update rewrites it. Got:\n%s", path, got)
	}
}

// Cases runs every case of a file as a subtest. A case is some lines that begin
// with "#", the first of which names it, what is given, "----", and what comes of
// it; an empty line ends it. With -update the answers are written anew, the rest
// of the file is kept.
func Cases(t *testing.T, path string, run func(t *testing.T, given []string) string) {
	t.Helper()
	var rewritten []string
	for _, c := range strings.Split(strings.TrimSpace(read(t, path)), "\n\n") {
		given, want, _ := strings.Cut(c+"\n", "----\n")
		given, want = strings.TrimSpace(given), strings.TrimSpace(want)
		lines := strings.Split(given, "\n")
		name := strings.TrimSpace(strings.TrimLeft(lines[0], "# "))
		got := ""
		t.Run(name, func(t *testing.T) {
			facts := lines
			for len(facts) > 0 && strings.HasPrefix(facts[0], "#") {
				facts = facts[1:]
			}
			got = strings.TrimSpace(run(t, facts))
			if !*update && got != want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", given, got, want)
			}
		})
		rewritten = append(rewritten, given+"\n----\n"+got+"\n")
	}
	if *update {
		write(t, path, strings.Join(rewritten, "\n"))
	}
}

// read returns the file with the line ends of Unix: a checkout may have others.
func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
