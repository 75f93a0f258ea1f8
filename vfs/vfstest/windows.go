package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/siltstonedb/siltstone/vfs"
)

// Windows is a vfs.FS that passes every call on to another one, but for those that
// Windows refuses: a file that is open, by whatever name, can be neither removed
// nor renamed nor replaced by a rename, and no directory renamed that holds it. A
// lock is an open file, too. What was linked before the Windows was made is not
// known to be one file. It is safe for concurrent use.
type Windows struct {
	inner vfs.FS

	mu      sync.Mutex              // held across calls that change what names mean
	files   map[string]*windowsNode // by clean name, those that were opened or linked
	refused []string
}

// windowsNode is a file; its names share it.
type windowsNode struct{ open int }

// ErrInUse is wrapped by the error of a call that Windows refuses.
var ErrInUse = errors.New("vfstest: the file is open")

// NewWindows returns a Windows over inner.
func NewWindows(inner vfs.FS) *Windows {
	return &Windows{inner: inner, files: map[string]*windowsNode{}}
}

// Refused returns the calls refused so far, in order, each as "remove db/000001.wal".
func (w *Windows) Refused() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.refused)
}

// nodeLocked returns the file of a name.
func (w *Windows) nodeLocked(name string) *windowsNode {
	name = path.Clean(name)
	n := w.files[name]
	if n == nil {
		n = &windowsNode{}
		w.files[name] = n
	}
	return n
}

// busyLocked reports whether name, or a file below it, is open.
func (w *Windows) busyLocked(name string) bool {
	name = path.Clean(name)
	for at, n := range w.files {
		if n.open > 0 && (at == name || strings.HasPrefix(at, name+"/")) {
			return true
		}
	}
	return false
}

func (w *Windows) refuseLocked(kind Kind, name string) error {
	w.refused = append(w.refused, kind.String()+" "+name)
	return &fs.PathError{Op: kind.String(), Path: name, Err: ErrInUse}
}

// Create passes on.
func (w *Windows) Create(name string) (vfs.File, error) { return w.open(name, w.inner.Create) }

// Open passes on.
func (w *Windows) Open(name string) (vfs.File, error) { return w.open(name, w.inner.Open) }

// OpenWrite passes on.
func (w *Windows) OpenWrite(name string) (vfs.File, error) { return w.open(name, w.inner.OpenWrite) }

func (w *Windows) open(name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	file := &windowsFile{File: f, held: w.holdLocked(name)}
	if z, ok := f.(vfs.Zeroer); ok {
		return &zeroingWindowsFile{windowsFile: file, Zeroer: z}, nil
	}
	return file, nil
}

// holdLocked counts an opening of name and returns what ends it, once.
func (w *Windows) holdLocked(name string) (end func()) {
	n := w.nodeLocked(name)
	n.open++
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		n.open--
	})
}

// windowsFile is a file opened through a Windows.
type windowsFile struct {
	vfs.File
	held func()
}

func (f *windowsFile) Close() error {
	err := f.File.Close()
	f.held()
	return err
}

// zeroingWindowsFile is one whose inner file is a vfs.Zeroer.
type zeroingWindowsFile struct {
	*windowsFile
	vfs.Zeroer
}

// Remove passes on or refuses.
func (w *Windows) Remove(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busyLocked(name) {
		return w.refuseLocked(Remove, name)
	}
	err := w.inner.Remove(name)
	if err == nil {
		delete(w.files, path.Clean(name))
	}
	return err
}

// Rename passes on or refuses.
func (w *Windows) Rename(from, to string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range []string{from, to} {
		if w.busyLocked(name) {
			return w.refuseLocked(Rename, name)
		}
	}
	err := w.inner.Rename(from, to)
	if err != nil {
		return err
	}
	// Nothing at either name is open: files below a directory are forgotten.
	from, to = path.Clean(from), path.Clean(to)
	delete(w.files, to)
	for name, n := range w.files {
		if name == from || strings.HasPrefix(name, from+"/") {
			delete(w.files, name)
			w.files[to+name[len(from):]] = n
		}
	}
	return nil
}

// Link passes on.
func (w *Windows) Link(from, to string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.inner.Link(from, to)
	if err == nil {
		w.files[path.Clean(to)] = w.nodeLocked(from)
	}
	return err
}

// Lock passes on.
func (w *Windows) Lock(name string, exclusive, create bool) (io.Closer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, err := w.inner.Lock(name, exclusive, create)
	if err != nil {
		return nil, err
	}
	return &windowsLock{Closer: l, held: w.holdLocked(name)}, nil
}

type windowsLock struct {
	io.Closer
	held func()
}

func (l *windowsLock) Close() error {
	err := l.Closer.Close()
	l.held()
	return err
}

// Abs passes on.
func (w *Windows) Abs(name string) (string, error) { return vfs.Abs(w.inner, name) }

// List passes on.
func (w *Windows) List(dir string) ([]string, error) { return w.inner.List(dir) }

// Stat passes on.
func (w *Windows) Stat(name string) (fs.FileInfo, error) { return w.inner.Stat(name) }

// MkdirAll passes on.
func (w *Windows) MkdirAll(dir string) error { return w.inner.MkdirAll(dir) }

// SyncDir passes on.
func (w *Windows) SyncDir(dir string) error { return w.inner.SyncDir(dir) }

// Free passes on.
func (w *Windows) Free(dir string) int64 { return w.inner.Free(dir) }
