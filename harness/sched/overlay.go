package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aside are the directories whose source is not rewritten: they are no part of the
// store.
var aside = []string{".git", "codec", "debughttp", "docs", "examples", "fuzz", "harness", "testdata",
	"internal/gosource", "internal/golden", "internal/leaktest", "internal/scripttest", "internal/seed", "internal/typedtest"}

// change is a text that is replaced by another.
type change struct {
	file     string // from the module's root on
	old, new string // old occurs in the file exactly once
}

// fitting are the changes that a schedule needs beside the rewriting: the types of the
// locks, and what would make it depend on addresses or on the order of a map.
var fitting = []change{
	{"internal/invariants/off.go", `Mutex = sync.Mutex`, `Mutex = schedpoint.Mutex`},
	{"internal/invariants/off.go", `RWMutex = sync.RWMutex`, `RWMutex = schedpoint.RWMutex`},
	{"internal/invariants/off.go", `import "sync"`, `import schedpoint "` + pointPath + `"`},
	{"internal/engine/readstate/pins.go", `	var here byte
	p := uintptr(unsafe.Pointer(&here))
	return int((p>>11 ^ p>>14) % pinStripes)`, `	var _ unsafe.Pointer
	return schedpoint.Number() % pinStripes`},
	{"internal/engine/readstate/tables.go", `// Close closes every reader. No read state is in use any more.
func (c *Tables) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tables {`, `func (c *Tables) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range schedpoint.InOrder(c.tables) {`},
	{"harness/sched/point/rewritten.go", `const Rewritten = false`, `const Rewritten = true`},
}

// overlay is a rewritten copy of what the harness builds.
type overlay struct {
	root, dir string
	Replace   map[string]string
}

// newOverlay rewrites the module at root into dir, with the changes.
func newOverlay(root, dir string, changes []change) (*overlay, error) {
	o := &overlay{root: root, dir: dir, Replace: map[string]string{}}
	files, err := sources(root)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := o.add(name, changes); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return o, o.put("tiny_sched.go", []byte(tiny))
}

// tiny is a file of the root package: it lets a scenario ask for tiny tables.
const tiny = `package siltstone

import schedpoint "` + pointPath + `"

func init() {
	schedpoint.Tiny = func(options any) {
		o := options.(*Options)
		o.MemtableBytes, o.MemoryLimit = 1<<10, leastMemory
		o.blockSize, o.tableBytes, o.runLimit = 128, 1<<10, 2
	}
}
`

// sources returns the files of the store, from the root on, and the one of package
// point that says whether it is rewritten.
func sources(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(aside, rel) || rel != "." && moduleIn(path)):
			return fs.SkipDir
		case strings.HasSuffix(rel, ".go") && !strings.HasSuffix(rel, "_test.go"):
			files = append(files, rel)
		}
		return nil
	})
	return append(files, "harness/sched/point/rewritten.go"), err
}

// moduleIn reports whether a folder is a module of its own, and so no part of the store.
func moduleIn(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// add rewrites one file, with the changes that are in it.
func (o *overlay) add(name string, changes []change) error {
	src, err := os.ReadFile(filepath.Join(o.root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	before := string(src)
	for _, c := range changes {
		if c.file != name {
			continue
		}
		if n := strings.Count(string(src), c.old); n != 1 {
			return fmt.Errorf("the text occurs %d times, not once:\n%s", n, c.old)
		}
		src = []byte(strings.Replace(string(src), c.old, c.new, 1))
	}
	if !strings.HasPrefix(name, "harness/") {
		if src, err = rewrite(filepath.ToSlash(filepath.Dir(name)), name, src); err != nil {
			return err
		}
	}
	if string(src) == before {
		return nil
	}
	return o.put(name, src)
}

// put makes b the content of a file.
func (o *overlay) put(name string, b []byte) error {
	at := filepath.Join(o.dir, strings.ReplaceAll(name, "/", "-"))
	original, err := filepath.Abs(filepath.Join(o.root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	o.Replace[original] = at
	return os.WriteFile(at, b, 0o644)
}

// file writes the file that the go command reads, and returns its name.
func (o *overlay) file() (string, error) {
	b, err := json.Marshal(map[string]any{"Replace": o.Replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(o.dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o644)
}
