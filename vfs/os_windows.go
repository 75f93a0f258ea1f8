package vfs

import (
	"errors"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: windows offers no way to sync a directory, NTFS keeps
// its entries in a journal.
func syncDir(string) error { return nil }

func noLink(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_FUNCTION) ||
		errors.Is(err, windows.ERROR_NOT_SUPPORTED) ||
		errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) ||
		errors.Is(err, windows.ERROR_TOO_MANY_LINKS)
}

func freeSpace(dir string) int64 {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return -1
	}
	return int64(min(free, 1<<63-1))
}
