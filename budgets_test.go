package siltstone

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/gosource"
)

// The budgets of the source. One that is above its aim holds today's figure: it
// is lowered by the change that lowers the figure, and raised by none.
const (
	maxRootSources  = 30  // files of the root package without tests; aim: 27
	maxRootTests    = 45  // its test files
	maxDBFields     = 16  // fields of DB
	maxStructFields = 24  // fields of any struct of the library
	maxFileLines    = 500 // lines of a file that is no test
	maxFuncLines    = 80  // lines of a function that is no test's
	maxKnot         = 3   // files of the root that all reach one another
)

// TestTheRootStaysWithinItsBudgets: what stands there is what a reader of the
// repository sees first.
func TestTheRootStaysWithinItsBudgets(t *testing.T) {
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := gosource.Measure(".")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sources); n > maxRootSources {
		t.Errorf("the root has %d source files, at most %d", n, maxRootSources)
	}
	if n := len(all) - len(sources); n > maxRootTests {
		t.Errorf("the root has %d test files, at most %d", n, maxRootTests)
	}
	for _, f := range sources {
		for _, s := range f.Structs {
			if s.Name == "DB" && s.Fields > maxDBFields {
				t.Errorf("%s: DB has %d fields, at most %d", f.Path, s.Fields, maxDBFields)
			}
		}
	}
}

func TestFilesFunctionsAndStructsStayWithinTheirBudgets(t *testing.T) {
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
			return filepath.SkipDir
		}
		files, err := gosource.Measure(dir)
		_, library := importTable[filepath.ToSlash(dir)]
		for _, f := range files {
			checkBudgets(t, f, library)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkBudgets(t *testing.T, f gosource.File, library bool) {
	t.Helper()
	if f.Lines > maxFileLines {
		t.Errorf("%s has %d lines, at most %d", f.Path, f.Lines, maxFileLines)
	}
	for _, fn := range f.Funcs {
		if fn.Lines > maxFuncLines {
			t.Errorf("%s: %s has %d lines, at most %d", f.Path, fn.Name, fn.Lines, maxFuncLines)
		}
	}
	for _, s := range f.Structs {
		if library && s.Fields > maxStructFields {
			t.Errorf("%s: struct %s has %d fields, at most %d", f.Path, s.Name, s.Fields, maxStructFields)
		}
	}
}

// TestFilesOfTheRootAreNotKnotted: files that all reach one another can only be
// read and moved together.
func TestFilesOfTheRootAreNotKnotted(t *testing.T) {
	uses, err := gosource.Uses(".")
	if err != nil {
		t.Fatal(err)
	}
	if knot := uses.Knots()[0]; len(knot) > maxKnot {
		t.Errorf("%d files all reach one another, at most %d; go run ./harness/knot . shows them:\n%s", len(knot), maxKnot, strings.Join(knot, " "))
	}
}
