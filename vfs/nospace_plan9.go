package vfs

import "errors"

// ErrNoSpace is what Mem returns when its capacity is used up: ENOSPC where the
// system has such a number. Ask IsNoSpace, which knows the other numbers too.
var ErrNoSpace = errors.New("no space left on device")

func osNoSpace(error) bool { return false }
