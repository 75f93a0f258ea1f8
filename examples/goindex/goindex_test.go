package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
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

// goindex runs the command and returns what it printed.
func goindex(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = run(t.Context(), c, &out)
	return out.String(), err
}

// want runs the command, which must succeed and print each of the texts.
func want(t *testing.T, args []string, texts ...string) {
	t.Helper()
	out, err := goindex(t, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in:\n%s", text, out)
		}
	}
}

func TestIndexIsTheSourceAfterReopening(t *testing.T) {
	args := []string{"-src", sourceTree(t, 12), "-dir", filepath.Join(t.TempDir(), "store"), "-verify"}
	want(t, args, "30 files in 12 packages", "12 packages committed (0 of them removed), 0 unchanged", "12 packages are as in the source")
}

func TestSecondRunCommitsNothing(t *testing.T) {
	args := []string{"-src", sourceTree(t, 5), "-dir", filepath.Join(t.TempDir(), "store"), "-verify"}
	want(t, args, "5 packages committed")
	want(t, args, "nothing committed: all 5 packages are unchanged", "5 packages are as in the source")
}

func TestOnlyPackagesThatDifferAreCommitted(t *testing.T) {
	root := sourceTree(t, 8)
	args := []string{"-src", root, "-dir", filepath.Join(t.TempDir(), "store"), "-verify"}
	want(t, args, "8 packages committed")

	writeSource(t, root, "src/p03/f1.go", 99)  // another file
	writeSource(t, root, "src/p05/new.go", 2)  // one more file
	writeSource(t, root, "src/p05/in/f.go", 4) // one more package
	if err := os.Remove(filepath.Join(root, "src", "p06", "f1.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "src", "p07")); err != nil {
		t.Fatal(err)
	}
	want(t, args, "5 packages committed (1 of them removed), 4 unchanged", "8 packages are as in the source")
}

func TestLimitIndexesTheFirstFilesAsIfThereWereNoOthers(t *testing.T) {
	args := []string{"-src", sourceTree(t, 8), "-dir", filepath.Join(t.TempDir(), "store"), "-verify"}
	want(t, args, "8 packages are as in the source")
	want(t, append(args, "-n", "7"), "7 files in 4 packages", "4 packages are as in the source")
}

func TestVerifyFindsWhatDiffers(t *testing.T) {
	root := sourceTree(t, 6)
	source, err := walk(root, 100)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(db *siltstone.DB) error{
		"src/p03/f1.go: contents":    func(db *siltstone.DB) error { return db.Put(fileKey("src/p03/f1.go"), nil) },
		"src/p03/f1.go: no contents": func(db *siltstone.DB) error { return db.Delete(fileKey("src/p03/f1.go")) },
		"src/p03/f1.go: lines":       func(db *siltstone.DB) error { return db.Delete(lineKey("src/p03/f1.go", 7)) },
		"7 keys under package/, but 6 packages": func(db *siltstone.DB) error {
			_, err := db.Hash(statsPrefix+"src/x").Set(countFiles, []byte("0"))
			return err
		},
		"src/p03: missing": func(db *siltstone.DB) error { return db.Delete([]byte(statsPrefix + "src/p03")) },
		"src/p03: digests": func(db *siltstone.DB) error {
			_, err := db.Hash(digestsPrefix+"src/p03").Set("f1.go", nil)
			return err
		},
		"src/p03: counts": func(db *siltstone.DB) error {
			_, err := db.Hash(statsPrefix+"src/p03").Incr(countLines, 1)
			return err
		},
		"src/p03: imports": func(db *siltstone.DB) error {
			_, err := db.Set(importsPrefix + "src/p03").Remove("fmt")
			return err
		},
		"identifiers/src/p03: frequencies": func(db *siltstone.DB) error {
			_, err := db.ZSet(identifiersPrefix+"src/p03").Incr("fmt", 1)
			return err
		},
		"identifiers: frequencies": func(db *siltstone.DB) error {
			_, err := db.ZSet(identifiersKey).Incr("fmt", 1)
			return err
		},
	}
	for fault, damage := range tests {
		t.Run(fault, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			want(t, []string{"-src", root, "-dir", dir}, "6 packages committed")
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
	out, err := goindex(t, "-src", sourceTree(t, 40), "-crash")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(out, ", lost 0, "); n != crashRounds {
		t.Errorf("%d rounds without loss, want %d:\n%s", n, crashRounds, out)
	}
}

func TestLinesJoinedAreTheFile(t *testing.T) {
	tests := map[string][]string{
		"":         {""},
		"\n":       {"", ""},
		"a":        {"a"},
		"a\nb":     {"a", "b"},
		"a\n\nb\n": {"a", "", "b", ""},
	}
	for contents, want := range tests {
		var got []string
		for n, line := range (sourceFile{contents: []byte(contents)}).lines() {
			if got = append(got, string(line)); n != len(got) {
				t.Errorf("%q: line %d has number %d", contents, len(got), n)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q has lines %q, want %q", contents, got, want)
		}
	}
}

func TestAcknowledgedButNotFoundIsLost(t *testing.T) {
	source, err := walk(sourceTree(t, 2), 100)
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
