package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// OS is the operating system's file system. It needs no set-up and is safe for
// concurrent use.
//
// Files are made with mode 0600 and directories with 0700, whatever they hold
// is nobody else's business. Only regular files are opened: a symbolic link, a
// pipe or a device in the place of a file is refused without blocking on it
// (windows and the systems without unix semantics follow links), and no file
// gets one of the descriptors 0 to 2, so that a stray print cannot land in a
// log.
//
// Where it matters what a call stands for:
//
//	            linux                    other unix      windows      the rest
//	Sync        fdatasync                File.Sync       File.Sync    File.Sync
//	Allocate    fallocate, else length   length          length       length
//	SyncDir     fsync of the directory   the same        nothing      nothing
//	Lock        flock                    flock           LockFileEx   this process only
//	Free        statfs                   statfs or -1    yes          -1
//	Hinter      fadvise                  nothing         nothing      nothing
//
// aix and solaris lock in this process only.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return newOSFile(openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL))
}

func (osFS) Open(name string) (File, error) {
	return newOSFile(openFile(name, os.O_RDONLY))
}

func (osFS) OpenWrite(name string) (File, error) {
	f, err := openFile(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &osFile{f: f, pos: info.Size()}, nil
}

func (osFS) Remove(name string) error              { return os.Remove(name) }
func (osFS) Rename(from, to string) error          { return os.Rename(from, to) }
func (osFS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (osFS) MkdirAll(dir string) error             { return os.MkdirAll(dir, dirMode) }
func (osFS) SyncDir(dir string) error              { return syncDir(dir) }
func (osFS) Free(dir string) int64                 { return freeSpace(dir) }

// Abs implements Resolver.
func (osFS) Abs(name string) (string, error) {
	abs, err := filepath.Abs(name)
	return filepath.ToSlash(abs), err
}

func (osFS) Link(from, to string) error {
	err := os.Link(from, to)
	if err != nil && noLink(err) {
		return fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	return err
}

func (osFS) List(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (osFS) Lock(name string, exclusive, create bool) (io.Closer, error) {
	return locks.lock(name, exclusive, create)
}

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// errNotRegular refuses what is in a file's place but is not a file.
var errNotRegular = errors.New("not a regular file")

// osFile is a file with a position of its own, so that Write is a pwrite and
// ReadAt may run beside it.
type osFile struct {
	f   *os.File
	pos int64
}

func newOSFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &osFile{f: f}, nil
}

func (o *osFile) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, off) }
func (o *osFile) Close() error                            { return o.f.Close() }
func (o *osFile) Stat() (fs.FileInfo, error)              { return o.f.Stat() }
func (o *osFile) Sync() error                             { return syncFile(o.f) }

func (o *osFile) Write(p []byte) (int, error) {
	n, err := o.f.WriteAt(p, o.pos)
	o.pos += int64(n)
	return n, err
}

func (o *osFile) Truncate(size int64) error {
	if err := o.f.Truncate(size); err != nil {
		return err
	}
	o.pos = min(o.pos, size)
	return nil
}

func (o *osFile) Allocate(size int64) error {
	if size < 0 {
		return &fs.PathError{Op: "allocate", Path: o.f.Name(), Err: fs.ErrInvalid}
	}
	if size == 0 {
		return nil
	}
	return allocate(o.f, size)
}

var zeros [64 << 10]byte

// Zero implements Zeroer.
func (o *osFile) Zero(from, to int64) error {
	for from < to {
		n, err := o.f.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// ReadAhead implements Hinter.
func (o *osFile) ReadAhead(may bool) { adviseAhead(o.f, may) }

// WillRead implements Hinter.
func (o *osFile) WillRead(off, n int64) { adviseWillNeed(o.f, off, n) }

// growLength is Allocate where nothing can be reserved.
func growLength(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() >= size {
		return nil
	}
	return f.Truncate(size)
}

// control runs call on f's descriptor, again as long as a signal interrupts it,
// and keeps the descriptor from being closed meanwhile.
func control(f *os.File, op string, interrupted func(error) bool, call func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for failed = call(fd); failed != nil && interrupted(failed); failed = call(fd) {
		}
	})
	if err != nil {
		failed = fs.ErrClosed // the only reason for Control not to run
	}
	if failed != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: failed}
	}
	return nil
}
