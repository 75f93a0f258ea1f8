package wal

import (
	"errors"
	"io"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
)

// OpenSalvage is Open for a log whose header may be damaged: the id is then that
// of the first frame there is, and Header is zero. It is ErrNoHeader if there is
// none.
func OpenSalvage(r io.ReaderAt, size int64, name string) (*Reader, error) {
	l, err := Open(r, size, name)
	if err == nil || errors.Is(err, base.ErrFormatTooNew) {
		return l, err
	}
	if !errors.Is(err, ErrNoHeader) && !errors.Is(err, base.ErrCorruption) {
		return nil, err
	}
	l = &Reader{FrameReader: FrameReader{file: window{r: r, size: size, name: name}}}
	if _, err := l.Resume(); err != nil {
		if err == io.EOF {
			err = ErrNoHeader
		}
		return nil, err
	}
	return l, nil
}

// Resume goes on behind what ended the reading, at the next frame that is whole
// and of this file, and returns how many bytes lie between. It is io.EOF if
// there is none. What is skipped may have been commits.
func (r *FrameReader) Resume() (skipped int64, err error) {
	from, last, id := r.end, r.lastSeq, r.id
	for at := from; r.file.size-at >= FrameHeaderSize; {
		n := int(min(r.file.size-at, readAhead))
		b, err := r.file.at(at, n)
		if err != nil {
			return 0, err
		}
		i := nextCandidate(b, 0, at, r.id)
		if i < 0 {
			at += int64(n) - FrameHeaderSize + 1
			continue
		}
		found, ok := at+int64(i), r.candidate(b[i:], at+int64(i))
		if ok {
			if _, _, err := r.next(); err == nil {
				r.end, r.lastSeq, r.err = found, last, nil
				return found - from, nil
			}
			r.end, r.lastSeq, r.id = from, last, id
		}
		at = found + 1
	}
	return 0, io.EOF
}

// candidate makes the reader stand at a frame that may begin with b.
func (r *FrameReader) candidate(b []byte, at int64) bool {
	h, ok := decodeFrameHeader(b, at)
	if !ok || h.kind != kindData || h.length > r.file.size-at-FrameHeaderSize || h.length > math.MaxInt-FrameHeaderSize {
		return false
	}
	if r.id == 0 {
		r.id = h.id
	}
	r.end = at
	return true
}
