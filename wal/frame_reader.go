package wal

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// FrameReader reads the frames of a file one after the other. Any bytes are
// safe to read: memory is bounded by the file's size. One goroutine at a time
// may use it.
type FrameReader struct {
	file     window
	id       uint64
	end      int64
	lastSeq  base.SeqNum
	complete bool
	err      error // what ended the reading; final
}

// NewFrameReader returns a reader of the frames with the given id that stand
// in r from start on; size is the file's length and name what errors call it.
// The first sequence must be above after.
func NewFrameReader(r io.ReaderAt, size int64, name string, id uint64, start int64, after base.SeqNum) *FrameReader {
	return &FrameReader{file: window{r: r, size: size, name: name}, id: id, end: start, lastSeq: after}
}

// ErrTorn is what a TornError is to errors.Is.
var ErrTorn = errors.New("wal: torn tail")

// TornError says that a file ends in bytes that are no whole frame and that
// nothing proves to have ever been durable: what a power cut leaves of the last
// writes. What was read before stands.
type TornError struct {
	File   string
	Offset int64 // behind the last good frame
	Bytes  int64 // from there to the last byte that is not zero
	Err    error // what is wrong with the first of them
}

func (e *TornError) Error() string {
	return fmt.Sprintf("wal: torn tail in %s: %d bytes at offset %d: %v", e.File, e.Bytes, e.Offset, e.Err)
}

func (e *TornError) Unwrap() error { return e.Err }

// Is makes every TornError match ErrTorn.
func (e *TornError) Is(target error) bool { return target == ErrTorn }

// Next returns the next frame and its payload, which is borrowed until the next
// call. At the end the error says how the file ends:
//
//   - io.EOF: at a trailer (Complete says so), or where nothing but zeros
//     follows a whole frame.
//   - a *TornError: in bytes that were never known to be durable.
//   - a *base.CorruptionError: in bytes that a later frame proves to have been
//     durable, or in a frame that verifies and does not follow.
//   - any other: the file could not be read, which says nothing of its end.
//
// Every later call returns the same error.
func (r *FrameReader) Next() (Frame, []byte, error) {
	if r.err != nil {
		return Frame{}, nil, r.err
	}
	f, payload, err := r.next()
	if err != nil {
		var bad badFrame
		if errors.As(err, &bad) {
			err = r.judge(bad)
		}
		r.err = err
		return Frame{}, nil, err
	}
	return f, payload, nil
}

// Keep makes the payload of the last Next the caller's, for ever. It is for large
// ones: the reader goes on with new memory.
func (r *FrameReader) Keep() { r.file.buf = nil }

// Adopt takes over the memory of another reader, if that is more than r has. The
// other one has read its last frame, and its payload is wanted no longer.
func (r *FrameReader) Adopt(done *FrameReader) {
	if cap(done.file.buf) <= cap(r.file.buf) {
		return
	}
	r.file.buf = append(done.file.buf[:0], r.file.buf...)
	done.file.buf = nil
}

// Complete reports whether the trailer was read.
func (r *FrameReader) Complete() bool { return r.complete }

// End returns the offset behind the last good frame, the trailer included.
func (r *FrameReader) End() int64 { return r.end }

// LastSeq returns the last sequence read so far.
func (r *FrameReader) LastSeq() base.SeqNum { return r.lastSeq }

// badFrame says why the bytes at the reader's end are no frame that may follow.
type badFrame string

func (b badFrame) Error() string { return string(b) }

const (
	badHeader   badFrame = "frame header does not verify"
	badID       badFrame = "frame of another file"
	badCut      badFrame = "frame is cut short"
	badPayload  badFrame = "frame payload does not verify"
	badSequence badFrame = "frame's sequences do not follow"
	badTrailer  badFrame = "trailer does not match the frames"
)

func (r *FrameReader) next() (Frame, []byte, error) {
	rest := r.file.size - r.end
	if rest < FrameHeaderSize {
		return Frame{}, nil, badCut
	}
	b, err := r.file.at(r.end, FrameHeaderSize)
	if err != nil {
		return Frame{}, nil, err
	}
	h, ok := decodeFrameHeader(b, r.end)
	switch {
	case !ok:
		return Frame{}, nil, badHeader
	case h.id != r.id:
		return Frame{}, nil, badID
	case h.length > rest-FrameHeaderSize:
		return Frame{}, nil, badCut
	case h.length > math.MaxInt-FrameHeaderSize:
		return Frame{}, nil, fmt.Errorf("wal: frame of %d bytes at %d in %s does not fit this machine's memory", h.length, r.end, r.file.name)
	}
	b, err = r.file.at(r.end, FrameHeaderSize+int(h.length))
	if err != nil {
		return Frame{}, nil, err
	}
	payload := b[FrameHeaderSize:]
	if xxhash.Sum64(payload) != h.payloadSum {
		return Frame{}, nil, badPayload
	}
	if h.kind == kindTrailer {
		return Frame{}, nil, r.trailer(h)
	}
	f := Frame{First: h.seq, Count: h.count, Clock: h.clock, Offset: r.end}
	if f.First <= r.lastSeq || f.Count == 0 || f.Last() > base.SeqMax {
		return Frame{}, nil, badSequence
	}
	r.end += FrameSize(h.length)
	r.lastSeq = f.Last()
	return f, payload, nil
}

func (r *FrameReader) trailer(h frameHeader) error {
	if h.length != 0 || h.count != 0 || h.seq != r.lastSeq {
		return badTrailer
	}
	r.end += FrameHeaderSize
	r.complete = true
	return io.EOF
}

// judge decides what bytes at the reader's end mean that are no frame. A frame that
// verifies and does not follow is damage: no cut makes one, for a writer puts each
// frame where the one before it ends.
func (r *FrameReader) judge(bad badFrame) error {
	if bad == badSequence || bad == badTrailer {
		return base.Corruptf(r.file.name, r.end, "%w, though it verifies", bad)
	}
	found, err := r.file.search(r.end, r.id)
	switch {
	case err != nil:
		return err
	case found.proof != nil:
		return base.Corruptf(r.file.name, r.end, "%w; the frame at %d proves that %d bytes had been durable",
			bad, found.proof.offset, found.proof.synced)
	case found.last == r.end:
		return io.EOF
	}
	return &TornError{File: r.file.name, Offset: r.end, Bytes: found.last - r.end, Err: bad}
}
