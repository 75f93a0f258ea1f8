// Package gosource measures Go source: the size of files, functions and structs,
// and which files of a package use which others. Only tests and the programs under
// harness import it.
package gosource

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// File is a source file as it was measured.
type File struct {
	Path    string
	Lines   int
	Funcs   []Func
	Structs []Struct
}

// Func is a function or method of a file.
type Func struct {
	Name  string // of a method: (*DB).Put
	Lines int    // from its head to its closing brace
}

// Struct is a struct type of a file.
type Struct struct {
	Name   string // of an anonymous one: its field's or variable's, or ""
	Fields int    // embedded ones count
}

// Measure reads the Go files of a directory that are no tests.
func Measure(dir string) ([]File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := measure(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func measure(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	line := func(p token.Pos) int { return fset.Position(p).Line }
	f := File{Path: filepath.ToSlash(path), Lines: strings.Count(string(text), "\n")}
	names := map[ast.Expr]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			f.Funcs = append(f.Funcs, Func{funcName(n), line(n.End()) - line(n.Pos()) + 1})
		case *ast.TypeSpec:
			names[n.Type] = n.Name.Name
		case *ast.ValueSpec:
			names[n.Type] = n.Names[0].Name
		case *ast.Field:
			if len(n.Names) > 0 {
				names[n.Type] = n.Names[0].Name
			}
		case *ast.StructType:
			f.Structs = append(f.Structs, Struct{names[n], n.Fields.NumFields()})
		}
		return true
	})
	return f, nil
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return "(" + types.ExprString(f.Recv.List[0].Type) + ")." + f.Name.Name
}
