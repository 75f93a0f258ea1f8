package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Sink is the file a writer appends to. Write appends; Sync makes everything
// written durable. Neither keeps the bytes it is given.
type Sink interface {
	io.Writer
	Sync() error
}

// joinLimit is the most bytes of a frame that are gathered into one Write.
// Below it copying is cheaper than another system call.
const joinLimit = 32 << 10

var (
	errEmptyFrame = errors.New("wal: frame without changes")
	errSequence   = errors.New("wal: frame's sequences do not rise")
	errFinished   = errors.New("wal: append behind the trailer")
)

// FrameWriter appends frames to a file whose header somebody else writes. One
// goroutine at a time may use it.
//
// The first error is final: every later call returns it, and nothing is
// written or synced again. After a failed write the file's end is not known;
// after a failed sync the system may have dropped the pages, and a second sync
// that succeeds would prove nothing.
type FrameWriter struct {
	sink    Sink
	id      uint64
	offset  int64 // where the next frame goes
	synced  int64 // how much of the file is durable; at most offset
	lastSeq base.SeqNum
	done    bool // trailer written
	err     error

	buf  []byte // header and small pieces of the frame at hand
	hash xxhash.Digest
}

// NewFrameWriter returns a writer whose first frame goes to offset start of
// sink, everything before which is durable. id is random, not zero, and the
// same for all frames of the file; the first sequence must be above after.
func NewFrameWriter(sink Sink, id uint64, start int64, after base.SeqNum) *FrameWriter {
	return &FrameWriter{
		sink: sink, id: id, offset: start, synced: start, lastSeq: after,
		buf: make([]byte, 0, joinLimit),
	}
}

// Append writes one frame whose payload is the pieces one behind the other.
// A frame up to 32 KiB is one Write; large pieces go to the sink as they are.
// The pieces are not kept. It allocates nothing.
func (w *FrameWriter) Append(f Frame, payload ...[]byte) error {
	if w.err != nil {
		return w.err
	}
	switch {
	case f.Count == 0:
		return w.fail(errEmptyFrame)
	case f.First <= w.lastSeq || f.First > base.SeqMax || f.Last() > base.SeqMax:
		return w.fail(errSequence)
	}
	if err := w.write(kindData, f, payload); err != nil {
		return err
	}
	w.lastSeq = f.Last()
	return nil
}

// Finish writes the trailer. The caller then calls Sync; nothing can be
// appended any more.
func (w *FrameWriter) Finish(clock int64) error {
	if w.err != nil {
		return w.err
	}
	if err := w.write(kindTrailer, Frame{First: w.lastSeq, Clock: clock}, nil); err != nil {
		return err
	}
	w.done = true
	return nil
}

// Sync makes every frame appended so far durable. It does nothing if they are.
func (w *FrameWriter) Sync() error {
	if w.err != nil || w.synced == w.offset {
		return w.err
	}
	if err := w.sink.Sync(); err != nil {
		return w.fail(fmt.Errorf("wal: sync: %w", err))
	}
	w.synced = w.offset
	return nil
}

// SyncedTo notes that the first n bytes of the file, all written by w, are durable
// because somebody else has synced it.
func (w *FrameWriter) SyncedTo(n int64) { w.synced = max(w.synced, min(n, w.offset)) }

// Offset returns where the next frame goes: the bytes written so far.
func (w *FrameWriter) Offset() int64 { return w.offset }

// Synced returns how many bytes are durable.
func (w *FrameWriter) Synced() int64 { return w.synced }

// LastSeq returns the last sequence appended.
func (w *FrameWriter) LastSeq() base.SeqNum { return w.lastSeq }

// Err returns the first error, nil if there was none.
func (w *FrameWriter) Err() error { return w.err }

func (w *FrameWriter) write(kind frameKind, f Frame, payload [][]byte) error {
	if w.done {
		return w.fail(errFinished)
	}
	var length int64
	for _, p := range payload {
		length += int64(len(p))
	}
	h := frameHeader{
		kind: kind, seq: f.First, offset: w.offset, id: w.id, length: length,
		clock: f.Clock, synced: w.synced, count: f.Count,
	}
	w.buf = w.buf[:FrameHeaderSize]
	h.put(w.buf, w.payloadHash(payload))
	for _, p := range payload {
		if len(w.buf)+len(p) <= joinLimit {
			w.buf = append(w.buf, p...)
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
		if len(p) < joinLimit {
			w.buf = append(w.buf, p...)
		} else if err := w.put(p); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.offset += FrameSize(length)
	return nil
}

func (w *FrameWriter) payloadHash(payload [][]byte) uint64 {
	if len(payload) == 1 {
		return xxhash.Sum64(payload[0])
	}
	w.hash.Reset()
	for _, p := range payload {
		_, _ = w.hash.Write(p)
	}
	return w.hash.Sum64()
}

// flush writes what was gathered.
func (w *FrameWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.put(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *FrameWriter) put(b []byte) error {
	n, err := w.sink.Write(b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.fail(fmt.Errorf("wal: append: %w", err))
	}
	return nil
}

func (w *FrameWriter) fail(err error) error {
	w.err = err
	return err
}
