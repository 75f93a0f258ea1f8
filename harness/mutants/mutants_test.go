package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
	} {
		if got := judge(out); got != want {
			t.Errorf("%q: %v %q, want %v %q", out, got.outcome, got.by, want.outcome, want.by)
		}
	}
}

func TestTheLastFigureCountsEachOutcome(t *testing.T) {
	var sum tally
	for _, o := range []outcome{caught, hung, survived, caught} {
		sum.count(verdict{outcome: o})
	}
	const want = "4 mutants: 3 caught (1 of them by a timeout), 1 survived, in 0s"
	if got := sum.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEveryMutantIsWovenIntoItsFunction(t *testing.T) {
	all := mutants()
	files, err := weave(root, all)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if _, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range all {
		if text := string(files[all[i].file]); !strings.Contains(text, fmt.Sprintf("mutantOn == %d {", i+1)) {
			t.Errorf("%s is never on", all[i].name)
		}
	}
}

// A module whose one test is red for each of its faults, of functions of every form.
var forms = map[string]string{
	"go.mod": "module forms\n\ngo 1.26\n",
	"p/p.go": `package p

type T struct{ n int }

func (T) Fixed() int              { return 7 }
func (t *T) Add(n ...int)         { t.n += len(n) }
func Named(a, _ int) (b int)      { b = a; return }
func First[E any](all []E, _ E) E { return all[0] }
func Sink(int, string) bool       { return true }
`,
	"p/p_test.go": `package p

import "testing"

func TestForms(t *testing.T) {
	x := T{}
	if x.Add(1, 2); x.n != 2 || x.Fixed() != 7 || Named(3, 4) != 3 || First([]int{5, 6}, 0) != 5 || !Sink(1, "") {
		t.Fatal(x)
	}
}
`,
}

func TestAFaultIsOnInTheRunsThatChooseItAndInNoOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	dir := t.TempDir()
	for name, text := range forms {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var all []mutant
	for _, change := range [][2]string{
		{"return 7", "return 8"}, {"len(n)", "cap(n) + 1"}, {"b = a", "b = a + 1"}, {"all[0]", "all[1]"}, {"return true", "return false"}, {"return 7", "return 9"},
	} {
		all = append(all, mutant{name: change[1], file: "p/p.go", old: change[0], new: change[1]})
	}
	b, err := newBuild(dir, all)
	if err != nil {
		t.Fatal(err)
	}
	defer b.remove()
	for id := range len(all) + 1 {
		v, err := b.run(step{dir: "p"}, id, &config{timeout: time.Minute})
		want := verdict{}
		if id > 0 {
			want = verdict{outcome: caught, by: "p: TestForms"}
		}
		if err != nil || v != want {
			t.Errorf("fault %d: %v %q, %v", id, v.outcome, v.by, err)
		}
	}
}

func TestTheTestThatNoticedLastRunsFirst(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "harness/mutants"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := mutant{name: "wal-x", tests: []string{"wal", ". Open"}}
	written := records{"old": {dir: ".", pattern: "^TestOld$"}}
	written.add(&m, verdict{outcome: caught, by: "wal: TestX/a#01"})
	written.add(&mutant{name: "slow"}, verdict{outcome: hung, by: "wal: TestSlow, timed out"})
	written.add(&mutant{name: "crash"}, verdict{outcome: caught, by: "wal: a crash"})
	if err := written.write(dir); err != nil {
		t.Fatal(err)
	}
	read, err := readRecords(dir)
	if err != nil || len(read) != 2 {
		t.Fatalf("%v, %v", read, err)
	}
	want := []step{{"wal", "^TestX$"}, {"wal", ""}, {".", "Open"}, {".", ""}}
	if got := read.steps(&m); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestEveryRecordIsOfAMutant(t *testing.T) {
	seen, err := readRecords(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		delete(seen, m.name)
	}
	for name := range seen {
		t.Errorf("%s: there is no such mutant", name)
	}
}
