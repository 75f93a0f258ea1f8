package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"sync"
)

// Mem is a file system in memory, for stores that need not outlive the process
// and for tests. It keeps the meaning of FS but promises nothing about power:
// Sync and SyncDir only check that what they name is there. Package vfstest
// puts the power cuts on top of it.
//
// Relative and absolute names mean the same tree: "db/1" and "/db/1" are one
// file. Files take memory for the bytes that were written, not for holes.
// FileInfo carries no times.
//
// The zero Mem and a nil *Mem have no tree: each call that names a file is
// fs.ErrInvalid. A Mem is safe for concurrent use. The tree has one lock and each file its
// own, so that reading and writing different files do not meet. Locks are taken
// in the order tree, file, space.
type Mem struct {
	mu    sync.RWMutex // guards this group and the tree below root
	root  *memNode
	open  map[io.Closer]string // files and locks, with the name they were opened by
	order *rand.Rand

	space memSpace
}

// NewMem returns an empty file system without a capacity limit.
func NewMem() *Mem {
	m := &Mem{
		root: &memNode{children: map[string]*memNode{}},
		open: map[io.Closer]string{},
	}
	m.Shuffle(1)
	return m
}

// valid returns m, and in place of nil one that refuses what the zero Mem refuses:
// whatever names a file.
func (m *Mem) valid() *Mem {
	if m == nil {
		return new(Mem)
	}
	return m
}

// Shuffle makes the orders in which List returns names a function of seed and
// of the calls of List that follow.
func (m *Mem) Shuffle(seed uint64) {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.order = rand.New(rand.NewPCG(seed, 0))
}

// SetCapacity limits the bytes that files may hold or have reserved by Allocate
// to n; 0 is no limit. Above it Write and Allocate fail with ErrNoSpace, Write
// after the bytes that did fit. A file that is removed counts until it is
// closed. Lowering the limit below what is used takes nothing away.
func (m *Mem) SetCapacity(n int64) { m.valid().space.setCapacity(n) }

// OpenFiles returns the names, sorted, by which the files and locks that are
// still open were opened, so that a test can show that nothing leaks.
func (m *Mem) OpenFiles() []string {
	m = m.valid()
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := make([]string, 0, len(m.open))
	for _, name := range m.open {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Create makes an empty file; its directory must exist.
func (m *Mem) Create(name string) (File, error) {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && dir.children[base] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	n := &memNode{links: 1}
	dir.children[base] = n
	return m.handle(n, name, true), nil
}

// Open opens a file for reading; Write, Truncate and Allocate on it are
// fs.ErrPermission.
func (m *Mem) Open(name string) (File, error) { return m.openFile(name, false) }

// OpenWrite opens a file for reading and for writing at its end.
func (m *Mem) OpenWrite(name string) (File, error) { return m.openFile(name, true) }

func (m *Mem) openFile(name string, writable bool) (File, error) {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err == nil && n.isDir() {
		err = errNotRegular
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := m.handle(n, name, writable)
	if writable {
		f.pos = n.length()
	}
	return f, nil
}

// handle is called with m.mu held.
func (m *Mem) handle(n *memNode, name string, writable bool) *memFile {
	n.opens++
	f := &memFile{fs: m, node: n, name: name, writable: writable}
	m.open[f] = name
	return f
}

// List returns the names in dir, shuffled: a caller that leans on an order
// fails in its tests.
func (m *Mem) List(dir string) ([]string, error) {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(dir)
	if err == nil && !n.isDir() {
		err = errNotDir
	}
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: err}
	}
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	sort.Strings(names)
	m.order.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names, nil
}

// Stat describes a file or directory.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m = m.valid()
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return n.info(path.Base(name)), nil
}

// SyncDir checks that dir is a directory.
func (m *Mem) SyncDir(dir string) error {
	m = m.valid()
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find(dir)
	if err == nil && !n.isDir() {
		err = errNotDir
	}
	if err != nil {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: err}
	}
	return nil
}

// Lock locks within this Mem.
func (m *Mem) Lock(name string, exclusive, create bool) (io.Closer, error) {
	m = m.valid()
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	n := dir.children[base]
	switch {
	case n == nil && !create:
		return nil, &fs.PathError{Op: "lock", Path: name, Err: fs.ErrNotExist}
	case n == nil:
		n = &memNode{links: 1}
		dir.children[base] = n
	case n.isDir():
		return nil, &fs.PathError{Op: "lock", Path: name, Err: errNotRegular}
	case n.lockers > 0 && (exclusive || n.exclusive):
		return nil, fmt.Errorf("%s: %w by this process", name, ErrLockHeld)
	}
	n.lockers++
	n.opens++
	n.exclusive = exclusive
	l := &memLock{fs: m, node: n, name: name}
	m.open[l] = name
	return l, nil
}

// Free returns what is left of the capacity, -1 if there is no limit.
func (m *Mem) Free(string) int64 { return m.valid().space.free() }

// memLock is one hold on a node's lock.
type memLock struct {
	fs   *Mem
	node *memNode
	name string
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if _, held := l.fs.open[l]; !held {
		return &fs.PathError{Op: "unlock", Path: l.name, Err: fs.ErrClosed}
	}
	delete(l.fs.open, l)
	l.node.lockers--
	l.fs.unopen(l.node)
	return nil
}

// memSpace counts the bytes of a Mem. It is safe for concurrent use, and the
// last lock that anyone takes.
type memSpace struct {
	mu       sync.Mutex
	capacity int64 // 0: no limit
	used     int64
}

func (s *memSpace) setCapacity(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = n
}

// take reserves up to n bytes and returns how many there were.
func (s *memSpace) take(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.capacity > 0 {
		n = min(n, max(s.capacity-s.used, 0))
	}
	s.used += n
	return n
}

func (s *memSpace) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}

func (s *memSpace) free() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.capacity == 0 {
		return -1
	}
	return max(s.capacity-s.used, 0)
}

var (
	errNotDir   = errors.New("not a directory")
	errNotEmpty = errors.New("directory is not empty")
)
