package gosource

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
)

// Graph says which files of a package use which others, and at how many places.
// Every file is a key.
type Graph map[string]map[string]int

// Uses type-checks the package in a directory, without its tests. A file uses
// another where it names a type, function, method, field, variable or constant
// that is declared there.
func Uses(dir string) (Graph, error) {
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	g := Graph{}
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		g[name] = map[string]int{}
	}
	imports, err := Importer(fset, dir, pkg.Imports...)
	if err != nil {
		return nil, err
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imports}
	checked, err := conf.Check(pkg.Name, fset, files, &info)
	if err != nil {
		return nil, err
	}
	file := func(p token.Pos) string { return filepath.Base(fset.Position(p).Filename) }
	for name, object := range info.Uses {
		if object.Pkg() != checked || !object.Pos().IsValid() {
			continue
		}
		if from, to := file(name.Pos()), file(object.Pos()); from != to {
			g[from][to]++
		}
	}
	return g, nil
}

// Arrows counts the pairs of a file and another that it uses.
func (g Graph) Arrows() (n int) {
	for _, uses := range g {
		n += len(uses)
	}
	return n
}

// Mutual returns the pairs of files that use each other.
func (g Graph) Mutual() (pairs [][2]string) {
	for _, a := range slices.Sorted(maps.Keys(g)) {
		for _, b := range slices.Sorted(maps.Keys(g[a])) {
			if a < b && g[b][a] > 0 {
				pairs = append(pairs, [2]string{a, b})
			}
		}
	}
	return pairs
}

// Knots returns the strongly connected components of the graph, the largest
// first: sets of files in which each reaches each other. A file that is in no
// circle is a knot of its own.
func (g Graph) Knots() [][]string {
	s := search{graph: g, index: map[string]int{}, low: map[string]int{}, open: map[string]bool{}}
	for _, file := range slices.Sorted(maps.Keys(g)) {
		if s.index[file] == 0 {
			s.visit(file)
		}
	}
	slices.SortStableFunc(s.knots, func(a, b []string) int { return len(b) - len(a) })
	return s.knots
}

// search is Tarjan's algorithm: depth first, with the files that are not yet in a
// knot on a stack.
type search struct {
	graph  Graph
	visits int
	index  map[string]int // in the order of the visits, from 1
	low    map[string]int // the lowest index on the stack that is known to be reached
	open   map[string]bool
	stack  []string
	knots  [][]string
}

func (s *search) visit(file string) {
	s.visits++
	s.index[file], s.low[file] = s.visits, s.visits
	s.stack = append(s.stack, file)
	s.open[file] = true
	for _, used := range slices.Sorted(maps.Keys(s.graph[file])) {
		if s.index[used] == 0 {
			s.visit(used)
			s.low[file] = min(s.low[file], s.low[used])
		} else if s.open[used] {
			s.low[file] = min(s.low[file], s.index[used])
		}
	}
	if s.low[file] < s.index[file] {
		return // it is in the knot of one that was visited earlier
	}
	at := slices.Index(s.stack, file)
	knot := slices.Sorted(slices.Values(s.stack[at:]))
	s.stack = s.stack[:at]
	for _, member := range knot {
		s.open[member] = false
	}
	s.knots = append(s.knots, knot)
}
