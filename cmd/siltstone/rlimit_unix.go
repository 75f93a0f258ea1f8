//go:build unix

package main

import "syscall"

// openFilesLimit returns how many files a process may have open here.
func openFilesLimit() (uint64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}
