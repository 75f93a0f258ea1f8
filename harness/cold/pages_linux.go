package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropPages takes a file out of the page cache.
func dropPages(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
