// Package vfs is the file system as the store sees it: a small interface, the
// operating system's implementation, and an in-memory one. Package vfstest
// cuts the power and injects faults.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// FS is the file system a store runs on. Names are slash-separated paths.
// Implementations are safe for concurrent use.
//
// Durability is POSIX at its weakest: nothing survives a power cut but bytes
// covered by a successful File.Sync and directory entries (creations, renames,
// removals) covered by a successful SyncDir. Rename within a directory is atomic.
type FS interface {
	// Create makes a new file for writing. It fails with fs.ErrExist if name
	// exists: nothing is ever overwritten.
	Create(name string) (File, error)
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// OpenWrite opens an existing file for reading and writing at its end.
	OpenWrite(name string) (File, error)
	// Remove removes a file or an empty directory. An open file stays readable
	// through its handles (on windows the removal fails instead).
	Remove(name string) error
	// Rename gives from the name to, replacing a file of that name. A directory
	// may be renamed to a name that is free.
	Rename(from, to string) error
	// Link makes to a second name of from. It fails with ErrNoLink where the
	// file system cannot.
	Link(from, to string) error
	// List returns the names in dir, in no particular order.
	List(dir string) ([]string, error)
	// Stat describes a file or directory, fs.ErrNotExist if there is none.
	Stat(name string) (fs.FileInfo, error)
	// MkdirAll makes dir and the directories above it that are missing. Each new
	// one is an entry of its parent, durable after SyncDir of that parent.
	MkdirAll(dir string) error
	// SyncDir makes the entries of dir durable.
	SyncDir(dir string) error
	// Lock takes an advisory lock on the file name, creating it if create is set
	// (else a missing file is fs.ErrNotExist), and holds it until the Closer is
	// closed or the process ends. It does not wait: a lock that another holder
	// has, in this process or another, is ErrLockHeld, wrapped with what is known
	// of the holder. Any number of holders may share a lock that none of them took
	// as exclusive.
	Lock(name string, exclusive, create bool) (io.Closer, error)
	// Free returns the bytes available to this process on dir's file system, or
	// a negative number if that is not known.
	Free(dir string) int64
}

// Resolver is an FS on which a relative name means something else after a while, as
// it does when a process changes its working directory. An FS need not be one.
type Resolver interface {
	// Abs returns a name that goes on meaning what name means now.
	Abs(name string) (string, error)
}

// Abs returns a name that goes on meaning, on fsys, what name means now. On an FS
// that is no Resolver every name does.
func Abs(fsys FS, name string) (string, error) {
	if r, ok := fsys.(Resolver); ok {
		return r.Abs(name)
	}
	return name, nil
}

// File is an open file. ReadAt is safe for concurrent use; the other methods
// need one caller at a time, and ReadAt may run beside them. Sync, too, may run
// beside Write, Allocate and another Sync: it covers what was written before it
// began. No method keeps or changes the slice it is given, but for ReadAt filling
// it. After Close every method fails with fs.ErrClosed.
//
// Write goes on at the file's position: 0 after FS.Create, the length after
// FS.OpenWrite. Write moves it by the bytes that were written, also when it
// fails part-way; Truncate below it moves it down to the new length; Allocate
// and a Truncate that grows the file leave it alone.
type File interface {
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync makes the file's content and length durable. It does not make its
	// name durable: SyncDir does.
	Sync() error
	// Allocate reserves disk space for the first size bytes, so that later writes
	// below size cannot fail for want of it; the file's length becomes at least
	// size and what was not written reads as zeros. Where the file system cannot
	// reserve it only grows the length.
	Allocate(size int64) error
	// Truncate sets the file's length.
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// Zeroer is a File that can fill space reserved by Allocate. Where the file system
// tells written space from reserved space, a sync of bytes in the latter changes
// its own records too, and takes up to twice as long. A File need not be one.
type Zeroer interface {
	// Zero writes zeros from one offset to another, behind the position and within
	// the length. It may run beside ReadAt, Sync and Allocate.
	Zero(from, to int64) error
}

// Hinter is a File that takes hints of how it will be read. They change nothing but
// how long reads take, and may be ignored. They are safe beside every other method.
// A File need not be one.
type Hinter interface {
	// ReadAhead says whether the file system may read ahead of reads that follow one
	// another, as it does with a file that was opened. If not, it reads what it is asked
	// for, and no more, however near one read is to the last.
	ReadAhead(may bool)
	// WillRead says that n bytes from offset off will be read soon, and begins to read
	// them where that can be done without waiting for them.
	WillRead(off, n int64)
}

var (
	// ErrLockHeld is returned by FS.Lock when somebody else has the lock.
	ErrLockHeld = errors.New("lock is held")
	// ErrNoLink is returned by FS.Link where hard links are not to be had.
	ErrNoLink = errors.New("file system has no hard links")
)
