package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func interrupted(err error) bool { return err == unix.EINTR }

// syncFile leaves times and modes behind: fdatasync flushes what is needed to
// read the bytes back, a changed length included.
func syncFile(f *os.File) error {
	return control(f, "fdatasync", interrupted, func(fd uintptr) error {
		return unix.Fdatasync(int(fd))
	})
}

func allocate(f *os.File, size int64) error {
	err := control(f, "fallocate", interrupted, func(fd uintptr) error {
		return unix.Fallocate(int(fd), 0, 0, size)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return growLength(f, size)
	}
	return err
}
