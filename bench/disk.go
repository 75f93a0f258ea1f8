package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// diskUse returns the bytes that the files under dir take on disk: blocks, not
// lengths, so that sparse and preallocated files count for what they are.
func diskUse(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // deleted meanwhile
		}
		sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	})
	return sum, err
}

// written returns the bytes this process has written to files: the larger of
// what it gave to write calls and what the kernel saw it make dirty, as some
// engines write through a mapping.
func written() (int64, error) {
	calls, err := procField("/proc/self/io", "wchar:")
	if err != nil {
		return 0, err
	}
	dirtied, err := procField("/proc/self/io", "write_bytes:")
	return max(calls, dirtied), err
}

// peakMemory returns the largest resident size of this process since
// resetPeakMemory, mapped pages of files included.
func peakMemory() (int64, error) {
	kib, err := procField("/proc/self/status", "VmHWM:")
	return kib << 10, err
}

// resident returns the largest resident size since it was called last, and begins anew.
func (b *bed) resident() (int64, error) {
	peak, err := peakMemory()
	b.peak = max(b.peak, peak)
	resetPeakMemory()
	return peak, err
}

// resetPeakMemory forgets the peak so far. Where the kernel does not allow it,
// the peak is that of the whole process.
func resetPeakMemory() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// procField returns the number behind a name in a file of /proc.
func procField(file, name string) (int64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == name {
			return strconv.ParseInt(string(fields[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s", file, name)
}
