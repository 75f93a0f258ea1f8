package vfs

import (
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

// memNode is a file or directory, apart from its names. Its tree fields are
// guarded by Mem.mu, its content by its own lock.
type memNode struct {
	children  map[string]*memNode // nil for a file
	links     int                 // names of a file
	opens     int                 // handles and locks of a file
	lockers   int
	exclusive bool // the one locker holds it alone

	mu      sync.RWMutex // guards the content, below
	content memContent
}

func (n *memNode) isDir() bool { return n.children != nil }

func (n *memNode) length() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.content.size
}

func (n *memNode) info(name string) fs.FileInfo {
	return memInfo{name: name, size: n.length(), dir: n.isDir()}
}

// cleanName returns name without a leading slash, "." for the root. A relative
// name that leaves the tree is refused.
func cleanName(name string) (string, error) {
	if name == "" {
		return "", fs.ErrInvalid
	}
	name = path.Clean(name)
	if name[0] == '/' {
		name = name[1:]
		if name == "" {
			name = "."
		}
	}
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", fs.ErrInvalid
	}
	return name, nil
}

// find is called with m.mu held.
func (m *Mem) find(name string) (*memNode, error) {
	name, err := cleanName(name)
	if err != nil {
		return nil, err
	}
	return m.walk(name)
}

func (m *Mem) walk(name string) (*memNode, error) {
	n := m.root
	if n == nil {
		return nil, fs.ErrInvalid // a zero Mem
	}
	if name == "." {
		return n, nil
	}
	for more := true; more; {
		var part string
		part, name, more = strings.Cut(name, "/")
		if !n.isDir() {
			return nil, errNotDir
		}
		n = n.children[part]
		if n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parent returns the directory of name and name's last part; the root has none.
func (m *Mem) parent(name string) (*memNode, string, error) {
	name, err := cleanName(name)
	if err != nil {
		return nil, "", err
	}
	if name == "." {
		return nil, "", fs.ErrInvalid
	}
	dir, base := ".", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	n, err := m.walk(dir)
	if err != nil {
		return nil, "", err
	}
	if !n.isDir() {
		return nil, "", errNotDir
	}
	return n, base, nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil {
		err = m.unlink(dir, base)
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (m *Mem) unlink(dir *memNode, base string) error {
	n := dir.children[base]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case n.isDir() && len(n.children) > 0:
		return errNotEmpty
	}
	delete(dir.children, base)
	if !n.isDir() {
		n.links--
		m.release(n)
	}
	return nil
}

// unopen takes one handle or lock off n.
func (m *Mem) unopen(n *memNode) {
	n.opens--
	m.release(n)
}

// release gives a file's bytes back once nobody can reach them.
func (m *Mem) release(n *memNode) {
	if n.links > 0 || n.opens > 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m.space.give(n.content.charged)
	n.content = memContent{}
}

// Rename moves a file or directory, replacing a file, or an empty directory, by
// its like. Two names of one file stay as they are, as POSIX has it.
func (m *Mem) Rename(from, to string) error {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rename(from, to); err != nil {
		return &fs.PathError{Op: "rename", Path: from + " to " + to, Err: err}
	}
	return nil
}

func (m *Mem) rename(from, to string) error {
	src, a, err := m.parent(from)
	if err != nil {
		return err
	}
	dst, b, err := m.parent(to)
	if err != nil {
		return err
	}
	n, old := src.children[a], dst.children[b]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case n == old:
		return nil
	case n.isDir() && n.holds(dst):
		return fs.ErrInvalid
	case old != nil && n.isDir() && !old.isDir():
		return errNotDir
	case old != nil && !n.isDir() && old.isDir():
		return errNotRegular
	}
	if old != nil {
		if err := m.unlink(dst, b); err != nil {
			return err
		}
	}
	delete(src.children, a)
	dst.children[b] = n
	return nil
}

// holds reports whether dir is n or below it.
func (n *memNode) holds(dir *memNode) bool {
	if n == dir {
		return true
	}
	for _, child := range n.children {
		if child.isDir() && child.holds(dir) {
			return true
		}
	}
	return false
}

// Link gives a file a second name.
func (m *Mem) Link(from, to string) error {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(from)
	if err == nil && n.isDir() {
		err = errNotRegular
	}
	if err == nil {
		var dir *memNode
		var base string
		dir, base, err = m.parent(to)
		if err == nil && dir.children[base] != nil {
			err = fs.ErrExist
		}
		if err == nil {
			dir.children[base] = n
			n.links++
			return nil
		}
	}
	return &fs.PathError{Op: "link", Path: from + " to " + to, Err: err}
}

// MkdirAll makes dir and what is missing above it.
func (m *Mem) MkdirAll(dir string) error {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	name, err := cleanName(dir)
	if err == nil && m.root == nil {
		err = fs.ErrInvalid // a zero Mem
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	if name == "." {
		return nil
	}
	n := m.root
	for more := true; more; {
		var part string
		part, name, more = strings.Cut(name, "/")
		child := n.children[part]
		if child == nil {
			child = &memNode{children: map[string]*memNode{}}
			n.children[part] = child
		}
		if !child.isDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
		}
		n = child
	}
	return nil
}

// memInfo is a FileInfo without times.
type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) Sys() any           { return nil }

func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | dirMode
	}
	return fileMode
}
