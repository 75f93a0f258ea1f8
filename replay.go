package siltstone

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// replay brings the records of the logs that no flush has retired back into
// memtables, reading only, and then, unless the store is read-only, into tables.
// It belongs to Open.
type replay struct {
	db    *DB
	logs  []replayLog
	bytes int64 // of their files

	mem       *memtable.Builder // being filled
	mems      []*readstate.Mem  // full memtables, oldest first
	tables    []*manifest.Table
	nominated []manifest.IDRange

	lastSeq base.SeqNum
	records int64
	hashes  []replayedOp
}

type replayedOp struct {
	hash uint64
	op   record.Op
}

type replayLog struct {
	number base.FileNum
	file   vfs.File
	reader *wal.Reader
}

// open opens the logs that count, in the order of their numbers. A file without
// a header does not count: it was prepared and never activated.
func (r *replay) open(numbers []base.FileNum) error {
	state := r.db.set.State()
	for _, n := range numbers {
		if n < state.MinLog {
			continue
		}
		name := base.Filename(base.FileLog, n)
		f, err := r.db.dir.FS.Open(r.db.dir.Join(name))
		if err != nil {
			return err
		}
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return err
		}
		rd, err := wal.Open(f, st.Size(), name)
		if err != nil {
			f.Close()
			if errors.Is(err, wal.ErrNoHeader) {
				continue
			}
			return err
		}
		r.bytes += st.Size()
		r.logs = append(r.logs, replayLog{number: n, file: f, reader: rd})
		if n >= state.FileLimit {
			return base.Corruptf(name, -1, "manifest is older than the directory: number was never reserved")
		}
	}
	return nil
}

func (r *replay) close() {
	for _, l := range r.logs {
		l.file.Close()
	}
}

// run replays every log, then judges the logs as a chain. A torn end is fine in
// a log without a successor; everything else that is missing is damage.
func (r *replay) run() error {
	if len(r.logs) == 0 {
		return nil
	}
	begin := time.Now()
	var found []wal.Found
	for _, l := range r.logs {
		if err := r.log(l); err != nil {
			return err
		}
		found = append(found, l.reader.Found(l.number))
	}
	state := r.db.set.State()
	if _, err := wal.CheckChain(found, state.MinLog, state.DBID); err != nil {
		return err
	}
	r.seal()
	r.db.report.emit(Recovered{Logs: len(r.logs), Records: r.records, Duration: time.Since(begin)})
	return nil
}

// log replays one log up to its end or torn tail.
func (r *replay) log(l replayLog) error {
	r.db.clock.Advance(l.reader.Header().Clock)
	r.lastSeq = max(r.lastSeq, l.reader.Header().LastSeq)
	for {
		frame, payload, err := l.reader.Next()
		if err != nil {
			return r.end(l, err)
		}
		r.db.clock.Advance(frame.Clock)
		owned := len(payload) >= keepFrom
		if owned {
			l.reader.Keep()
		}
		if err := r.frame(frame, payload, owned); err != nil {
			return fmt.Errorf("%w (frame before offset %d of %s)", err, l.reader.End(), base.Filename(base.FileLog, l.number))
		}
	}
}

// end judges why a log's reader stopped.
func (r *replay) end(l replayLog, err error) error {
	var torn *wal.TornError
	if errors.As(err, &torn) {
		r.db.report.emit(TornTail{File: base.Filename(base.FileLog, l.number), Offset: torn.Offset, Bytes: torn.Bytes})
		return nil
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// keepFrom is the payload size from which replayed memtables reference what was
// read instead of copying it.
const keepFrom = 1 << 20

// frame inserts the operations of one commit group, which memory may reference if
// it is owned. The whole frame is decoded before any of it counts.
func (r *replay) frame(f wal.Frame, payload []byte, owned bool) error {
	r.hashes = r.hashes[:0]
	var bytes int64
	for rest := payload; len(rest) > 0; {
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return errors.Join(ErrCorruption, err)
		}
		rest = rest[n:]
		p := replayedOp{op: o}
		if o.Attr.Kind() != base.KindRangeDelete {
			p.hash = base.HashRow(o.Key)
		}
		r.hashes = append(r.hashes, p)
		bytes += int64(len(o.Key) + len(o.Value))
	}
	if len(r.hashes) != int(f.Count) {
		return fmt.Errorf("%w: frame has %d operations, its header says %d", ErrCorruption, len(r.hashes), f.Count)
	}
	r.room(len(r.hashes), bytes)
	for i := range r.hashes {
		readstate.Insert(r.mem, r.hashes[i].hash, r.hashes[i].op, f.First+base.SeqNum(i), owned)
	}
	r.records += int64(f.Count)
	r.lastSeq = max(r.lastSeq, f.Last())
	return nil
}

// room makes a memtable that the frame fits.
func (r *replay) room(ops int, bytes int64) {
	if r.mem != nil && r.mem.Fits(ops, bytes) {
		return
	}
	r.seal()
	size := max(r.db.opts.MemtableBytes, memtable.Footprint(ops, bytes))
	r.mem = memtable.NewBuilder(size, int(min(size, r.bytes)/usualRecord))
}

// usualRecord is about what a record takes of a memtable, with a small value.
const usualRecord = 256

// seal sets the full memtable aside.
func (r *replay) seal() {
	if r.mem == nil {
		return
	}
	r.mems = append(r.mems, &readstate.Mem{Table: r.mem.Table()})
	r.mem = nil
}

// flush writes what was replayed to tables and makes them durable. No edit names
// them yet.
func (r *replay) flush() error {
	late := lateSyncs{db: r.db}
	env := compaction.Env{NewTable: late.newTable, Writers: &r.db.work.Writers, Yield: func(int) error { return nil }}
	v := r.db.set.State().Version
	for i, m := range r.mems {
		at := &compaction.Compaction{Kind: compaction.KindFlush, Reason: compaction.ReasonFlush, Age: background.NextAge(v) + uint64(i), Span: background.Span(m.Table)}
		job := background.FlushJob(r.db.opts.tables(), &r.db.states.Points, m, v, at)
		job.Older.AddTables(r.tables) // of the memtables before
		res, err := compaction.Merge(job, env)
		if err != nil {
			_ = late.wait() // nobody is at work on a file that is removed
			for _, n := range res.Abandoned {
				r.db.remove(base.FileTable, n)
			}
			return err
		}
		r.tables = append(r.tables, res.Tables...)
		r.nominated = append(r.nominated, res.Nominated...)
	}
	r.mems = nil
	if err := late.wait(); err != nil || len(r.tables) == 0 {
		return err
	}
	return r.db.dir.Sync()
}
