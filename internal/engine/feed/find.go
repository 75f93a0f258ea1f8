package feed

import (
	"errors"
	"io"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/wal"
)

// Find returns the logs that an earlier process has kept, oldest first, and what the
// next log is to say of the last of them. numbers are the logs in the directory, state
// is the manifest's as it was found, and end what was read of the last log that had to
// be replayed, zero if there was none. A log that cannot be read ends the chain: what
// came before it is not kept any more.
func Find(dir storedir.Dir, numbers []base.FileNum, state *manifest.State, end wal.Found) ([]commitlog.KeptLog, wal.Predecessor) {
	return findFrom(dir, numbers, state, end, nil)
}

// findFrom is Find. From the first of the known logs that it meets on it goes by those.
func findFrom(dir storedir.Dir, numbers []base.FileNum, state *manifest.State, end wal.Found, known []commitlog.KeptLog) ([]commitlog.KeptLog, wal.Predecessor) {
	var logs []commitlog.KeptLog
	var newest, later wal.Header // later is the one behind
	for i := len(numbers) - 1; i >= 0; i-- {
		n := numbers[i]
		if later.Number != 0 && n != later.Prev.Number {
			continue
		}
		if k := knownUpTo(known, later.Prev); k > 0 && later.Number != 0 {
			for _, l := range slices.Backward(known[:k]) {
				logs = append(logs, l)
			}
			break
		}
		h, size, err := readHeader(dir, n)
		if errors.Is(err, wal.ErrNoHeader) {
			continue
		}
		if err != nil || h.Number != n || h.DBID != state.DBID || !h.Notes || later.Number != 0 && h.LogID != later.Prev.LogID {
			break
		}
		if later.Number == 0 {
			newest = h
		}
		l := commitlog.NewKeptLog(h)
		l.Bytes = size
		logs, later = append(logs, l), h
	}
	if len(logs) == 0 {
		return nil, wal.Predecessor{}
	}
	last, err := lastSeq(dir, newest, state, end)
	if err != nil {
		return nil, wal.Predecessor{}
	}
	slices.Reverse(logs)
	return logs, wal.Predecessor{Number: newest.Number, LogID: newest.LogID, LastSeq: last}
}

// knownUpTo returns how many of the known logs there are up to prev; 0 if it is none of
// them.
func knownUpTo(known []commitlog.KeptLog, prev wal.Predecessor) int {
	return 1 + slices.IndexFunc(known, func(l commitlog.KeptLog) bool { return l.Number == prev.Number && l.LogID == prev.LogID })
}

func readHeader(dir storedir.Dir, n base.FileNum) (h wal.Header, size int64, err error) {
	f, err := dir.FS.Open(dir.Name(base.FileLog, n))
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return h, 0, err
	}
	r, err := wal.Open(f, st.Size(), base.Filename(base.FileLog, n))
	if err != nil {
		return h, 0, err
	}
	return r.Header(), st.Size(), nil
}

// lastSeq returns the last sequence of the newest log.
func lastSeq(dir storedir.Dir, h wal.Header, state *manifest.State, end wal.Found) (base.SeqNum, error) {
	switch {
	case end.Number == h.Number:
		return end.LastSeq, nil
	case state.Clean:
		return state.LastSeq, nil
	}
	// An opening was cut short between the edit that retired the log and the next log.
	f, err := dir.FS.Open(dir.Name(base.FileLog, h.Number))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	r, err := wal.Open(f, st.Size(), base.Filename(base.FileLog, h.Number))
	for err == nil {
		_, _, err = r.Next()
	}
	if err == io.EOF || errors.Is(err, wal.ErrTorn) {
		return r.LastSeq(), nil
	}
	return 0, err
}
