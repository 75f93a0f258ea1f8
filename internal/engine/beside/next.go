package beside

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// attempts is how often a state is looked for while the writer moves on. The second
// attempt links only what has come since the first, so more are hardly ever needed.
const attempts = 100

// Next finds the newest state of the store. It is nil if that is the one which is kept.
// The caller has the turn, and ends each state that was found with Keep or Discard. After
// an error what is kept is as it was. If ctx ends the error is its cause.
func (r *Reader) Next(ctx context.Context) (*Found, error) {
	f, err := r.find(ctx)
	if err != nil {
		r.state = nil
	}
	if err != nil || f == nil {
		r.settle()
	}
	return f, err
}

func (r *Reader) find(ctx context.Context) (*Found, error) {
	var last error
	for range attempts {
		f, err := r.attempt(ctx)
		switch {
		case err == nil:
			return f, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !mayHaveMoved(err):
			return nil, err
		case last != nil && last.Error() == err.Error():
			return nil, err // it did not move: that is how the store is
		}
		last = err
	}
	return nil, fmt.Errorf("siltstone: the store was changed by its writer in each of %d attempts to read one state of it; at last: %w", attempts, last)
}

// mayHaveMoved reports whether an error may be due to the writer, which has removed a file
// that was about to be opened, or appended to one that was being read.
func mayHaveMoved(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, base.ErrCorruption)
}

// attempt finds the newest state if everything that belongs to it stays as long as it
// takes.
func (r *Reader) attempt(ctx context.Context) (*Found, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	state, info, err := manifest.Reload(r.store.FS, r.store.Path, r.state, r.info)
	r.state, r.info = state, info
	if err != nil {
		return nil, err
	}
	f := &Found{State: state, LastSeq: state.LastSeq, Clock: state.Clock, info: info}
	if err := r.follows(f); err != nil {
		return nil, err
	}
	open, err := r.openLogs(state)
	if err != nil {
		return nil, err
	}
	defer open.close()
	if err := r.link(ctx, state.Version); err != nil {
		return nil, err
	}
	if err := open.read(ctx, f); err != nil {
		return nil, err
	}
	if err := r.follows(f); err != nil {
		return nil, err
	}
	if r.same(f) {
		return nil, nil
	}
	for _, l := range slices.Backward(f.logs) {
		for _, p := range slices.Backward(l.parts) {
			for _, m := range slices.Backward(p.mems) {
				f.Mems = append(f.Mems, m)
			}
		}
	}
	return f, nil
}

// follows returns an error if f cannot be a later state of the store that is read.
func (r *Reader) follows(f *Found) error {
	k := r.kept
	switch {
	case k == nil:
		return nil
	case f.State.DBID != k.State.DBID:
		return r.replaced("its id is %016x, not %016x", f.State.DBID, k.State.DBID)
	case f.State.FileLimit < k.State.FileLimit:
		return r.replaced("file numbers end at %d, and ended at %d before", uint64(f.State.FileLimit), uint64(k.State.FileLimit))
	case f.logs != nil && f.LastSeq < k.LastSeq:
		return r.replaced("it ends with sequence %d, and ended with %d before", uint64(f.LastSeq), uint64(k.LastSeq))
	}
	return nil
}

// same reports whether f is the state that is kept.
func (r *Reader) same(f *Found) bool {
	k := r.kept
	return k != nil && f.info.Number == k.info.Number && f.info.End == k.info.End && slices.EqualFunc(f.logs, k.logs, func(a, b *log) bool {
		return a.number == b.number && a.end == b.end
	})
}

// openLogs lists the directory and opens the logs that state has not retired, but for
// those of which all has been read before.
func (r *Reader) openLogs(state *manifest.State) (*openLogs, error) {
	files, err := r.store.List()
	if err != nil {
		return nil, err
	}
	if err := checkNumbers(files, state); err != nil {
		return nil, err
	}
	o := &openLogs{state: state, memory: r.memory}
	for _, n := range files.Logs {
		if n < state.MinLog {
			continue
		}
		if err := o.open(r.store, n, r.known(n)); err != nil {
			o.close()
			return nil, err
		}
	}
	return o, nil
}

// checkNumbers compares the directory with the manifest, as Open of a store does. A table
// that is missing is found when it is linked.
func checkNumbers(files storedir.Listing, s *manifest.State) error {
	for _, t := range []struct {
		of      base.FileType
		numbers []base.FileNum
	}{{base.FileTable, files.Tables}, {base.FileLog, files.Logs}} {
		if k := len(t.numbers); k > 0 && t.numbers[k-1] >= s.FileLimit {
			return base.Corruptf(base.Filename(t.of, t.numbers[k-1]), -1, "manifest is older than the directory: number was never reserved")
		}
	}
	if s.MinLog != 0 && !s.Clean && !slices.Contains(files.Logs, s.MinLog) {
		return base.Corruptf(base.Filename(base.FileLog, s.MinLog), -1, "log is missing")
	}
	return nil
}

// known returns what was read of a log before; nil if nothing was.
func (r *Reader) known(n base.FileNum) *log {
	if r.kept != nil {
		for _, l := range r.kept.logs {
			if l.number == n {
				return l
			}
		}
	}
	return nil
}
