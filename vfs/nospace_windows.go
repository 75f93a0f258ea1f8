package vfs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// ErrNoSpace is what Mem returns when its capacity is used up: ENOSPC where the
// system has such a number. Ask IsNoSpace, which knows the other numbers too.
var ErrNoSpace error = syscall.ENOSPC

func osNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) ||
		errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
