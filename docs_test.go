package siltstone

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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

// TestGoBlocksOfTheDocumentsCompile type-checks every Go block of the README and
// the documents.
func TestGoBlocksOfTheDocumentsCompile(t *testing.T) {
	files := []string{"README.md", "CONTRIBUTING.md"}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "source", nil)
	blocks := 0
	for _, name := range append(files, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			blocks++
			if err := checkBlock(fset, imports, fmt.Sprintf("%s, block %d", name, i+1), m[1]); err != nil {
				t.Error(err)
			}
		}
	}
	if blocks == 0 {
		t.Error("no Go block found")
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

func checkBlock(fset *token.FileSet, imports types.Importer, name, code string) error {
	if !strings.HasPrefix(strings.TrimSpace(code), "package ") {
		code = blockStart + code + "\n\treturn err\n}\n"
	}
	f, err := parser.ParseFile(fset, name, code, 0)
	if err != nil {
		return err
	}
	var first error
	conf := types.Config{Importer: imports, Error: func(err error) {
		// A fragment may well leave a result unused.
		if first == nil && !strings.Contains(err.Error(), "declared and not used") {
			first = err
		}
	}}
	_, _ = conf.Check("p", fset, []*ast.File{f}, nil)
	return first
}
