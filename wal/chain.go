package wal

import (
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Found is what reading one log file to its end found.
type Found struct {
	Number    base.FileNum // in the file's name
	HasHeader bool         // false: Open said ErrNoHeader, and the rest is zero
	Header    Header
	End       int64       // behind the last good frame
	LastSeq   base.SeqNum // of it
	Complete  bool        // the trailer is there
}

// Chain is the verdict on the logs of a directory. Every file is in one list.
//
//	number       3        4        5        6        7
//	          retired <- live  <- live   prepared    live, may end torn
//	                     min log    ^──────────────── names 5 and its end
type Chain struct {
	Live     []base.FileNum // hold what must be replayed, oldest first
	Prepared []base.FileNum // no header: hold nothing
	Retired  []base.FileNum // below the min log: all they hold is in tables
}

// CheckChain decides whether logs, sorted by number, are all that the store had
// written: minLog is the manifest's, below which logs are retired, and dbID the
// store's. It is pure.
//
//   - A log without a header holds nothing, unless another names it. Nor does
//     a file with the header of another log and no frame: its own header was
//     lost with the power, and the disk shows what a removed log left there.
//   - A live log must reach the end that its successor names, exactly.
//   - Only the last live log may end without a trailer, torn or not. If it has one
//     there is a file with a higher number: a successor is made, and its name durable,
//     before a trailer is written.
//   - The first live log's predecessor is retired, or it has none; any other's
//     is the live log before it.
//
// Everything else is a *base.CorruptionError that names the file to blame. If the
// newest log is missing, and another file was prepared behind it, nothing here can
// tell.
func CheckChain(logs []Found, minLog base.FileNum, dbID uint64) (Chain, error) {
	var c Chain
	var prev *Found
	for i := range logs {
		l := &logs[i]
		if i > 0 && l.Number <= logs[i-1].Number {
			return Chain{}, fmt.Errorf("wal: logs %d and %d are not in order", logs[i-1].Number, l.Number)
		}
		switch {
		case l.Number < minLog:
			c.Retired = append(c.Retired, l.Number)
			continue
		case !l.HasHeader, l.Header.Number != l.Number && l.End == HeaderSize:
			c.Prepared = append(c.Prepared, l.Number)
			continue
		}
		if err := checkIdentity(l, dbID); err != nil {
			return Chain{}, err
		}
		if err := checkLink(prev, l, minLog); err != nil {
			return Chain{}, err
		}
		c.Live = append(c.Live, l.Number)
		prev = l
	}
	if prev != nil && prev.Complete && logs[len(logs)-1].Number == prev.Number {
		return Chain{}, base.Corruptf(base.Filename(base.FileLog, prev.Number), prev.End, "the log ends with a trailer, but the log that follows it is missing")
	}
	return c, nil
}

// checkIdentity decides whether the log is the one its name says, of this store.
func checkIdentity(l *Found, dbID uint64) error {
	name := base.Filename(base.FileLog, l.Number)
	switch {
	case l.Header.Number != l.Number:
		return base.Corruptf(name, 0, "the file holds log %d", uint64(l.Header.Number))
	case l.Header.DBID != dbID:
		return base.Corruptf(name, 0, "the log belongs to another store: id %016x, not %016x", l.Header.DBID, dbID)
	}
	return nil
}

// checkLink decides whether l may follow prev, the live log before it; nil if
// there is none.
func checkLink(prev, l *Found, minLog base.FileNum) error {
	p := l.Header.Prev
	name := base.Filename(base.FileLog, l.Number)
	if prev == nil {
		if p.Number >= minLog && p.Number != 0 {
			return base.Corruptf(base.Filename(base.FileLog, p.Number), -1, "log is missing or without a header: log %d follows it, and it is not retired", uint64(l.Number))
		}
		return nil
	}
	before := base.Filename(base.FileLog, prev.Number)
	switch {
	case p.Number == 0:
		return base.Corruptf(name, 0, "log says that it follows none, but log %d is not retired", uint64(prev.Number))
	case p.Number < prev.Number:
		return base.Corruptf(name, 0, "log says that it follows log %d, but log %d stands between", uint64(p.Number), uint64(prev.Number))
	case p.Number > prev.Number:
		return base.Corruptf(base.Filename(base.FileLog, p.Number), -1, "log is missing or without a header: log %d follows it", uint64(l.Number))
	case p.LogID != prev.Header.LogID:
		return base.Corruptf(before, 0, "log %d follows a log with another id", uint64(l.Number))
	case !prev.Complete || p.End != prev.End:
		return base.Corruptf(before, prev.End, "log ends here, but log %d says that it ended at %d", uint64(l.Number), p.End)
	case p.LastSeq != prev.LastSeq:
		return base.Corruptf(before, prev.End, "log ends with sequence %d, but log %d says %d", uint64(prev.LastSeq), uint64(l.Number), uint64(p.LastSeq))
	}
	return nil
}
