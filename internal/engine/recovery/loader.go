package recovery

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/memtable"
	"github.com/siltstonedb/siltstone/wal"
)

// Loader turns the frames of logs into memtables. It belongs to one goroutine.
type Loader struct {
	MemtableBytes int64 // room of a memtable; a larger frame gets one of its size
	LogBytes      int64 // of all logs that are to come, or less
	// Full takes each memtable that is full, oldest first. The Loader does not
	// keep it.
	Full func(*readstate.Mem) error

	mem *memtable.Builder // being filled
	ops []record.Op
}

// keepFrom is the payload size from which memtables reference the bytes that were read
// instead of copying them.
const keepFrom = 1 << 20

// usualRecord is about the bytes that a record with a small value takes of a memtable.
const usualRecord = 256

// Frame inserts the operations of one commit group. The whole frame is decoded
// before any of it counts: after an error that is ErrCorruption the Loader is as it
// was. An owned payload, which will not change any more, may be referenced.
func (l *Loader) Frame(f wal.Frame, payload []byte, owned bool) error {
	var size int64
	var err error
	if l.ops, size, err = decode(l.ops[:0], f, payload); err != nil {
		return err
	}
	if err := l.room(len(l.ops), size); err != nil {
		return err
	}
	for i, o := range l.ops {
		seq := f.First + base.SeqNum(i)
		t := base.Trailer{Seq: seq, Expiry: o.Expiry, Attr: o.Attr}
		switch {
		case o.Attr.Kind() == base.KindRangeDelete:
			l.mem.AddRangeDelete(o.Key, o.Value, seq)
		case owned:
			l.mem.AddReferenced(base.HashRow(o.Key), o.Key, t, o.Value)
		default:
			l.mem.Add(base.HashRow(o.Key), o.Key, t, o.Value)
		}
	}
	return nil
}

// Finish hands over the last memtable.
func (l *Loader) Finish() error {
	if l.mem == nil {
		return nil
	}
	m := &readstate.Mem{Table: l.mem.Table()}
	l.mem = nil
	return l.Full(m)
}

// room makes a memtable that the frame fits.
func (l *Loader) room(ops int, bytes int64) error {
	if l.mem != nil && l.mem.Fits(ops, bytes) {
		return nil
	}
	if err := l.Finish(); err != nil {
		return err
	}
	size := max(l.MemtableBytes, memtable.Footprint(ops, bytes))
	l.mem = memtable.NewBuilder(size, int(min(size, l.LogBytes)/usualRecord))
	return nil
}

// decode appends the operations of a frame to dst, and returns how many bytes their
// keys and values have. They point into payload. Notes are passed over.
func decode(dst []record.Op, f wal.Frame, payload []byte) (ops []record.Op, bytes int64, err error) {
	for rest := payload; len(rest) > 0; {
		if record.IsNote(rest) {
			if _, rest, err = record.CutNote(rest); err != nil {
				return dst, 0, errors.Join(base.ErrCorruption, err)
			}
			continue
		}
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return dst, 0, errors.Join(base.ErrCorruption, err)
		}
		dst, rest = append(dst, o), rest[n:]
		bytes += int64(len(o.Key) + len(o.Value))
	}
	if len(dst) != int(f.Count) {
		return dst, 0, fmt.Errorf("%w: frame has %d operations, its header says %d", base.ErrCorruption, len(dst), f.Count)
	}
	return dst, bytes, nil
}
