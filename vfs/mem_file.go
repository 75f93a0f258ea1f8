package vfs

import (
	"io"
	"io/fs"
	"path"
	"sync/atomic"
)

// memFile is an open file of a Mem. As File has it: ReadAt may run beside
// everything, the rest needs one caller.
type memFile struct {
	fs       *Mem
	node     *memNode
	name     string
	writable bool
	closed   atomic.Bool

	pos int64 // the one caller's
}

// check returns nil if op may go on.
func (f *memFile) check(op string, write bool) error {
	switch {
	case f.closed.Load():
		return f.failed(op, fs.ErrClosed)
	case write && !f.writable:
		return f.failed(op, fs.ErrPermission)
	}
	return nil
}

func (f *memFile) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, f.failed("read", fs.ErrInvalid)
	}
	f.node.mu.RLock()
	n := f.node.content.readAt(p, off)
	f.node.mu.RUnlock()
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil // not even a hole is made
	}
	if f.pos > maxMemFile-int64(len(p)) {
		return 0, f.failed("write", ErrNoSpace)
	}
	f.node.mu.Lock()
	n := f.node.charge(&f.fs.space, f.pos, len(p))
	f.node.content.writeAt(p[:n], f.pos)
	f.node.mu.Unlock()
	f.pos += int64(n)
	if n < len(p) {
		return n, f.failed("write", ErrNoSpace)
	}
	return n, nil
}

// charge pays for n bytes at off and returns how many of them are paid for.
func (n *memNode) charge(space *memSpace, off int64, size int) int {
	c := &n.content
	missing := off + int64(size) - c.charged
	if missing <= 0 {
		return size
	}
	got := space.take(missing)
	c.charged += got
	return int(min(max(c.charged-off, 0), int64(size)))
}

func (f *memFile) Allocate(size int64) error {
	if err := f.check("allocate", true); err != nil {
		return err
	}
	if size < 0 {
		return f.failed("allocate", fs.ErrInvalid)
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	c := &f.node.content
	if missing := size - c.charged; missing > 0 {
		if got := f.fs.space.take(missing); got < missing {
			f.fs.space.give(got)
			return f.failed("allocate", ErrNoSpace)
		}
		c.charged = size
	}
	c.size = max(c.size, size)
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return f.failed("truncate", fs.ErrInvalid)
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	c := &f.node.content
	if c.charged > size {
		f.fs.space.give(c.charged - size)
		c.charged = size
	}
	c.truncate(size)
	f.pos = min(f.pos, size)
	return nil
}

func (f *memFile) Sync() error { return f.check("sync", false) }

func (f *memFile) Stat() (fs.FileInfo, error) {
	if err := f.check("stat", false); err != nil {
		return nil, err
	}
	return f.node.info(path.Base(f.name)), nil
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return f.failed("close", fs.ErrClosed)
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	delete(f.fs.open, f)
	f.fs.unopen(f.node)
	return nil
}

// memContent is the bytes of a file in chunks of chunkSize. A chunk may be
// missing or shorter than its part of the file: the rest reads as zeros.
type memContent struct {
	size    int64
	charged int64 // bytes taken from the capacity, as a length from the start
	chunks  [][]byte
}

const (
	chunkSize  = 64 << 10
	maxMemFile = 1 << 40 // keeps the number of chunks an int, and sane
)

func (c *memContent) readAt(p []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	if int64(len(p)) > c.size-off {
		p = p[:c.size-off]
	}
	for rest := p; len(rest) > 0; {
		i, at := off/chunkSize, int(off%chunkSize)
		part := rest[:min(len(rest), chunkSize-at)]
		copied := 0
		if i < int64(len(c.chunks)) && at < len(c.chunks[i]) {
			copied = copy(part, c.chunks[i][at:])
		}
		clear(part[copied:])
		rest = rest[len(part):]
		off += int64(len(part))
	}
	return len(p)
}

func (c *memContent) writeAt(p []byte, off int64) {
	for len(p) > 0 {
		i, at := int(off/chunkSize), int(off%chunkSize)
		for i >= len(c.chunks) {
			c.chunks = append(c.chunks, nil)
		}
		part := p[:min(len(p), chunkSize-at)]
		c.chunks[i] = growChunk(c.chunks[i], i, at, at+len(part))
		copy(c.chunks[i][at:], part)
		p = p[len(part):]
		off += int64(len(part))
	}
	c.size = max(c.size, off)
}

// growChunk returns chunk i with room for the bytes from at to end. What it
// gains in front of at is zeros, what lay in its spare room is not shown.
func growChunk(chunk []byte, i, at, end int) []byte {
	if end <= len(chunk) {
		return chunk
	}
	old := len(chunk)
	if end > cap(chunk) {
		room := chunkSize // a file that has filled a chunk will fill more
		if i == 0 {
			for room = 512; room < end; room *= 2 {
			}
		}
		grown := make([]byte, end, room)
		copy(grown, chunk)
		return grown
	}
	chunk = chunk[:end]
	if at > old {
		clear(chunk[old:at])
	}
	return chunk
}

func (c *memContent) truncate(size int64) {
	whole, rest := size/chunkSize, size%chunkSize
	keep := whole
	if rest > 0 {
		keep++
	}
	if keep < int64(len(c.chunks)) {
		clear(c.chunks[keep:])
		c.chunks = c.chunks[:keep]
	}
	if whole < int64(len(c.chunks)) {
		c.chunks[whole] = c.chunks[whole][:min(len(c.chunks[whole]), int(rest))]
	}
	c.size = size
}
