package feed

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/wal"
)

// Source is where readers of one store find its changes.
type Source struct {
	Dir  storedir.Dir
	Logs Logs
	Quit <-chan struct{} // closed when the store ends
	// At returns the position behind a sequence.
	At func(base.SeqNum) changes.Position
	// Keyspace returns the name of a keyspace that no note has named; false if there is
	// none of that number any more.
	Keyspace func(number uint32) (name string, ok bool)
	// Failed returns the error of a reader whose log has failed or was closed.
	Failed func(error) error
}

// Options say what a reader is shown.
type Options struct {
	After  base.SeqNum
	NoWait bool // ends with what is durable at the beginning

	InKeyspace   bool // shows those of one keyspace alone
	Keyspace     string
	Lower, Upper []byte // of keys; nil: open
}

// Read shows changes until yield returns false, ctx or the store ends, or with
// o.NoWait there are no more. An error is the last item.
func (s *Source) Read(ctx context.Context, o Options, yield func(changes.Change, error) bool) {
	r := &reader{Source: s, ctx: ctx, seq: o.After, show: shower{Options: o, yield: yield}}
	r.names = map[uint32]string{}
	if err := r.run(); err != nil && !r.show.stopped {
		yield(changes.Change{}, err)
	}
}

// ReadCommits shows commits as the log holds them, as Read shows changes. Of the options
// After and NoWait count.
func (s *Source) ReadCommits(ctx context.Context, o Options, yield func(changes.Commit, error) bool) {
	r := &reader{Source: s, ctx: ctx, seq: o.After, show: shower{Options: o}, raw: yield}
	if err := r.run(); err != nil && !r.show.stopped {
		yield(changes.Commit{}, err)
	}
}

// reader is one Read.
type reader struct {
	*Source
	ctx  context.Context
	show shower
	raw  func(changes.Commit, error) bool // if set, is shown commits, and show nothing
	decoder

	seq    base.SeqNum // of the last operation that was read
	log    base.FileNum
	offset int64       // in log: behind what was read
	last   base.SeqNum // before offset

	piece []frame
	buf   []byte // their payloads, but for large ones
}

// frame is a frame that was read and is to be shown.
type frame struct {
	wal.Frame
	payload  []byte // of a large one
	from, to int    // in buf
}

// pieceBytes is about how many bytes of frames are read before the file is closed.
const pieceBytes = 1 << 20

func (r *reader) run() error {
	for {
		front, moved, failed := r.Logs.Front()
		for more := true; more; {
			if err := r.ctx.Err(); err != nil {
				return context.Cause(r.ctx)
			}
			var err error
			if more, err = r.read(front); err != nil {
				return err
			}
			if err := r.showPiece(); err != nil || r.show.stopped {
				return err
			}
		}
		switch {
		case failed != nil:
			return r.Failed(failed)
		case r.show.NoWait:
			return nil
		}
		select {
		case <-moved:
		case <-r.Quit:
			return base.ErrClosed
		case <-r.ctx.Done():
		}
	}
}

// read reads some frames in front of the front. more is false if there are no others.
func (r *reader) read(front commitlog.Front) (more bool, err error) {
	r.piece, r.buf = r.piece[:0], r.buf[:0]
	logs, end, err := r.Logs.Logs()
	if err != nil || r.seq >= end {
		return false, err
	}
	i := len(logs) - 1
	for i >= 0 && (logs[i].Before > r.seq || logs[i].Number > front.Log) {
		i--
	}
	if i < 0 && len(logs) > 0 && logs[0].Before <= r.seq {
		return false, nil // what was the front has been read and is not kept any more
	}
	if i < 0 {
		return false, r.tooOld(logs, end)
	}
	l := logs[i]
	if r.log != l.Number || r.offset == wal.HeaderSize {
		r.log, r.offset, r.last = l.Number, wal.HeaderSize, l.First
	}
	inUse := l.Number == front.Log
	if inUse && r.offset >= front.Offset {
		return false, nil
	}
	rd, file, err := r.open(l, front, inUse)
	if err != nil || file == nil {
		return err == nil, err
	}
	defer file.Close()
	err = r.frames(rd)
	r.offset, r.last = rd.End(), rd.LastSeq()
	switch {
	case err == nil:
		return true, nil
	case err != io.EOF && !errors.Is(err, wal.ErrTorn):
		return false, err
	case inUse && r.offset < front.Offset:
		return false, base.Corruptf(base.Filename(base.FileLog, l.Number), r.offset, "log ends here, and is durable up to %d", front.Offset)
	case inUse:
		return false, nil
	case r.last != behind(logs, i, end):
		return false, base.Corruptf(base.Filename(base.FileLog, l.Number), r.offset, "log ends here with sequence %d, which is not where what follows begins", r.last)
	}
	r.seq = max(r.seq, r.last)
	return true, nil
}

// behind returns the last sequence of a log that is not in use. The log behind it says
// so, or, where there is none, what the store says of itself.
func behind(logs []commitlog.KeptLog, i int, end base.SeqNum) base.SeqNum {
	if i+1 < len(logs) {
		return logs[i+1].Before
	}
	return end
}

// tooOld returns the error of a reader that wants what is not kept any more.
func (r *reader) tooOld(logs []commitlog.KeptLog, end base.SeqNum) error {
	e := &changes.TooOldError{Oldest: r.At(end)} // without a log only what is still to come
	if len(logs) > 0 {
		e.Oldest = r.At(logs[0].Before)
	}
	return e
}

// open opens a log where the reader stands. file is nil if the log was removed meanwhile.
func (r *reader) open(l commitlog.KeptLog, front commitlog.Front, inUse bool) (rd *wal.FrameReader, file io.Closer, err error) {
	name := base.Filename(base.FileLog, l.Number)
	f, err := r.Dir.FS.Open(r.Dir.Join(name))
	if errors.Is(err, fs.ErrNotExist) {
		if r.Logs.Missing(l.Number) {
			return nil, nil, base.Corruptf(name, -1, "log is missing")
		}
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	size := front.Offset
	if !inUse {
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		size = st.Size()
	}
	return wal.NewFrameReader(f, size, name, l.LogID, r.offset, r.last), f, nil
}

// frames reads frames up to a piece, without those that are to be passed over.
func (r *reader) frames(rd *wal.FrameReader) error {
	for held := 0; held < pieceBytes; {
		f, payload, err := rd.Next()
		if err != nil {
			return err
		}
		r.seq = max(r.seq, f.Last())
		if f.Last() <= r.show.After {
			continue
		}
		held += len(payload) + wal.FrameHeaderSize
		if len(payload) >= pieceBytes {
			rd.Keep()
			r.piece = append(r.piece, frame{Frame: f, payload: payload})
			continue
		}
		from := len(r.buf)
		r.buf = append(r.buf, payload...)
		r.piece = append(r.piece, frame{Frame: f, from: from, to: len(r.buf)})
	}
	return nil
}

// showPiece shows what was read.
func (r *reader) showPiece() error {
	for i := range r.piece {
		f := &r.piece[i]
		payload := f.payload
		if payload == nil {
			payload = r.buf[f.from:f.to]
		}
		if err := r.showFrame(f.Frame, payload); err != nil {
			if errors.Is(err, base.ErrCorruption) {
				err = base.Corruptf(base.Filename(base.FileLog, r.log), f.Offset, "%w", err)
			}
			return err
		}
		if r.show.stopped {
			return nil
		}
	}
	return nil
}
