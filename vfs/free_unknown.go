//go:build unix && !linux && !darwin && !freebsd && !dragonfly

package vfs

func freeSpace(string) int64 { return -1 }
