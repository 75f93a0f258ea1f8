package feed

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/wal"
)

// Past are the logs of a store that is open for reading: those that its state was read
// from, and those before them that its writer keeps. Show moves on to another state.
//
//	kept by the writer ── of the state ── its newest log
//	└── looked for when     up to its end ┘└── what has been written since is not shown
//	    somebody asks
//
// The writer, which is another process, may remove the oldest ones at any time. Nothing
// is read before a reader of changes asks. It is safe for concurrent use.
type Past struct {
	dir storedir.Dir // that of the store

	mu    invariants.Mutex
	state *manifest.State
	end   wal.Found // of the newest log of the state; zero: there is none
	moved chan struct{}

	// what was found for the state; nil: to be looked for
	logs []commitlog.KeptLog
	last base.SeqNum
	// known are logs of older states whose predecessors need not be looked for again
	known []commitlog.KeptLog
}

// NewPast returns the logs of a store in dir, of which Show says the first state.
func NewPast(dir storedir.Dir) *Past {
	return &Past{dir: dir, moved: make(chan struct{})}
}

// Show makes a state the one that is shown. end is what was read of its newest log, zero
// if it has none. The state's records are to be seen already.
func (p *Past) Show(state *manifest.State, end wal.Found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.logs != nil {
		p.known = p.logs
	}
	p.state, p.end, p.logs, p.last = state, end, nil, 0
	close(p.moved)
	p.moved = make(chan struct{})
}

// Front implements Logs: readers may go to the end of the state.
func (p *Past) Front() (commitlog.Front, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := commitlog.Front{Log: p.state.MinLog} // all that is below is retired
	if p.end.HasHeader {
		f = commitlog.Front{Log: p.end.Number, Offset: p.end.End}
	}
	return f, p.moved, nil
}

// Logs implements Logs. The first call for a state reads the directory, and the headers of
// the logs that no call before has found.
func (p *Past) Logs() ([]commitlog.KeptLog, base.SeqNum, error) {
	p.mu.Lock()
	state, end, logs, last, known := p.state, p.end, p.logs, p.last, p.known
	p.mu.Unlock()
	if logs != nil {
		return logs, last, nil
	}
	logs, last, err := p.find(state, end, known)
	if err != nil {
		return nil, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == state {
		p.logs, p.last = logs, last
	}
	return logs, last, nil
}

// find looks for the logs of a state. logs is not nil.
func (p *Past) find(state *manifest.State, end wal.Found, known []commitlog.KeptLog) (logs []commitlog.KeptLog, last base.SeqNum, err error) {
	if end.HasHeader && !end.Header.Notes {
		return nil, 0, base.Errorf(base.ErrBadOption, "the store has no change feed: who writes to it has not set Options.KeepChanges")
	}
	files, err := p.dir.List()
	if err != nil {
		return nil, 0, err
	}
	var numbers []base.FileNum
	for _, n := range files.Logs {
		if n < state.MinLog || end.HasHeader && n <= end.Number {
			numbers = append(numbers, n)
		}
	}
	found, prev := findFrom(p.dir, numbers, state, end, known)
	switch {
	case end.HasHeader:
		last = end.LastSeq
	case len(found) > 0:
		last = prev.LastSeq
	default:
		last = state.LastSeq
	}
	return append([]commitlog.KeptLog{}, found...), last, nil
}

// Missing implements Logs. The writer has removed the log, and those before it. They are
// looked for once more.
func (p *Past) Missing(base.FileNum) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logs, p.known = nil, nil
	return false
}
