//go:build !linux

package vfs

import "os"

func syncFile(f *os.File) error { return f.Sync() }

func adviseAhead(*os.File, bool) {}

func adviseWillNeed(*os.File, int64, int64) {}

func allocate(f *os.File, size int64) error { return growLength(f, size) }
