package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// group is a control group of Linux that holds one process together with the pages of
// files that it reads and writes, in so much memory.
type group struct{ dir string }

// newGroup makes a group below parent, the directory of one in which this process may
// make others: see doc.go.
func newGroup(parent string, memory int64) (*group, error) {
	if parent == "" {
		return nil, errors.New("no -group was given")
	}
	g := &group{dir: filepath.Join(parent, fmt.Sprintf("siltstone-bench-%d", os.Getpid()))}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	if err := g.limit(memory); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// limit sets the memory of the group: by version 2, or by version 1.
func (g *group) limit(memory int64) error {
	bytes := strconv.FormatInt(memory, 10)
	err := g.set("memory.max", bytes)
	if errors.Is(err, os.ErrNotExist) {
		return g.set("memory.limit_in_bytes", bytes)
	}
	return errors.Join(err, g.set("memory.swap.max", "0"))
}

// set writes a file of the group, which the kernel has made.
func (g *group) set(name, value string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// enter moves this process into the group.
func (g *group) enter() error { return g.set("cgroup.procs", strconv.Itoa(os.Getpid())) }

// remove removes the group, in which no process is any more.
func (g *group) remove() error { return os.Remove(g.dir) }
