package vfstest

import (
	"errors"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/vfs"
)

// Create passes on or fails.
func (f *Faults) Create(name string) (vfs.File, error) {
	return f.openFile(Op{Kind: Create, Name: name}, f.inner.Create)
}

// Open passes on or fails.
func (f *Faults) Open(name string) (vfs.File, error) {
	return f.openFile(Op{Kind: Open, Name: name}, f.inner.Open)
}

// OpenWrite passes on or fails.
func (f *Faults) OpenWrite(name string) (vfs.File, error) {
	return f.openFile(Op{Kind: OpenWrite, Name: name}, f.inner.OpenWrite)
}

func (f *Faults) openFile(op Op, open func(string) (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.run(op, func() (err error) {
		file, err = open(op.Name)
		return err
	})
	if err != nil {
		return nil, f.abandon(file, err)
	}
	opened := &faultsFile{f: f, inner: file, name: op.Name}
	if op.Kind == OpenWrite {
		info, err := file.Stat()
		if err != nil {
			return nil, f.abandon(file, err)
		}
		opened.pos = info.Size()
	}
	f.track(opened, op.Name)
	if z, ok := file.(vfs.Zeroer); ok {
		return &zeroingFile{faultsFile: opened, zeroer: z}, nil
	}
	return opened, nil
}

// abandon closes what was opened though the call fails.
func (f *Faults) abandon(opened io.Closer, err error) error {
	if opened == nil {
		return err
	}
	return errors.Join(err, opened.Close())
}

func (f *Faults) track(handle any, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[handle] = name
}

func (f *Faults) untrack(handle any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, handle)
}

// Remove passes on or fails.
func (f *Faults) Remove(name string) error {
	return f.run(Op{Kind: Remove, Name: name}, func() error { return f.inner.Remove(name) })
}

// Rename passes on or fails.
func (f *Faults) Rename(from, to string) error {
	return f.run(Op{Kind: Rename, Name: from, To: to}, func() error { return f.inner.Rename(from, to) })
}

// Link passes on or fails.
func (f *Faults) Link(from, to string) error {
	return f.run(Op{Kind: Link, Name: from, To: to}, func() error { return f.inner.Link(from, to) })
}

// MkdirAll passes on or fails.
func (f *Faults) MkdirAll(dir string) error {
	return f.run(Op{Kind: Mkdir, Name: dir}, func() error { return f.inner.MkdirAll(dir) })
}

// SyncDir passes on or fails.
func (f *Faults) SyncDir(dir string) error {
	return f.run(Op{Kind: SyncDir, Name: dir}, func() error { return f.inner.SyncDir(dir) })
}

// List passes on or fails.
func (f *Faults) List(dir string) (names []string, err error) {
	err = f.run(Op{Kind: List, Name: dir}, func() (err error) {
		names, err = f.inner.List(dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// Stat passes on or fails.
func (f *Faults) Stat(name string) (info fs.FileInfo, err error) {
	err = f.run(Op{Kind: Stat, Name: name}, func() (err error) {
		info, err = f.inner.Stat(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Abs passes on.
func (f *Faults) Abs(name string) (string, error) { return vfs.Abs(f.inner, name) }

// Free passes on.
func (f *Faults) Free(dir string) int64 { return f.inner.Free(dir) }

// Lock passes on or fails. Closing the lock is a Close.
func (f *Faults) Lock(name string, exclusive, create bool) (io.Closer, error) {
	var held io.Closer
	err := f.run(Op{Kind: Lock, Name: name}, func() (err error) {
		held, err = f.inner.Lock(name, exclusive, create)
		return err
	})
	if err != nil {
		return nil, f.abandon(held, err)
	}
	lock := &faultsLock{f: f, inner: held, name: name}
	f.track(lock, name)
	return lock, nil
}

// faultsLock is a lock taken through a Faults.
type faultsLock struct {
	f     *Faults
	inner io.Closer
	name  string
}

func (l *faultsLock) Close() error {
	l.f.untrack(l)
	return l.f.close(l.name, l.inner)
}

func (f *Faults) close(name string, inner io.Closer) error {
	op := Op{Kind: Close, Name: name}
	fault := f.meet(op)
	err := inner.Close()
	if fault != nil {
		return errors.Join(fault.failure(op), err)
	}
	return err
}
