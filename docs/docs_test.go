// Package docs is the documents, and what holds them to the code.
package docs

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/gosource"
)

const modulePath = "github.com/siltstonedb/siltstone"

// TestMain runs the tests where the documents' paths begin.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// blockStart is what stands around a Go block of the documents that is not a
// whole program: the names it may use without explaining them.
const blockStart = `package p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/codec"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

var (
	_ bytes.Buffer
	_ = errors.Is
	_ = fmt.Println
	_ = slog.Default
	_ = time.Now
	_ = vfs.NewMem
	_ = codec.String
	_ typed.Type
)

func block(ctx context.Context, db *siltstone.DB, tx *siltstone.Tx, key, value []byte, err error) error {
`

// documents are the Markdown files that speak of the code as it is. The changelog
// speaks of what was.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	err := filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			files = append(files, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestGoBlocksOfTheDocumentsCompile type-checks every Go block of the documents.
func TestGoBlocksOfTheDocumentsCompile(t *testing.T) {
	fset := token.NewFileSet()
	var blocks []*ast.File
	imported := map[string]bool{}
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range goBlock.FindAllStringSubmatch(string(text), -1) {
			code := m[1]
			if !strings.HasPrefix(strings.TrimSpace(code), "package ") {
				code = blockStart + code + "\n\treturn err\n}\n"
			}
			f, err := parser.ParseFile(fset, fmt.Sprintf("%s, block %d", name, i+1), code, 0)
			if err != nil {
				t.Error(err)
				continue
			}
			blocks = append(blocks, f)
			for _, spec := range f.Imports {
				imported[strings.Trim(spec.Path.Value, `"`)] = true
			}
		}
	}
	if len(blocks) == 0 {
		t.Fatal("no Go block found")
	}
	imports, err := gosource.Importer(fset, ".", slices.Sorted(maps.Keys(imported))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range blocks {
		if err := checkBlock(fset, imports, f); err != nil {
			t.Error(err)
		}
	}
}

// TestTheProgramOfTheReadmeIsTheQuickstart keeps the two the same.
func TestTheProgramOfTheReadmeIsTheQuickstart(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("examples/quickstart/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if _, code, _ := strings.Cut(string(program), "package main"); !strings.Contains(string(readme), "```go\npackage main"+code+"```") {
		t.Error("README.md does not show examples/quickstart/main.go")
	}
}

func checkBlock(fset *token.FileSet, imports types.Importer, f *ast.File) (first error) {
	conf := types.Config{Importer: imports, Error: func(err error) {
		// A fragment may well leave a result unused.
		if first == nil && !strings.Contains(err.Error(), "declared and not used") {
			first = err
		}
	}}
	_, _ = conf.Check("p", fset, []*ast.File{f}, nil)
	return first
}

var (
	fenced   = regexp.MustCompile("(?ms)^```[^\n]*\n(.*?)^```")
	quoted   = regexp.MustCompile("`([^`]+)`")
	linked   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pathLike = regexp.MustCompile(`^([\w./-]+\.go|[a-z.][\w.-]*(/[\w.-]*)+)$`)
)

// TestDocumentsNameOnlyWhatExists holds what the documents put into backquotes and
// blocks, and what they link to, against the tree: files, packages, and commands
// with their directories, tests and flags.
func TestDocumentsNameOnlyWhatExists(t *testing.T) {
	commands := 0
	for _, name := range documents(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		prose := fenced.ReplaceAllString(text, "")
		var spans []string
		for _, m := range quoted.FindAllStringSubmatch(prose, -1) {
			spans = append(spans, strings.Join(strings.Fields(m[1]), " "))
		}
		for _, m := range fenced.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[1]) {
				if line, _, _ = strings.Cut(line, "#"); strings.HasPrefix(line, "go ") {
					spans = append(spans, strings.TrimSpace(line))
				}
			}
		}
		for _, span := range spans {
			if strings.HasPrefix(span, "go ") {
				commands++
				for _, fault := range parseCommand(span).faults(t) {
					t.Errorf("%s: %s: %s", name, span, fault)
				}
			} else if pathLike.MatchString(span) && !strings.Contains(span, "...") && !pathExists(span) {
				t.Errorf("%s names %s, which does not exist", name, span)
			}
		}
		for _, m := range linked.FindAllStringSubmatch(prose, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), target)); err != nil && !strings.Contains(target, ":") {
				t.Errorf("%s links to %s: %v", name, target, err)
			}
		}
	}
	if commands < 20 {
		t.Errorf("the documents name %d commands: were they found?", commands)
	}
}

func TestACommandThatNamesNothingIsFound(t *testing.T) {
	for command, want := range map[string]string{
		"go test ./nowhere":                              "[there is no Go in nowhere]",
		"go test -C bench ./wal":                         "[there is no Go in bench/wal]",
		"go test . -run NoSuchTest -long":                "[nothing is called NoSuchTest]",
		"go run ./harness/knot -tails .":                 "[there is no flag -tails]",
		"go run ./harness/budget -n 1 -limit 2":          "[]",
		"go test ./wal ./sstable -short -update":         "[]",
		"go test ./vfs -update":                          "[there is no flag -update]",
		"go -C bench test -run 'Table|Chart' -update ./": "[]",
	} {
		if got := fmt.Sprint(parseCommand(command).faults(t)); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

// pathExists reports whether there is such a file or folder, counted from the root
// of the tree, or such a package outside of it.
func pathExists(name string) bool {
	if name == "bench/out" { // made by a run
		return true
	}
	if _, err := os.Stat(name); err == nil {
		return true
	}
	if pkg, err := build.Import(name, "", build.FindOnly); err == nil && pkg.Goroot {
		return true
	}
	mod, err := os.ReadFile("go.mod")
	return err == nil && strings.Contains(string(mod), "github.com/"+name+" ")
}

// goCommand is a call of the go command, as far as it can be checked.
type goCommand struct {
	dirs  []string // with "..." at the end if all below count
	tests []string // patterns of -run and its like
	flags []string // of the program or the tests
}

// goFlags are those of the go command itself; the ones that are true have a value.
var goFlags = map[string]bool{
	"v": false, "short": false, "race": false, "json": false, "benchmem": false, "all": false,
	"count": true, "timeout": true, "fuzztime": true, "fuzzminimizetime": true, "benchtime": true, "tags": true, "cpuprofile": true,
}

func parseCommand(text string) (c goCommand) {
	root, words, program := ".", strings.Fields(text)[1:], false
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		name, ofFlag := strings.CutPrefix(word, "-")
		value, isGo := goFlags[name]
		switch {
		case name == "C" && ofFlag:
			root, words = words[0], words[1:]
		case !ofFlag && (word == "." || strings.HasPrefix(word, "./")):
			c.dirs = append(c.dirs, path.Join(root, word))
		case word == "run":
			program = true
		case !ofFlag:
		case program && len(c.dirs) > 0:
			c.flags = append(c.flags, name)
		case name == "run" || name == "fuzz" || name == "bench":
			pattern, _, _ := strings.Cut(strings.Trim(words[0], `'"^$`), "/")
			c.tests, words = append(c.tests, pattern), words[1:]
		case isGo && value:
			words = words[1:]
		case !isGo:
			c.flags = append(c.flags, name)
		}
	}
	return c
}

// faults says what of the command does not exist.
func (c goCommand) faults(t *testing.T) (faults []string) {
	t.Helper()
	code := ""
	for _, dir := range c.dirs {
		text := sourceOf(t, dir)
		if text == "" {
			faults = append(faults, "there is no Go in "+dir)
		}
		code += text
	}
	for _, pattern := range c.tests {
		if !regexp.MustCompile(`(?m)^func \w*(` + pattern + `)\w*\(`).MatchString(code) {
			faults = append(faults, "nothing is called "+pattern)
		}
	}
	for _, declares := range []string{"internal/golden", "internal/seed", "harness/internal/load"} {
		if strings.Contains(code, `"`+modulePath+"/"+declares+`"`) {
			code += sourceOf(t, declares)
		}
	}
	for _, flag := range c.flags {
		if !strings.Contains(code, `"`+flag+`"`) {
			faults = append(faults, "there is no flag -"+flag)
		}
	}
	return faults
}

// sourceOf returns all Go of a directory, and of those below it if it ends in
// "...".
func sourceOf(t *testing.T, dir string) string {
	t.Helper()
	if text, ok := sources[dir]; ok {
		return text
	}
	asked, below := dir, filepath.Base(dir) == "..."
	if below {
		dir = filepath.Dir(dir)
	}
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipAll // there is none
		case d.IsDir() && name != dir && !below:
			return fs.SkipDir
		case filepath.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sources[asked] = b.String()
	return b.String()
}

// sources keeps what sourceOf has read.
var sources = map[string]string{}
