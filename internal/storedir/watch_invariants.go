//go:build invariants

package storedir

import (
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/vfs"
)

// Watched returns fsys, whose calls fail under locks that forbid them.
func Watched(fsys vfs.FS) vfs.FS {
	if w, ok := fsys.(watchedFS); ok {
		return w
	}
	return watchedFS{fsys}
}

type watchedFS struct{ fs vfs.FS }

func (w watchedFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	if z, ok := f.(vfs.Zeroer); ok {
		return watchedZeroer{watchedFile{f}, z}, nil
	}
	return watchedFile{f}, nil
}

func (w watchedFS) Create(name string) (vfs.File, error) {
	defer invariants.Outside("create")()
	return w.file(w.fs.Create(name))
}

func (w watchedFS) Open(name string) (vfs.File, error) {
	defer invariants.Outside("open")()
	return w.file(w.fs.Open(name))
}

func (w watchedFS) OpenWrite(name string) (vfs.File, error) {
	defer invariants.Outside("open for writing")()
	return w.file(w.fs.OpenWrite(name))
}

func (w watchedFS) Remove(name string) error {
	defer invariants.Outside("remove")()
	return w.fs.Remove(name)
}

func (w watchedFS) Rename(from, to string) error {
	defer invariants.Outside("rename")()
	return w.fs.Rename(from, to)
}

func (w watchedFS) Link(from, to string) error {
	defer invariants.Outside("link")()
	return w.fs.Link(from, to)
}

func (w watchedFS) List(dir string) ([]string, error) {
	defer invariants.Outside("list")()
	return w.fs.List(dir)
}

func (w watchedFS) Stat(name string) (fs.FileInfo, error) {
	defer invariants.Outside("stat")()
	return w.fs.Stat(name)
}

func (w watchedFS) MkdirAll(dir string) error {
	defer invariants.Outside("mkdir")()
	return w.fs.MkdirAll(dir)
}

func (w watchedFS) SyncDir(dir string) error {
	defer invariants.Outside("sync of a directory")()
	return w.fs.SyncDir(dir)
}

func (w watchedFS) Lock(name string, exclusive, create bool) (io.Closer, error) {
	defer invariants.Outside("lock of a file")()
	return w.fs.Lock(name, exclusive, create)
}

func (w watchedFS) Free(dir string) int64 {
	defer invariants.Outside("question for free space")()
	return w.fs.Free(dir)
}

type watchedFile struct{ vfs.File }

func (f watchedFile) ReadAt(p []byte, at int64) (int, error) {
	defer invariants.Outside("read")()
	return f.File.ReadAt(p, at)
}

func (f watchedFile) Write(p []byte) (int, error) {
	defer invariants.Outside("write")()
	return f.File.Write(p)
}

func (f watchedFile) Close() error {
	defer invariants.Outside("close")()
	return f.File.Close()
}

func (f watchedFile) Sync() error {
	defer invariants.Outside("sync")()
	return f.File.Sync()
}

func (f watchedFile) Allocate(size int64) error {
	defer invariants.Outside("allocate")()
	return f.File.Allocate(size)
}

func (f watchedFile) Truncate(size int64) error {
	defer invariants.Outside("truncate")()
	return f.File.Truncate(size)
}

func (f watchedFile) Stat() (fs.FileInfo, error) {
	defer invariants.Outside("stat of a file")()
	return f.File.Stat()
}

// ReadAhead implements vfs.Hinter.
func (f watchedFile) ReadAhead(may bool) {
	defer invariants.Outside("hint")()
	if h, ok := f.File.(vfs.Hinter); ok {
		h.ReadAhead(may)
	}
}

// WillRead implements vfs.Hinter.
func (f watchedFile) WillRead(off, n int64) {
	defer invariants.Outside("hint")()
	if h, ok := f.File.(vfs.Hinter); ok {
		h.WillRead(off, n)
	}
}

type watchedZeroer struct {
	watchedFile
	zeroer vfs.Zeroer
}

func (f watchedZeroer) Zero(from, to int64) error {
	defer invariants.Outside("zero")()
	return f.zeroer.Zero(from, to)
}

// Abs implements vfs.Resolver.
func (w watchedFS) Abs(name string) (string, error) { return vfs.Abs(w.fs, name) }
