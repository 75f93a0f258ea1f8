package siltstone

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/gosource"
)

// blockStart is what stands around a Go block of the documents that is not a
// whole program: the names it may use without explaining them.
const blockStart = `package p

import (
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
