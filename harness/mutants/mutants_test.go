package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func TestTheTextOfEveryMutantIsInTheCodeOnceAndParsesWithoutIt(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants() {
		if names[m.name] || m.name == "" || m.why == "" || m.old == m.new {
			t.Errorf("%s (%s): it has no name of its own, no reason or changes nothing", m.name, m.file)
		}
		names[m.name] = true
		text, err := m.apply(root)
		if err == nil {
			_, err = parser.ParseFile(token.NewFileSet(), m.file, text, parser.SkipObjectResolution)
		}
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if len(names) < 60 {
		t.Errorf("there are %d mutants", len(names))
	}
}

func TestEveryMutantNamesTestsThatThereAre(t *testing.T) {
	code := map[string]string{}
	for _, m := range mutants() {
		for _, s := range m.steps() {
			if _, read := code[s.dir]; !read {
				code[s.dir] = testCode(t, s.dir)
			}
			re, err := regexp.Compile(`(?m)^func Test\w*(` + s.pattern + `)\w*\(`)
			if err != nil || !re.MatchString(code[s.dir]) {
				t.Errorf("%s: no test is named %q in %s (%v)", m.name, s.pattern, s.dir, err)
			}
		}
	}
}

// testCode returns the code of the tests of a package.
func testCode(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

func TestAMutantWhoseTextIsNotThereOnceIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("one two two"), 0o644); err != nil {
		t.Fatal(err)
	}
	for old, want := range map[string]string{"one": "1 two two", "two": "", "three": ""} {
		m := mutant{file: "a.go", old: old, new: "1"}
		if got, err := m.apply(dir); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", old, got, err)
		}
	}
}

func TestARunOfTestsIsJudgedByItsOutput(t *testing.T) {
	for out, want := range map[string]verdict{
		"--- FAIL: TestPut (0.01s)\n    db_test.go:3: no\nFAIL\n":                                                           {outcome: caught, by: "TestPut"},
		"    --- FAIL: TestPut/empty (0.01s)\n--- FAIL: TestPut (0.01s)\n":                                                  {outcome: caught, by: "TestPut/empty"},
		"panic: runtime error\n\ngoroutine 7 [running]:\n":                                                                  {outcome: caught, by: "a crash"},
		"panic: test timed out after 2m0s\n\trunning tests:\n\t\tTestPut (2m0s)\n\ngoroutine 7 [running]:\nFAIL\tx\t120s\n": {outcome: hung, by: "TestPut, timed out"},
		"# example.com/x\n./a.go:3:2: declared and not used: err\nFAIL\texample.com/x [build failed]\n":                     {outcome: broken, by: "./a.go:3:2: declared and not used: err"},
	} {
		if got := judge(out); got != want {
			t.Errorf("%q: %v %q, want %v %q", out, got.outcome, got.by, want.outcome, want.by)
		}
	}
}

func TestTheLastFigureCountsEachOutcome(t *testing.T) {
	var sum tally
	for _, o := range []outcome{caught, hung, survived, broken, caught} {
		sum.count(verdict{outcome: o})
	}
	const want = "5 mutants: 3 caught (1 of them by a timeout), 1 survived, 1 did not compile, in 0s"
	if got := sum.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
