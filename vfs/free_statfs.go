//go:build linux || darwin || freebsd || dragonfly

package vfs

import "golang.org/x/sys/unix"

func freeSpace(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return -1
	}
	// The fields have another width and sign on each system.
	blocks, size := int64(st.Bavail), int64(st.Bsize)
	if blocks <= 0 || size <= 0 {
		return 0
	}
	if blocks > maxInt64/size {
		return maxInt64
	}
	return blocks * size
}

const maxInt64 = 1<<63 - 1
