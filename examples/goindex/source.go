package main

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

// sourcePackage is a package as its files say it is, ready to be indexed. One
// without files is a package that has left the tree.
type sourcePackage struct {
	path        string
	files       []sourceFile
	identifiers map[string]int
	imports     map[string]bool
}

// sourceFile is a file of a package.
type sourceFile struct {
	name     string // without the directory
	contents []byte
	digest   [sha256.Size]byte
}

// load reads the files of a package and digests them; analyse does the rest.
func (t tree) load(d directory) (*sourcePackage, error) {
	p := &sourcePackage{path: d.path}
	for _, name := range d.names {
		contents, err := t.read(d, name)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, sourceFile{name, contents, sha256.Sum256(contents)})
	}
	return p, nil
}

// analyse counts identifiers and collects imports. Files with syntax errors, of
// which a Go installation has many as test data, count as far as they can be
// read.
func (p *sourcePackage) analyse() {
	p.identifiers, p.imports = map[string]int{}, map[string]bool{}
	for _, f := range p.files {
		p.countIdentifiers(f.contents)
		p.collectImports(f.contents)
	}
}

func (p *sourcePackage) countIdentifiers(contents []byte) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(contents))
	s.Init(file, contents, nil, 0)
	for {
		switch _, tok, lit := s.Scan(); tok {
		case token.EOF:
			return
		case token.IDENT:
			p.identifiers[lit]++
		}
	}
}

func (p *sourcePackage) collectImports(contents []byte) {
	file, _ := parser.ParseFile(token.NewFileSet(), "", contents, parser.ImportsOnly)
	if file == nil {
		return
	}
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil && name != "" {
			p.imports[name] = true
		}
	}
}

// filePath is the path of a file of the package, relative to the tree's root.
func (p *sourcePackage) filePath(name string) string { return path.Join(p.path, name) }

// counts are the numbers of a package.
func (p *sourcePackage) counts() map[string]int64 {
	n := map[string]int64{
		countFiles:       int64(len(p.files)),
		countIdentifiers: int64(len(p.identifiers)),
	}
	for _, f := range p.files {
		n[countBytes] += int64(len(f.contents))
		n[countLines] += int64(bytes.Count(f.contents, newline) + 1)
	}
	return n
}

var newline = []byte("\n")

// lines yields the lines of the file with their numbers, from 1. What stands
// behind the last newline is a line too, mostly an empty one, so that the lines
// joined by newlines are the file.
func (f sourceFile) lines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest, more := f.contents, true
		for n := 1; more; n++ {
			var line []byte
			line, rest, more = bytes.Cut(rest, newline)
			if !yield(n, line) {
				return
			}
		}
	}
}
