package beside

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// log is what was read of a log. It does not change: what comes later makes another.
type log struct {
	number   base.FileNum
	header   wal.Header
	parts    []part // oldest first
	end      int64  // of what was read
	lastSeq  base.SeqNum
	clock    int64
	complete bool  // the trailer was read: nothing follows
	synced   int64 // how much of it is known to be durable
}

// part is a stretch of frames, as memtables.
type part struct {
	from, to int64
	after    base.SeqNum // the last one before it
	mems     []*readstate.Mem
}

func (p *part) bytes() int64 { return p.to - p.from }

func (l *log) name() string { return base.Filename(base.FileLog, l.number) }

func (l *log) found() wal.Found {
	return wal.Found{Number: l.number, HasHeader: true, Header: l.header, End: l.end, LastSeq: l.lastSeq, Complete: l.complete}
}

// openLogs are the logs of one attempt.
type openLogs struct {
	state  *manifest.State
	memory int64 // room of a memtable
	all    []openLog
}

// openLog is a log that counts, or a file that was prepared and has no header yet.
type openLog struct {
	number base.FileNum
	known  *log     // what was read of it before, or its header alone; nil if it has none
	file   vfs.File // nil if nothing is to be read any more
	size   int64
}

func (o *openLogs) close() {
	for _, l := range o.all {
		if l.file != nil {
			_ = l.file.Close() // it was read, and nothing of it written
		}
	}
}

// open opens a log of which known was read before. It is opened as one that could be
// written to, which it is not, for some systems sync no other.
func (o *openLogs) open(store storedir.Dir, n base.FileNum, known *log) error {
	l := openLog{number: n, known: known}
	if known != nil && known.complete && known.synced == known.end {
		o.all = append(o.all, l)
		return nil
	}
	name := base.Filename(base.FileLog, n)
	var err error
	if l.file, err = store.FS.OpenWrite(store.Join(name)); err != nil {
		return err
	}
	o.all = append(o.all, l)
	at := &o.all[len(o.all)-1]
	st, err := l.file.Stat()
	if err != nil {
		return err
	}
	at.size = st.Size()
	rd, err := wal.Open(l.file, at.size, name)
	switch {
	case errors.Is(err, wal.ErrNoHeader) && known == nil:
		return nil
	case errors.Is(err, wal.ErrNoHeader):
		return base.Corruptf(name, 0, "log has no header, and had one before")
	case err != nil:
		return err
	}
	h := rd.Header()
	if known == nil {
		at.known = &log{number: n, header: h, end: wal.HeaderSize, lastSeq: h.LastSeq, clock: h.Clock, synced: wal.HeaderSize}
	} else if known.header != h {
		return base.Corruptf(name, 0, "log has another header than before")
	}
	return nil
}

// read reads the logs on to their ends, judges them as a chain and syncs the newest.
func (o *openLogs) read(ctx context.Context, f *Found) error {
	f.logs = []*log{}
	var found []wal.Found
	var newest *openLog
	for i := range o.all {
		at := &o.all[i]
		if at.known == nil {
			// Its length was durable before the log before it got its trailer, and before
			// an edit named it.
			wanted := at.number == o.state.MinLog || len(found) > 0 && found[len(found)-1].Complete
			if wanted && at.size < wal.HeaderSize {
				return base.Corruptf(base.Filename(base.FileLog, at.number), at.size, "log is cut short inside its header")
			}
			found = append(found, wal.Found{Number: at.number})
			continue
		}
		l := at.known
		if at.file != nil {
			var err error
			if l, err = o.readOn(ctx, at); err != nil {
				return err
			}
			newest = at
		}
		f.logs = append(f.logs, l)
		found = append(found, l.found())
		f.LastSeq, f.Clock = max(f.LastSeq, l.lastSeq, l.header.LastSeq), max(f.Clock, l.clock, l.header.Clock)
	}
	if _, err := wal.CheckChain(found, o.state.MinLog, o.state.DBID); err != nil {
		return err
	}
	if len(f.logs) == 0 {
		return nil
	}
	last := f.logs[len(f.logs)-1]
	if last.synced < last.end {
		if err := newest.file.Sync(); err != nil {
			return err
		}
	}
	for _, l := range f.logs {
		if l.synced != l.end { // then it was read in this attempt, and nobody else has it
			l.synced = l.end
		}
	}
	return nil
}

// readOn returns the log with what has come since it was read before.
func (o *openLogs) readOn(ctx context.Context, at *openLog) (*log, error) {
	l := *at.known
	l.parts = l.parts[:len(l.parts):len(l.parts)]
	p, rd, err := o.load(ctx, at, &l, l.end, l.lastSeq, at.size)
	if err != nil {
		return nil, err
	}
	l.end, l.lastSeq, l.complete = rd.End(), rd.LastSeq(), rd.Complete()
	if len(p.mems) == 0 {
		return &l, nil
	}
	// A part is joined with those before it that are not much larger.
	i, from := len(l.parts), p.from
	for i > 0 && l.parts[i-1].bytes() <= 2*(p.to-from) {
		i--
		from = l.parts[i].from
	}
	if i < len(l.parts) {
		to := p.to
		if p, _, err = o.load(ctx, at, &l, from, l.parts[i].after, to); err != nil {
			return nil, err
		}
		if p.to != to {
			return nil, base.Corruptf(l.name(), p.to, "ends here, and ended at %d when it was read before", to)
		}
	}
	l.parts = append(l.parts[:i:i], p)
	return &l, nil
}

// load reads the frames that stand between two offsets, or up to the first that is not
// whole.
func (o *openLogs) load(ctx context.Context, at *openLog, l *log, from int64, after base.SeqNum, limit int64) (part, *wal.FrameReader, error) {
	p := part{from: from, after: after}
	to := &recovery.Loader{MemtableBytes: o.memory, LogBytes: max(limit-from, 0), Full: func(m *readstate.Mem) error {
		p.mems = append(p.mems, m)
		return nil
	}}
	rd := wal.NewFrameReader(at.file, limit, l.name(), l.header.LogID, from, after)
	for {
		if err := ctx.Err(); err != nil {
			return p, nil, err
		}
		f, payload, err := rd.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, wal.ErrTorn) {
			break
		}
		if err != nil {
			return p, nil, err
		}
		if err := to.Frame(f, payload, false); err != nil {
			return p, nil, fmt.Errorf("%w (frame at offset %d of %s)", err, f.Offset, l.name())
		}
		l.clock = max(l.clock, f.Clock)
	}
	p.to = rd.End()
	return p, rd, to.Finish()
}
