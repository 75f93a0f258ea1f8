//go:build unix

package storedir

import "syscall"

// OpenFiles returns how many files the process may have open; 0 if that is not known. The
// runtime of Go has raised it as far as the system allows.
func OpenFiles() int64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int64(min(uint64(l.Cur), 1<<30))
}
