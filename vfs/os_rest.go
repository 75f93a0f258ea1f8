//go:build !unix && !windows

package vfs

import "errors"

func syncDir(string) error { return nil }

func noLink(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

func freeSpace(string) int64 { return -1 }
