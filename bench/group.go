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
type group struct {
	dir   string
	leave func() error // undoes what making it changed in the group above
}

// newGroup makes a group below parent, the directory of one in which this process may
// make others, or below the group that this process is in if parent is "": see doc.go.
// The caller removes it.
func newGroup(parent string, memory int64) (*group, error) {
	g := &group{leave: func() error { return nil }}
	if parent == "" {
		var err error
		if parent, g.leave, err = ownGroup(); err != nil {
			return nil, err
		}
	}
	g.dir = filepath.Join(parent, fmt.Sprintf("siltstone-bench-%d", os.Getpid()))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, errors.Join(err, g.leave())
	}
	if err := g.limit(memory); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// limit sets the memory of the group: by version 2, or by version 1. Swap is not to
// stand in for memory, where the kernel counts it.
func (g *group) limit(memory int64) error {
	bytes := strconv.FormatInt(memory, 10)
	swap, none := "memory.swap.max", "0"
	err := g.set("memory.max", bytes)
	if errors.Is(err, os.ErrNotExist) {
		swap, none = "memory.memsw.limit_in_bytes", bytes // version 1 counts both together
		err = g.set("memory.limit_in_bytes", bytes)
	}
	if err != nil {
		return fmt.Errorf("the group above does not hand on the memory controller: %w", err)
	}
	if err := g.set(swap, none); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// set writes a file of the group, which the kernel has made.
func (g *group) set(name, value string) error { return setFile(g.dir, name, value) }

// setFile writes a file that the kernel has made in a group's directory.
func setFile(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// enter moves this process into the group.
func (g *group) enter() error { return g.set("cgroup.procs", strconv.Itoa(os.Getpid())) }

// remove removes the group, in which no process is any more.
func (g *group) remove() error { return errors.Join(os.Remove(g.dir), g.leave()) }

// held is how much memory a group holds, in bytes.
type held struct {
	Limit     int64
	Peak      int64 // the most that it ever held; where the kernel does not keep it, what it holds
	Process   int64 // now: memory of the process
	PageCache int64 // now: pages of files
}

// held reads what the group holds, by version 2 or version 1.
func (g *group) held() (held, error) {
	var h held
	limit, err := readNumber(g.dir, "memory.max")
	peak, process, cache := []string{"memory.peak", "memory.current"}, "anon", "file"
	if errors.Is(err, os.ErrNotExist) {
		limit, err = readNumber(g.dir, "memory.limit_in_bytes")
		peak, process, cache = []string{"memory.max_usage_in_bytes"}, "total_rss", "total_cache"
	}
	if err != nil {
		return h, err
	}
	h.Limit = limit
	for _, name := range peak {
		if h.Peak, err = readNumber(g.dir, name); err == nil {
			break
		}
	}
	if err != nil {
		return h, err
	}
	stat := filepath.Join(g.dir, "memory.stat")
	if h.Process, err = procField(stat, process); err != nil {
		return h, err
	}
	h.PageCache, err = procField(stat, cache)
	return h, err
}

// holds is held, and an error if that is more than the group may. The kernel lets a few
// pages pass.
func (g *group) holds() (*held, error) {
	h, err := g.held()
	if err == nil && h.Peak > h.Limit+h.Limit/16 {
		err = fmt.Errorf("the control group does not bound the memory: %+v", h)
	}
	return &h, err
}
