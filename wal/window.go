package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// window is the stretch of a file that is in memory. It moves forward as the
// reader does. One goroutine at a time may use it.
type window struct {
	r    io.ReaderAt
	size int64
	name string

	buf []byte // bytes of the file from off on
	off int64
}

// readAhead is the least a window reads at once, as far as the file goes.
const readAhead = 256 << 10

// growth is how many times what it holds a window reads more at once.
const growth = 15

// at returns n bytes of the file at off, borrowed until the next call.
// off+n is at most the file's size. Memory grows with what was really read, in
// large steps, for each copies what there is: at most n beyond the read-ahead.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off < w.off || off > w.off+int64(len(w.buf)) {
		w.off, w.buf = off, w.buf[:0]
	}
	skip := int(off - w.off)
	if n <= len(w.buf)-skip {
		return w.buf[skip : skip+n : skip+n], nil
	}
	w.buf = w.buf[:copy(w.buf, w.buf[skip:])]
	w.off = off
	for len(w.buf) < n {
		have := len(w.buf)
		step := max(n-have, readAhead)
		if step > 2*max(growth*have, readAhead) {
			step = max(growth*have, readAhead) // and not a little less than what is wanted
		}
		step = int(min(int64(step), w.size-off-int64(have)))
		w.buf = slices.Grow(w.buf, step)
		m, err := w.r.ReadAt(w.buf[have:have+step], off+int64(have))
		w.buf = w.buf[:have+m]
		if m == step && step > 0 || len(w.buf) >= n {
			continue
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("wal: read %s at %d: %w", w.name, off+int64(len(w.buf)), err)
	}
	return w.buf[:n:n], nil
}

// findings is what a search through the rest of a file found.
type findings struct {
	proof *frameHeader // says that bytes at from were durable; nil if none does
	last  int64        // offset behind the last byte that is not zero; from if all are
}

// search looks through the file from the bad bytes at from on, for a frame
// header that vouches for them: one that stands at the offset it names, at any
// alignment, and was written when more than from bytes were durable. With an id
// of 0 the frames of any log will do.
func (w *window) search(from int64, id uint64) (findings, error) {
	found := findings{last: from}
	for at := from; at < w.size; {
		n := int(min(w.size-at, readAhead))
		b, err := w.at(at, n)
		if err != nil {
			return found, err
		}
		if k := trimZeros(b); k > 0 {
			found.last = at + int64(k)
		}
		for i := nextCandidate(b, 0, at, id); i >= 0; i = nextCandidate(b, i+1, at, id) {
			h, ok := decodeFrameHeader(b[i:], at+int64(i))
			if ok && h.synced > from {
				found.proof = &h
				return found, nil
			}
		}
		if at+int64(n) == w.size {
			break
		}
		at += int64(n) - FrameHeaderSize + 1
	}
	return found, nil
}

// nextCandidate returns the first place in b, at or behind from, where a frame
// header may stand: by the log's id if that is known, else by the offset, which
// the header of a frame at that place has to name. −1 if there is none. b is
// the file's content at offset at.
func nextCandidate(b []byte, from int, at int64, id uint64) int {
	if id != 0 {
		var want [8]byte
		binary.LittleEndian.PutUint64(want[:], id)
		if len(b)-from < FrameHeaderSize {
			return -1
		}
		// A header that begins in b ends in b: its id does so 40 bytes earlier.
		k := bytes.Index(b[from+idAt:len(b)-FrameHeaderSize+idAt+8], want[:])
		if k < 0 {
			return -1
		}
		return from + k
	}
	for i := from; i+FrameHeaderSize <= len(b); i++ {
		v := binary.LittleEndian.Uint64(b[i+8:])
		if v == uint64(at)+uint64(i) {
			return i
		}
		// Files prepared ahead are mostly zeros; a header begins with its kind,
		// which is not.
		if v == 0 && i+len(zeros) <= len(b) && bytes.Equal(b[i:i+len(zeros)], zeros[:]) {
			i += len(zeros) - 1
		}
	}
	return -1
}

// trimZeros returns the length of b without the zeros at its end.
func trimZeros(b []byte) int {
	n := len(b)
	for n >= len(zeros) && bytes.Equal(b[n-len(zeros):n], zeros[:]) {
		n -= len(zeros)
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return n
}

var zeros [512]byte
