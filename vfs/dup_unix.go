//go:build unix && !aix

package vfs

import "golang.org/x/sys/unix"

const dupAbove = unix.F_DUPFD_CLOEXEC
