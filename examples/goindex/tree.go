package main

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tree is the source to index: its packages in the order of their paths.
type tree struct {
	root     string
	packages []directory
	files    int
}

// directory names the Go files of one package. Paths are slash-separated and
// relative to the tree's root.
type directory struct {
	path  string
	names []string // of the files, sorted
}

// walk lists the first limit Go files under root.
func walk(root string, limit int) (tree, error) {
	t := tree{root: root}
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case t.files >= limit:
			return fs.SkipAll
		case !d.Type().IsRegular() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		dir, file := path.Split(filepath.ToSlash(rel))
		dir = path.Clean(dir)
		found[dir] = append(found[dir], file)
		t.files++
		return nil
	})
	for dir, names := range found {
		slices.Sort(names)
		t.packages = append(t.packages, directory{dir, names})
	}
	slices.SortFunc(t.packages, func(a, b directory) int { return cmp.Compare(a.path, b.path) })
	return t, err
}

// read returns the contents of a file of the package.
func (t tree) read(d directory, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.root, filepath.FromSlash(d.path), name))
}
