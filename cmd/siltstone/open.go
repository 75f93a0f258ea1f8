package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// inUseAdvice says what to do when another process has the store.
const inUseAdvice = "that process has to close the store first"

// openRead opens the store in dir for reading, through fs, beside a process that may be
// writing to it: that one need not wait, nor be kept from starting. No file of the store
// is changed. Where that cannot be, as on a file system that is mounted for reading, the
// store is opened as one that nobody writes to.
func (t *tool) openRead(dir string, fs vfs.FS) (*siltstone.DB, error) {
	o := siltstone.Options{ReadOnly: true, Beside: true, MustExist: true, MemoryLimit: t.memory.bytes, FS: fs}
	db, err := openStore(dir, &o)
	if t.beside = err == nil || !besideRefused(err); t.beside {
		return db, err
	}
	o.Beside = false
	return openStore(dir, &o)
}

// besideRefused reports whether an error is that of a place where nobody can read beside a
// writer.
func besideRefused(err error) bool {
	for _, cause := range []error{fs.ErrPermission, syscall.EROFS, vfs.ErrNoLink, errors.ErrUnsupported} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// refresh has db show what was written since it was opened by openRead. A store that is
// not beside its writer has none, so that nothing was.
func (t *tool) refresh(ctx context.Context, db *siltstone.DB) error {
	if !t.beside {
		return nil
	}
	return db.Refresh(ctx)
}

// openWrite opens the store in dir for writing, which must be there.
func (t *tool) openWrite(dir string) (*siltstone.DB, error) {
	return openStore(dir, &siltstone.Options{MustExist: true, MemoryLimit: t.memory.bytes})
}

// openFill opens the store in dir to put much into it, and makes it if there is none.
// A single value may be as large as the store takes.
func (t *tool) openFill(dir string) (*siltstone.DB, error) {
	return openStore(dir, &siltstone.Options{MemoryLimit: t.memory.bytes, MaxTxBytes: 4 << 30, Durability: siltstone.OSDurability})
}

func openStore(dir string, o *siltstone.Options) (*siltstone.DB, error) {
	db, err := siltstone.Open(dir, o)
	return db, noStore(err, dir)
}

// noStore says of an error that comes of there being no store what is there.
func noStore(err error, dir string) error {
	if errors.Is(err, siltstone.ErrCorruption) {
		return err // a file of the store that is missing
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return advise(codeError{exitNotFound, fmt.Errorf("there is no store in %s", dir)}, "%s", whatIsThere(dir))
	}
	return err
}

// whatIsThere says what a directory that holds no store holds.
func whatIsThere(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return "the directory does not exist; check the path"
	}
	if !info.IsDir() {
		return "that is a file; a store is a directory, which has a file CURRENT in it (debug wal, manifest and sst take files)"
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*", "CURRENT"))
	if len(found) > 0 {
		return "a directory below it looks like one: " + filepath.Dir(found[0])
	}
	if found, _ = filepath.Glob(filepath.Join(dir, "MANIFEST-*")); len(found) > 0 {
		return "it was one: only the file CURRENT is missing; siltstone repair DIR NEW makes a new store of the rest"
	}
	return "a store's directory has a file CURRENT in it; this one has none"
}

// closing closes db, and gives its error if there is no other.
func closing(db *siltstone.DB, err *error) {
	if cerr := db.Close(); *err == nil {
		*err = cerr
	}
}

// reading is what keys and values of one keyspace are read through.
type reading interface {
	siltstone.Reader
	siltstone.Typed
}

// space returns the keyspace that the flag --keyspace names.
func (t *tool) space(db *siltstone.DB) (siltstone.ReadWriter, error) {
	if t.keyspace == "" {
		return db, nil
	}
	name, err := t.bytes(t.keyspace)
	if err != nil {
		return nil, err
	}
	ks, err := db.Keyspace(string(name))
	if errors.Is(err, siltstone.ErrNotFound) {
		err = advise(codeError{exitNotFound, fmt.Errorf("there is no keyspace %s", t.format.show(name))}, "siltstone keyspaces DIR lists those that there are")
	}
	return ks, err
}

// readStore opens the store in dir for reading, calls fn with it and with the keyspace of
// the flag, and closes it.
func (t *tool) readStore(dir string, fn func(*siltstone.DB, reading) error) (err error) {
	db, err := t.openRead(dir, vfs.OS)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	space, err := t.space(db)
	if err != nil {
		return err
	}
	return fn(db, space)
}

// countingFS counts the bytes that are read through it, for the progress of
// calls that report none.
type countingFS struct {
	vfs.FS
	count func(n int)
}

func (c countingFS) Abs(name string) (string, error) { return vfs.Abs(c.FS, name) }

func (c countingFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countingFile{f, c.count}, nil
}

func (c countingFS) Create(name string) (vfs.File, error)    { return c.wrap(c.FS.Create(name)) }
func (c countingFS) Open(name string) (vfs.File, error)      { return c.wrap(c.FS.Open(name)) }
func (c countingFS) OpenWrite(name string) (vfs.File, error) { return c.wrap(c.FS.OpenWrite(name)) }

type countingFile struct {
	vfs.File
	count func(n int)
}

func (f countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.count(n)
	return n, err
}
