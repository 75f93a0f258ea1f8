package index

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the source to index: its packages in the order of their paths.
type Tree struct {
	Root     string
	Packages []Directory
	Files    int
}

// Directory names the Go files of one package. Paths are slash-separated and
// relative to the tree's root.
type Directory struct {
	Path  string
	Names []string // of the files, sorted
}

// Walk lists the first limit Go files under root.
func Walk(root string, limit int) (Tree, error) {
	t := Tree{Root: root}
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case t.Files >= limit:
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
		t.Files++
		return nil
	})
	for dir, names := range found {
		slices.Sort(names)
		t.Packages = append(t.Packages, Directory{dir, names})
	}
	slices.SortFunc(t.Packages, func(a, b Directory) int { return cmp.Compare(a.Path, b.Path) })
	return t, err
}

// read returns the contents of a file of the package.
func (t Tree) read(d Directory, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.Root, filepath.FromSlash(d.Path), name))
}

// Goroot asks the go command where its installation is.
func Goroot() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// StoreDir is where the index lies if nothing else is asked for. It has a fixed
// name, so that a second run finds the first one's work.
func StoreDir() string { return filepath.Join(os.TempDir(), "siltstone-goindex") }
