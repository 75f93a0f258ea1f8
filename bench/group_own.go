package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is a mounted tree of control groups that may bound memory.
type hierarchy struct {
	version int
	mount   string // where it is mounted
	root    string // the group that is seen there
}

// ownGroup returns the directory of the group that this process is in, once groups below
// it can bound memory, and what undoes the changes that it took. The limits of the group
// hold for those below it too.
func ownGroup() (dir string, undo func() error, err error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", nil, err
	}
	err = errors.New("no memory controller is mounted")
	for _, h := range hierarchies(mounts) {
		if dir, err = h.directory(groups); err != nil {
			continue
		}
		if undo, err = h.prepare(dir); err == nil {
			return dir, undo, nil
		}
	}
	return "", nil, err
}

// hierarchies returns the trees of a /proc/PID/mountinfo, version 1 with the memory
// controller first: it is with one version only. Lines of another form are none.
func hierarchies(mountinfo []byte) []hierarchy {
	var all []hierarchy
	for line := range bytes.Lines(mountinfo) {
		left, right, _ := strings.Cut(strings.TrimSpace(string(line)), " - ")
		at, what := strings.Fields(left), strings.Fields(right)
		if len(at) < 5 || len(what) < 3 {
			continue
		}
		h := hierarchy{root: unescape(at[3]), mount: unescape(at[4])}
		switch what[0] {
		case "cgroup":
			if h.version = 1; slices.Contains(strings.Split(what[2], ","), "memory") {
				all = append(all, h)
			}
		case "cgroup2":
			h.version = 2
			all = append(all, h)
		}
	}
	slices.SortStableFunc(all, func(a, b hierarchy) int { return a.version - b.version })
	return all
}

// unescape turns the octal escapes of mountinfo (\040 is a space) into what they stand for.
func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if c, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// directory returns where the group is that a /proc/PID/cgroup names for the tree.
func (h hierarchy) directory(cgroup []byte) (string, error) {
	for line := range bytes.Lines(cgroup) {
		parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(parts) < 3 {
			continue
		}
		ours := parts[0] == "0" && parts[1] == ""
		if h.version == 1 {
			ours = slices.Contains(strings.Split(parts[1], ","), "memory")
		}
		if !ours {
			continue
		}
		below, err := filepath.Rel(h.root, parts[2])
		if err != nil || !filepath.IsLocal(below) {
			return "", fmt.Errorf("the group %s of this process is not below %s, which is what %s shows", parts[2], h.root, h.mount)
		}
		return filepath.Join(h.mount, below), nil
	}
	return "", fmt.Errorf("this process is in no group of %s", h.mount)
}

// prepare makes groups below dir able to bound memory. Version 1 always is. In version 2
// the group hands the controller on, which it may only while no process is in it, if it
// is not the root: then this process steps aside into a group below.
func (h hierarchy) prepare(dir string) (undo func() error, err error) {
	nothing := func() error { return nil }
	if h.version == 1 || fileHas(dir, "cgroup.subtree_control", "memory") {
		return nothing, nil
	}
	if !fileHas(dir, "cgroup.controllers", "memory") {
		return nil, fmt.Errorf("%s does not have the memory controller", dir)
	}
	withdraw := func() error { return setFile(dir, "cgroup.subtree_control", "-memory") }
	if setFile(dir, "cgroup.subtree_control", "+memory") == nil {
		return withdraw, nil
	}
	aside := filepath.Join(dir, fmt.Sprintf("siltstone-bench-%d-aside", os.Getpid()))
	if err := os.Mkdir(aside, 0o755); err != nil {
		return nil, err
	}
	back := func() error {
		return errors.Join(setFile(dir, "cgroup.procs", strconv.Itoa(os.Getpid())), os.Remove(aside))
	}
	if err := setFile(aside, "cgroup.procs", strconv.Itoa(os.Getpid())); err != nil {
		return nil, errors.Join(err, os.Remove(aside))
	}
	if err := setFile(dir, "cgroup.subtree_control", "+memory"); err != nil {
		return nil, errors.Join(fmt.Errorf("%s holds other processes than this one: %w", dir, err), back())
	}
	return func() error { return errors.Join(withdraw(), back()) }, nil
}

// fileHas reports whether a file of a group has the word.
func fileHas(dir, name, word string) bool {
	data, err := os.ReadFile(filepath.Join(dir, name))
	return err == nil && slices.Contains(strings.Fields(string(data)), word)
}

// readNumber returns the number in a file of a group; that of "max" is as good as none.
func readNumber(dir, name string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(data))
	if text == "max" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return n, nil
}
