//go:build unix

package raftstore

import (
	"io/fs"
	"sync"
	"syscall"

	"github.com/siltstonedb/siltstone/vfs"
)

// space is the system's file system with a bound: so many bytes more may be written. What
// is removed or cut gives its bytes back. It is safe for concurrent use.
type space struct {
	vfs.FS

	mu   sync.Mutex
	left int64 // negative: no bound

	refused int // writes for which there was no space
}

func newSpace(left int64) *space { return &space{FS: vfs.OS, left: left} }

// set sets how many bytes may be written from now on; negative: any number.
func (s *space) set(left int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = left
}

// take takes up to n bytes and returns how many there were.
func (s *space) take(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < 0 {
		return n
	}
	if n > s.left {
		n = s.left
		s.refused++
	}
	s.left -= n
	return n
}

// refusals returns how many writes there was no space for.
func (s *space) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *space) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left >= 0 {
		s.left += n
	}
}

func (s *space) Free(dir string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left < 0 {
		return s.FS.Free(dir)
	}
	return s.left
}

func (s *space) Create(name string) (vfs.File, error) {
	f, err := s.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return &spaceFile{File: f, of: s}, nil
}

func (s *space) OpenWrite(name string) (vfs.File, error) {
	f, err := s.FS.OpenWrite(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &spaceFile{File: f, of: s, at: info.Size(), size: info.Size()}, nil
}

func (s *space) Remove(name string) error {
	info, err := s.Stat(name)
	if err != nil {
		return err
	}
	if err := s.FS.Remove(name); err != nil {
		return err
	}
	if last(info) {
		s.give(info.Size())
	}
	return nil
}

// last reports whether a file has one name.
func last(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && st.Nlink == 1
}

// spaceFile is a file that was opened for writing. mu is for Allocate, which may run
// beside Sync alone, and for nothing else that changes the length.
type spaceFile struct {
	vfs.File
	of       *space
	at, size int64
}

// grow takes what a length of n needs, and returns the length that there is space for.
func (f *spaceFile) grow(n int64) int64 {
	if n > f.size {
		f.size += f.of.take(n - f.size)
	}
	return min(n, f.size)
}

func (f *spaceFile) Write(p []byte) (int, error) {
	fits := f.grow(f.at+int64(len(p))) - f.at
	n, err := f.File.Write(p[:fits])
	f.at += int64(n)
	if err == nil && n < len(p) {
		err = vfs.ErrNoSpace
	}
	return n, err
}

func (f *spaceFile) Allocate(size int64) error {
	if before := f.size; f.grow(size) < size {
		f.of.give(f.size - before)
		f.size = before
		return vfs.ErrNoSpace
	}
	return f.File.Allocate(size)
}

func (f *spaceFile) Truncate(size int64) error {
	if f.grow(size) < size {
		return vfs.ErrNoSpace
	}
	f.of.give(f.size - size)
	f.size, f.at = size, min(f.at, size)
	return f.File.Truncate(size)
}
