package index

import (
	"bytes"
	"crypto/sha256"
	"go/parser"
	"go/scanner"
	"go/token"
	"iter"
	"path"
	"strconv"
)

// Package is a package as its files say it is, ready to be indexed. One
// without files is a package that has left the tree.
type Package struct {
	Path        string
	Files       []File
	Identifiers map[string]int
	Imports     map[string]bool
}

// File is a file of a package.
type File struct {
	Name     string // without the directory
	Contents []byte
	Digest   [sha256.Size]byte
}

// Load reads the files of a package and digests them; analyse does the rest.
func (t Tree) Load(d Directory) (*Package, error) {
	p := &Package{Path: d.Path}
	for _, name := range d.Names {
		contents, err := t.read(d, name)
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, File{name, contents, sha256.Sum256(contents)})
	}
	return p, nil
}

// Analyse counts identifiers and collects imports. Files with syntax errors, of
// which a Go installation has many as test data, count as far as they can be
// read.
func (p *Package) Analyse() {
	p.Identifiers, p.Imports = map[string]int{}, map[string]bool{}
	for _, f := range p.Files {
		p.countIdentifiers(f.Contents)
		p.collectImports(f.Contents)
	}
}

func (p *Package) countIdentifiers(contents []byte) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(contents))
	s.Init(file, contents, nil, 0)
	for {
		switch _, tok, lit := s.Scan(); tok {
		case token.EOF:
			return
		case token.IDENT:
			p.Identifiers[lit]++
		}
	}
}

func (p *Package) collectImports(contents []byte) {
	file, _ := parser.ParseFile(token.NewFileSet(), "", contents, parser.ImportsOnly)
	if file == nil {
		return
	}
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil && name != "" {
			p.Imports[name] = true
		}
	}
}

// FilePath is the path of a file of the package, relative to the tree's root.
func (p *Package) FilePath(name string) string { return path.Join(p.Path, name) }

// Counts are the numbers of a package.
func (p *Package) Counts() map[string]int64 {
	n := map[string]int64{
		CountFiles:       int64(len(p.Files)),
		CountIdentifiers: int64(len(p.Identifiers)),
	}
	for _, f := range p.Files {
		n[CountBytes] += int64(len(f.Contents))
		n[CountLines] += int64(bytes.Count(f.Contents, newline) + 1)
	}
	return n
}

var newline = []byte("\n")

// Lines yields the lines of the file with their numbers, from 1. What stands
// behind the last newline is a line too, mostly an empty one, so that the lines
// joined by newlines are the file.
func (f File) Lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest, more := f.Contents, true
		for n := 1; more; n++ {
			var line []byte
			line, rest, more = bytes.Cut(rest, newline)
			if !yield(n, line) {
				return
			}
		}
	}
}
