package vfs

import "errors"

// IsNoSpace reports whether err says that the disk is full or a quota is used
// up. It sees through wrapping. Freeing space may make the operation succeed.
func IsNoSpace(err error) bool {
	return err != nil && (errors.Is(err, ErrNoSpace) || osNoSpace(err))
}
