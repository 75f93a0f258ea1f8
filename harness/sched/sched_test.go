package main

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestTheTextOfEveryMendIsInTheCodeOnceAndParsesWithoutIt(t *testing.T) {
	for _, m := range mends {
		if m.why == "" || len(m.changes) == 0 {
			t.Errorf("%s: it has no reason, or no change", m.name)
		}
		for _, c := range m.changes {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.file)))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), c.old); n < 1 {
				t.Errorf("%s: its text is not in %s:\n%s", m.name, c.file, c.old)
			}
		}
		o, err := newOverlay(root, t.TempDir(), append(slices.Clone(m.changes), fitting...))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		for original, at := range o.Replace {
			if _, err := parser.ParseFile(token.NewFileSet(), at, nil, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s, %s: %v", m.name, original, err)
			}
		}
	}
}

func TestAFileIsRewrittenLineByLine(t *testing.T) {
	const before = `package commit

import "sync"

type T struct{ mu sync.Mutex }

func (t *T) Wait(a, b chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	go t.run(1)
	<-a
	select {
	case <-a:
		return true
	case b <- struct{}{}:
		return false
	}
}
`
	const want = `package commit; import schedpoint "github.com/siltstonedb/siltstone/harness/sched/point"

import "sync"

type T struct{ mu schedpoint.Mutex }

func (t *T) Wait(a, b chan struct{}) bool {
	schedpoint.At("commit.T.Wait:8"); t.mu.Lock()
	defer t.mu.Unlock()
	schedpoint.Go("commit.T.Wait:10", func() { t.run(1) })
	<-a; schedpoint.Woken("commit.T.Wait:11")
	schedpoint.At("commit.T.Wait:12"); switch schedpoint.Select("commit.T.Wait:12", schedpoint.Recv(a), schedpoint.Send(b, struct{}{})) {
	case 0:
		return true
	case 1:
		return false
	default: panic("no case"); }
}

var _ sync.Locker
`
	got, err := rewrite("internal/engine/commit", "t.go", []byte(before))
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	quiet, err := rewrite("memtable", "t.go", []byte(strings.Replace(before, "select {", "select {\n\tdefault:", 1)))
	if err != nil || strings.Contains(string(quiet), "schedpoint.At(") || strings.Contains(string(quiet), "schedpoint.Select(") {
		t.Errorf("%v\n%s", err, quiet)
	}
	if _, err := rewrite("vfs", "t.go", []byte(strings.Replace(before, "case <-a:", "case v := <-a:", 1))); err == nil {
		t.Error("a select that the rewriter does not know is left as it is")
	}
}

// An ordinary build has nothing of this harness: no package of the store imports it.
func TestNoPackageOfTheStoreImportsSwitchPoints(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "harness") || !strings.Contains(string(out), "internal/engine/commit") {
		t.Errorf("the store is built of:\n%s", out)
	}
}

func TestASeedGivesTheSameTraceTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the store")
	}
	p, err := build(root, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	names, err := p.scenarios()
	if err != nil || len(names) < 12 {
		t.Fatalf("scenarios %v, %v", names, err)
	}
	for _, name := range names {
		r, err := p.play(run{scenario: name, seed: 1, schedules: 6, twice: true})
		if err != nil || r.Failed != "" || r.Schedules != 6 {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
}

// Three callers count with Update, and each change begins a new memtable: between two
// steps of a validation, too.
func TestNoUpdateIsLostToAChangeThatBeginsAMemtable(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the store")
	}
	p, err := build(root, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.play(run{scenario: "counting", seed: 1, schedules: 200}); err != nil || r.Failed != "" {
		t.Errorf("%v, seed %d: %s", err, r.Seed, r.Failed)
	}
}

func TestAnUndoneMendIsFoundAndItsSeedFindsItAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the store")
	}
	i := slices.IndexFunc(mends, func(m mend) bool { return m.name == "lost-sync-is-indeterminate" })
	p, err := build(root, t.TempDir(), mends[i].changes)
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := p.play(run{scenario: mends[i].scenario, seed: 1, schedules: 200})
	again, err2 := p.play(run{scenario: mends[i].scenario, seed: first.Seed, schedules: 1})
	if err1 != nil || err2 != nil || first.Failed == "" || again.Failed != first.Failed {
		t.Errorf("%v, %v: %q, and with the seed %d again %q", err1, err2, first.Failed, first.Seed, again.Failed)
	}
}
