package vfs

import (
	"errors"
	"os"
	"runtime"

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

func adviseAhead(f *os.File, may bool) {
	if may {
		advise(f, 0, 0, unix.FADV_NORMAL)
	} else {
		advise(f, 0, 0, unix.FADV_RANDOM)
	}
}

// adviseWillNeed begins to read into the page cache. The call waits only while the
// disk's queue is full.
func adviseWillNeed(f *os.File, off, n int64) { advise(f, off, n, unix.FADV_WILLNEED) }

// advise takes the descriptor as a number, since control allocates. A file that is
// closed meanwhile is advice for another file, which does no harm there.
func advise(f *os.File, off, n int64, advice int) {
	_ = unix.Fadvise(int(f.Fd()), off, n, advice)
	runtime.KeepAlive(f)
}
