//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openFile opens or creates a regular file. O_NONBLOCK keeps it from waiting on
// a pipe that somebody put in the file's place, and is taken off again.
func openFile(name string, flag int) (*os.File, error) {
	fd, err := openRegular(name, flag|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func openRegular(name string, flag int) (int, error) {
	fd, err := unix.Open(name, flag, fileMode)
	for err == unix.EINTR {
		fd, err = unix.Open(name, flag, fileMode)
	}
	if err != nil {
		return -1, err
	}
	if fd <= 2 {
		low := fd
		fd, err = unix.FcntlInt(uintptr(low), dupAbove, 3)
		unix.Close(low)
		if err != nil {
			return -1, err
		}
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotRegular
	}
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// syncDir fsyncs a directory. A file system that has no such call (EINVAL,
// ENOTSUP) orders its directories by itself or not at all: nothing is gained by
// refusing to run on it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

func noLink(err error) bool {
	for _, errno := range []error{unix.EPERM, unix.EXDEV, unix.EMLINK, unix.ENOSYS, unix.ENOTSUP, unix.EOPNOTSUPP} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
