package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goindex runs the command, which must succeed and print each of the texts.
func goindex(t *testing.T, args []string, texts ...string) {
	t.Helper()
	c, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), c, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, text := range texts {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in:\n%s", text, out.String())
		}
	}
}

// That the index is the source is proved in harness/goindex.
func TestASecondRunCommitsNothingAndAnswersTheSame(t *testing.T) {
	root := t.TempDir()
	for i := range 3 {
		name := filepath.Join(root, "src", "net", fmt.Sprint("p", i), "f.go")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "package p\n\nvar v = %d\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-src", root, "-dir", filepath.Join(t.TempDir(), "store")}
	answers := []string{"? how large is the index", "3 packages, 3 files, 12 lines", "? files under src/net/", "3 files, "}
	goindex(t, args, append(answers, "3 files in 3 packages", "3 packages committed (0 of them removed), 0 unchanged")...)
	goindex(t, args, append(answers, "nothing committed: all 3 packages are unchanged")...)
	goindex(t, append(args, "-n", "2"), "2 files in 2 packages", "1 packages committed (1 of them removed), 2 unchanged", "2 packages, 2 files, 8 lines")
}
