package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/examples/goindex/index"
)

// TestMain lets the test binary be the command, for the child that -crash kills.
func TestMain(m *testing.M) {
	if os.Getenv("GOINDEX_CHILD") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// sourceTree writes a tree of packages with files of some lines each.
func sourceTree(t *testing.T, packages int) string {
	t.Helper()
	root := t.TempDir()
	for p := range packages {
		for f := range 1 + p%4 {
			writeSource(t, root, fmt.Sprintf("src/p%02d/f%d.go", p, f), p*10+f)
		}
	}
	return root
}

func writeSource(t *testing.T, root, path string, n int) {
	t.Helper()
	name := filepath.Join(root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package p\n\nimport (\n\t\"fmt\"\n\t\"lib/p%d\"\n)\n", n%5)
	for i := range n {
		fmt.Fprintf(&b, "\nfunc f%d() { fmt.Println(p%d.Name, %d) }\n", i, n%5, i)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// indexed loads the first limit files of a tree into a store, compares the two, and
// returns what was loaded.
func indexed(t *testing.T, root, dir string, limit int) index.Result {
	t.Helper()
	source, err := index.Walk(root, limit)
	if err != nil {
		t.Fatal(err)
	}
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := index.Loader{DB: db, Source: source}
	if err := errors.Join(l.Run(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), config{source: root, store: dir, limit: limit}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if want := fmt.Sprintf("%d packages are as in the source", len(source.Packages)); !strings.Contains(out.String(), want) {
		t.Errorf("no %q in:\n%s", want, out.String())
	}
	return l.Result
}

func TestIndexIsTheSourceAfterReopening(t *testing.T) {
	r := indexed(t, sourceTree(t, 12), filepath.Join(t.TempDir(), "store"), math.MaxInt)
	if r.Commits != 12 || r.Files != 30 || r.Gone != 0 || r.Unchanged != 0 {
		t.Errorf("loaded %+v", r)
	}
}

func TestOnlyPackagesThatDifferAreCommitted(t *testing.T) {
	root, dir := sourceTree(t, 8), filepath.Join(t.TempDir(), "store")
	indexed(t, root, dir, math.MaxInt)

	writeSource(t, root, "src/p03/f1.go", 99)  // another file
	writeSource(t, root, "src/p05/new.go", 2)  // one more file
	writeSource(t, root, "src/p05/in/f.go", 4) // one more package
	if err := os.Remove(filepath.Join(root, "src", "p06", "f1.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "src", "p07")); err != nil {
		t.Fatal(err)
	}
	if r := indexed(t, root, dir, math.MaxInt); r.Commits != 5 || r.Gone != 1 || r.Unchanged != 4 {
		t.Errorf("loaded %+v", r)
	}
	if r := indexed(t, root, dir, math.MaxInt); r.Commits != 0 || r.Unchanged != 8 {
		t.Errorf("loaded once more %+v", r)
	}
}

func TestLimitIndexesTheFirstFilesAsIfThereWereNoOthers(t *testing.T) {
	root, dir := sourceTree(t, 8), filepath.Join(t.TempDir(), "store")
	indexed(t, root, dir, math.MaxInt)
	if r := indexed(t, root, dir, 7); r.Gone != 4 {
		t.Errorf("loaded %+v", r)
	}
}

func TestVerifyFindsWhatDiffers(t *testing.T) {
	root := sourceTree(t, 6)
	source, err := index.Walk(root, 100)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(db *siltstone.DB) error{
		"src/p03/f1.go: contents":    func(db *siltstone.DB) error { return db.Put(index.FileKey("src/p03/f1.go"), nil) },
		"src/p03/f1.go: no contents": func(db *siltstone.DB) error { return db.Delete(index.FileKey("src/p03/f1.go")) },
		"src/p03/f1.go: lines":       func(db *siltstone.DB) error { return db.Delete(index.LineKey("src/p03/f1.go", 7)) },
		"7 keys under package/, but 6 packages": func(db *siltstone.DB) error {
			_, err := db.Hash(index.StatsPrefix+"src/x").Set(index.CountFiles, []byte("0"))
			return err
		},
		"src/p03: missing": func(db *siltstone.DB) error { return db.Delete([]byte(index.StatsPrefix + "src/p03")) },
		"src/p03: digests": func(db *siltstone.DB) error {
			_, err := db.Hash(index.DigestsPrefix+"src/p03").Set("f1.go", nil)
			return err
		},
		"src/p03: counts": func(db *siltstone.DB) error {
			_, err := db.Hash(index.StatsPrefix+"src/p03").Incr(index.CountLines, 1)
			return err
		},
		"src/p03: imports": func(db *siltstone.DB) error {
			_, err := db.Set(index.ImportsPrefix + "src/p03").Remove("fmt")
			return err
		},
		"identifiers/src/p03: frequencies": func(db *siltstone.DB) error {
			_, err := db.ZSet(index.IdentifiersPrefix+"src/p03").Incr("fmt", 1)
			return err
		},
		"identifiers: frequencies": func(db *siltstone.DB) error {
			_, err := db.ZSet(index.IdentifiersKey).Incr("fmt", 1)
			return err
		},
	}
	for fault, damage := range tests {
		t.Run(fault, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			indexed(t, root, dir, math.MaxInt)
			db, err := siltstone.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := damage(db); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := compare(t.Context(), db, source, &out); err == nil || !strings.Contains(out.String(), "differs: "+fault) {
				t.Errorf("error %v, output:\n%s", err, out.String())
			}
		})
	}
}

func TestKilledLoadLosesNothing(t *testing.T) {
	t.Setenv("GOINDEX_CHILD", "1")
	var out strings.Builder
	if err := run(t.Context(), config{source: sourceTree(t, 40), limit: math.MaxInt, crash: true}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if n := strings.Count(out.String(), ", lost 0, "); n != crashRounds {
		t.Errorf("%d rounds without loss, want %d:\n%s", n, crashRounds, out.String())
	}
}

func TestAcknowledgedButNotFoundIsLost(t *testing.T) {
	source, err := index.Walk(sourceTree(t, 2), 100)
	if err != nil {
		t.Fatal(err)
	}
	c := config{store: filepath.Join(t.TempDir(), "store")}
	var out strings.Builder
	err = judgeCrash(t.Context(), c, source, map[string]bool{"src/p00": true}, &out)
	if err == nil || !strings.Contains(out.String(), "acknowledged 1, found 0, lost 1, extra 0, torn 0") {
		t.Errorf("error %v, output %q", err, out.String())
	}
}
