package wal

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
)

var errNotStarted = errors.New("wal: append before the log was started")

// Writer writes one log. One goroutine at a time may use it.
//
// The first error is final: every later call returns it, and nothing is written
// or synced again.
type Writer struct {
	header  Header
	started bool
	frames  FrameWriter
}

// NewWriter returns a writer of the log h describes to sink, which stands at
// its beginning. Nothing is written before Start; the file is prepared only,
// and counts as no log.
func NewWriter(sink Sink, h Header) *Writer {
	return &Writer{header: h, frames: *NewFrameWriter(sink, h.LogID, 0, h.LastSeq)}
}

// Start writes the header and makes it durable: the log is active. The
// predecessor's trailer must be durable, and so must the file's name. As the
// header is durable before any frame is written, a frame behind a bad header
// proves damage.
func (w *Writer) Start() error {
	if w.frames.err != nil || w.started {
		return w.frames.err
	}
	if err := w.header.check(); err != nil {
		return w.frames.fail(err)
	}
	buf := w.frames.buf[:HeaderSize]
	w.header.put(buf)
	if err := w.frames.put(buf); err != nil {
		return err
	}
	w.frames.offset = HeaderSize
	if err := w.frames.Sync(); err != nil {
		return err
	}
	w.started = true
	return nil
}

// Append writes one frame whose payload is the pieces one behind the other.
// Sequences must rise from frame to frame. A frame up to 32 KiB is one Write to
// the sink; large pieces go there as they are. The pieces are not kept. It
// allocates nothing.
func (w *Writer) Append(f Frame, payload ...[]byte) error {
	if !w.started {
		return w.notStarted()
	}
	return w.frames.Append(f, payload...)
}

// Sync makes every frame appended so far durable. It does nothing if they are.
func (w *Writer) Sync() error { return w.frames.Sync() }

// SyncedTo is FrameWriter.SyncedTo.
func (w *Writer) SyncedTo(n int64) { w.frames.SyncedTo(n) }

// Finish writes the trailer; clock is the store's, ms since 1970. The log is
// finished once the caller's Sync returned, and Successor is then what the next
// log's header says about it.
func (w *Writer) Finish(clock int64) error {
	if !w.started {
		return w.notStarted()
	}
	return w.frames.Finish(clock)
}

// Successor returns what the header of the next log says of this one. ok is
// false unless the trailer is written and durable.
func (w *Writer) Successor() (p Predecessor, ok bool) {
	f := &w.frames
	if f.err != nil || !f.done || f.synced != f.offset {
		return p, false
	}
	return Predecessor{Number: w.header.Number, LogID: w.header.LogID, End: f.offset, LastSeq: f.lastSeq}, true
}

// Header returns the header the writer was made with.
func (w *Writer) Header() Header { return w.header }

// Offset returns where the next frame goes: the bytes written so far.
func (w *Writer) Offset() int64 { return w.frames.offset }

// Synced returns how many bytes are durable.
func (w *Writer) Synced() int64 { return w.frames.synced }

// LastSeq returns the last sequence appended, Header.LastSeq if there is none.
func (w *Writer) LastSeq() base.SeqNum { return w.frames.lastSeq }

// Err returns the first error, nil if there was none.
func (w *Writer) Err() error { return w.frames.err }

func (w *Writer) notStarted() error {
	if w.frames.err == nil {
		w.frames.err = errNotStarted
	}
	return w.frames.err
}
