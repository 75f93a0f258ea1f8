package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// told is a test that notes what it is told.
type told struct {
	testing.TB
	errors []string
}

func (f *told) Helper() {}
func (f *told) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func TestADifferenceIsToldAndWrittenOnlyWithUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(path, []byte("old\r\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := &told{TB: t}
	Compare(f, path, "old\n")
	if len(f.errors) > 0 {
		t.Errorf("the line ends of another system differ: %q", f.errors)
	}
	Compare(f, path, "new\n")
	if want := path + " differs; -update rewrites it. Got:\nnew\n"; len(f.errors) != 1 || f.errors[0] != want {
		t.Errorf("told %q, want %q", f.errors, want)
	}
	defer func(on bool) { *update = on }(*update)
	*update = true
	Compare(f, path, "new\n")
	*update = false
	Compare(f, path, "new\n")
	if len(f.errors) != 1 {
		t.Errorf("told %q after the update", f.errors[1:])
	}
}

func TestCasesAreRunAndTheirAnswersWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cases.txt")
	if err := os.WriteFile(path, []byte("# one\n# why\na\nb\n----\nold\n\n# two\nc\n----\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer func(on bool) { *update = on }(*update)
	answer := func(_ *testing.T, given []string) string { return fmt.Sprintln(len(given)) }
	*update = true
	Cases(t, path, answer)
	*update = false
	Cases(t, path, answer)
	if got := read(t, path); got != "# one\n# why\na\nb\n----\n2\n\n# two\nc\n----\n1\n" {
		t.Errorf("the file is now\n%s", got)
	}
}
