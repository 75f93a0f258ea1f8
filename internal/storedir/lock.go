package storedir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// Use is the purpose for which a directory is opened.
type Use struct {
	ReadOnly  bool
	MustExist bool // a missing store is an error, as with ReadOnly
}

// Lock makes the directory, unless the use forbids that, and takes its lock.
// Readers share the lock and do without it, with a nil Closer, on a medium that
// has no lock file. If another process holds the lock the error is ErrLocked.
func (d Dir) Lock(u Use) (io.Closer, error) {
	_, err := d.FS.Stat(d.Name(base.FileCurrent, 0))
	if err != nil && (u.MustExist || u.ReadOnly) {
		return nil, fmt.Errorf("there is no store: %w", err)
	}
	if err != nil {
		if err := d.Make(); err != nil {
			return nil, err
		}
	}
	lock, err := d.FS.Lock(d.Name(base.FileLock, 0), !u.ReadOnly, !u.ReadOnly)
	switch {
	case errors.Is(err, vfs.ErrLockHeld):
		return nil, fmt.Errorf("%w: %w", base.ErrLocked, err)
	case u.ReadOnly && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return lock, nil
}

// LockOut keeps writers away from a directory that is there, if it has a file to
// lock; else the Closer is nil.
func (d Dir) LockOut() (io.Closer, error) {
	if _, err := d.FS.List(d.Path); err != nil {
		return nil, fmt.Errorf("siltstone: no store in %s: %w", d.Path, err)
	}
	lock, err := d.FS.Lock(d.Name(base.FileLock, 0), false, false)
	switch {
	case errors.Is(err, vfs.ErrLockHeld):
		return nil, fmt.Errorf("%w: %w", base.ErrLocked, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return lock, nil
}

// Unlock closes a lock, which may be nil.
func Unlock(lock io.Closer) error {
	if lock == nil {
		return nil
	}
	return lock.Close()
}
