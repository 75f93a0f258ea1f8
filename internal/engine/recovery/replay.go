package recovery

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// Config is the settings of a Replay.
type Config struct {
	Dir           storedir.Dir
	State         *manifest.State // as it was found
	Clock         *clock.Clock    // is advanced to every reading met
	MemtableBytes int64

	// TornTail is called for a log whose unfinished end is dropped; Recovered once
	// everything was replayed, if there was a log.
	TornTail  func(file string, offset, bytes int64)
	Recovered func(logs int, records int64, took time.Duration)
}

// Replay brings back the records of the logs that no flush has retired: Judge, then
// Memtables or Tables. It belongs to one goroutine.
type Replay struct {
	Config
	LastSeq base.SeqNum // the largest sequence met; complete after Judge

	// End is what was found of the last log that counts, after Judge; zero if there is
	// none.
	End wal.Found

	logs    []log
	unused  []log // without a header
	bytes   int64 // of their files
	records int64
	begin   time.Time
	ops     []record.Op
	done    *wal.Reader // the last one that read a whole log; nil at first
}

// log is a log that counts.
type log struct {
	number base.FileNum
	file   vfs.File
	size   int64
	end    int64 // of what Judge could read
}

func (l *log) name() string { return base.Filename(base.FileLog, l.number) }

// Open opens the logs that count, in the order of their numbers. A file without
// a header does not count: it was prepared and never activated. The caller closes
// the Replay.
func Open(c Config, numbers []base.FileNum) (*Replay, error) {
	r := &Replay{Config: c, LastSeq: c.State.LastSeq, begin: time.Now()}
	for _, n := range numbers {
		if n < c.State.MinLog {
			continue
		}
		if err := r.open(n); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (r *Replay) open(n base.FileNum) error {
	l := log{number: n}
	var err error
	if l.file, err = r.Dir.FS.Open(r.Dir.Join(l.name())); err != nil {
		return err
	}
	st, err := l.file.Stat()
	if err == nil {
		l.size = st.Size()
		_, err = wal.Open(l.file, l.size, l.name())
	}
	if err != nil {
		l.file.Close()
		if errors.Is(err, wal.ErrNoHeader) {
			r.unused = append(r.unused, l)
			if n == r.State.MinLog {
				return l.checkLength()
			}
			return nil
		}
		return err
	}
	r.logs = append(r.logs, l)
	r.bytes += l.size
	if n >= r.State.FileLimit {
		return base.Corruptf(l.name(), -1, "manifest is older than the directory: number was never reserved")
	}
	return nil
}

// checkLength decides whether a log file without a header may be one that was taken
// to go on with: its length was durable before.
func (l *log) checkLength() error {
	if l.size < wal.HeaderSize {
		return base.Corruptf(l.name(), l.size, "log is cut short inside its header")
	}
	return nil
}

// read returns a reader of the whole log. It has the memory of the one before it,
// which is as large as the largest frame: each log is read twice, and there would
// be two of them.
func (r *Replay) read(l *log) (*wal.Reader, error) {
	rd, err := wal.Open(l.file, l.size, l.name())
	if err != nil {
		return nil, err
	}
	if r.done != nil {
		rd.Adopt(&r.done.FrameReader)
	}
	r.done = rd
	return rd, nil
}

// Close closes the logs.
func (r *Replay) Close() {
	for _, l := range r.logs {
		l.file.Close()
	}
}

// Empty reports whether there is no log to replay.
func (r *Replay) Empty() bool { return len(r.logs) == 0 }

// Judge reads every log and judges them as a chain. A torn end is fine in a log
// without a successor; everything else that is missing is damage. Only the clock
// and LastSeq keep something of the logs.
func (r *Replay) Judge() error {
	if r.Empty() {
		return nil
	}
	var found []wal.Found
	for i := range r.logs {
		f, err := r.judge(&r.logs[i])
		if err != nil {
			return err
		}
		found = append(found, f)
	}
	last := found[len(found)-1]
	r.End = last
	var next []log // the files that were prepared to follow
	for _, l := range r.unused {
		if l.number > last.Number {
			next, found = append(next, l), append(found, wal.Found{Number: l.number})
		}
	}
	_, err := wal.CheckChain(found, r.State.MinLog, r.State.DBID)
	if err == nil && last.Complete {
		err = next[0].checkLength()
	}
	return err
}

func (r *Replay) judge(l *log) (wal.Found, error) {
	rd, err := r.read(l)
	if err != nil {
		return wal.Found{}, err
	}
	r.Clock.Advance(rd.Header().Clock)
	r.LastSeq = max(r.LastSeq, rd.Header().LastSeq)
	err = each(rd, func(f wal.Frame, payload []byte) (err error) {
		if r.ops, _, err = decode(r.ops[:0], f, payload); err != nil {
			return fmt.Errorf("%w (frame before offset %d of %s)", err, rd.End(), l.name())
		}
		r.Clock.Advance(f.Clock)
		r.LastSeq = max(r.LastSeq, f.Last())
		return nil
	})
	l.end = rd.End()
	var torn *wal.TornError
	if errors.As(err, &torn) {
		r.TornTail(l.name(), torn.Offset, torn.Bytes)
		err = nil
	}
	return rd.Found(l.number), err
}

// each calls f for every frame. It returns a *wal.TornError if the log ends in one.
func each(rd *wal.Reader, f func(wal.Frame, []byte) error) error {
	for {
		frame, payload, err := rd.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(frame, payload); err != nil {
			return err
		}
	}
}

// load reads the logs again and hands their records over, a full memtable at a
// time.
func (r *Replay) load(full func(*readstate.Mem) error) error {
	if r.Empty() {
		return nil
	}
	r.ops = nil // the payloads that it points to are not wanted
	to := &Loader{MemtableBytes: r.MemtableBytes, LogBytes: r.bytes, Full: full}
	for i := range r.logs {
		if err := r.loadLog(to, &r.logs[i]); err != nil {
			return err
		}
	}
	r.done = nil
	if err := to.Finish(); err != nil {
		return err
	}
	r.Recovered(len(r.logs), r.records, time.Since(r.begin))
	return nil
}

func (r *Replay) loadLog(to *Loader, l *log) error {
	rd, err := r.read(l)
	if err != nil {
		return err
	}
	err = each(rd, func(f wal.Frame, payload []byte) error {
		owned := len(payload) >= keepFrom
		if owned {
			rd.Keep()
		}
		r.records += int64(f.Count)
		return to.Frame(f, payload, owned)
	})
	if err != nil && !errors.Is(err, wal.ErrTorn) {
		return err
	}
	if rd.End() != l.end {
		return base.Corruptf(l.name(), rd.End(), "ends here, and ended at %d when it was read before", l.end)
	}
	return nil
}

// Memtables returns the records of all logs, oldest first.
func (r *Replay) Memtables() (mems []*readstate.Mem, err error) {
	err = r.load(func(m *readstate.Mem) error {
		mems = append(mems, m)
		return nil
	})
	return mems, err
}
