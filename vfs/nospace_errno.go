//go:build !plan9 && !windows

package vfs

import (
	"errors"
	"syscall"
)

// ErrNoSpace is what Mem returns when its capacity is used up: ENOSPC where the
// system has such a number. Ask IsNoSpace, which knows the other numbers too.
var ErrNoSpace error = syscall.ENOSPC

func osNoSpace(err error) bool { return errors.Is(err, syscall.EDQUOT) }
