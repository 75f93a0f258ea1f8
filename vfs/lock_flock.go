//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes or changes f's lock. flock, not fcntl: its lock belongs to the
// open file, so that closing another descriptor of the file does not drop it.
func tryLock(f *os.File, exclusive bool) error {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	for err == unix.EINTR {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	}
	if err == unix.EWOULDBLOCK {
		return errWouldBlock
	}
	if err != nil {
		return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return nil
}

// unlock does nothing: the lock ends with the descriptor.
func unlock(*os.File) error { return nil }
