package model

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// Config says how the store of a run is set up.
type Config struct {
	Options   siltstone.Options         // FS and Clock are the run's own
	Keyspaces int                       // named ones beside the default one, at most 2, which come and go
	Step      func(*siltstone.DB) error // does all background work; nil: the store has workers
	Trace     func(op int, what string) // told of each operation; nil: not
}

// Failure is the first answer of a store that differed from the model's.
type Failure struct {
	Op  int // index in the tape; its length if it was met at the end
	Err error
}

func (f *Failure) Error() string { return fmt.Sprintf("operation %d: %v", f.Op, f.Err) }
func (f *Failure) Unwrap() error { return f.Err }

// Check runs the tape against a new store and returns the first difference as a
// *Failure, or nil. At the end everything is read forward and backward, the
// store is checked and closed, and nothing may be left open.
func Check(t Tape, c Config) error {
	r := &run{Config: c, keys: alphabet(), disk: vfstest.NewDisk(1), versions: []State{{}}}
	r.now.Store(start)
	r.Options.Clock = func() time.Time { return time.UnixMilli(r.now.Load()) }
	r.open()
	defer func() { _ = r.db.Close() }()
	for i, o := range t {
		if r.err != nil {
			return &Failure{Op: i - 1, Err: r.err}
		}
		r.at = i
		do := operations
		if r.Keyspaces > 0 {
			do = keyspaceOperations
		}
		do[int(o.Kind)%len(do)](r, newDraw(o, r.keys, r.Keyspaces))
	}
	if r.err != nil {
		return &Failure{Op: r.at, Err: r.err}
	}
	if r.end(); r.err != nil {
		return &Failure{Op: len(t), Err: r.err}
	}
	return nil
}

// start is the first reading of a run's clock.
const start = 1_700_000_000_000

// run is a store and its model. It belongs to one goroutine; the clock alone is
// read by others.
type run struct {
	Config
	keys []string
	disk *vfstest.Disk
	db   *siltstone.DB
	now  atomic.Int64
	at   int
	err  error // the first difference

	// versions are the states since the last that is surely durable, which is the
	// first; the last is the current one. Up to written they survive the end of
	// the process.
	versions []State
	written  int
	touched  []place // by commits since the store was opened
	asked    []place // what changes may have read

	spaces [mostSpaces]*siltstone.Keyspace // the named ones
	gone   *siltstone.Keyspace             // the last that was dropped

	snaps []*snapshot
	iters []*iterator
	txs   []*transaction
}

func (r *run) open() {
	r.Options.FS = r.disk
	db, err := siltstone.Open("db", &r.Options)
	if err != nil {
		r.fail("open: %v", err)
		return
	}
	r.db, r.gone = db, nil
	r.openSpaces()
}

func (r *run) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// expect fails unless err is want, to errors.Is.
func (r *run) expect(err, want error, format string, args ...any) {
	if !errors.Is(err, want) {
		r.fail("%s: error %v, want %v", fmt.Sprintf(format, args...), err, want)
	}
}

func (r *run) say(format string, args ...any) {
	if r.Trace != nil {
		r.Trace(r.at, fmt.Sprintf(format, args...))
	}
}

// views is the current state.
func (r *run) views() Views { return Views{r.versions[len(r.versions)-1], r.now.Load()} }

// view is the current state of a keyspace.
func (r *run) view(space int) View { return r.views().in(space) }

// place is some keys of a keyspace.
type place struct {
	space int
	Bounds
}

func (p place) meets(o place) bool { return p.space == o.space && p.Bounds.meets(o.Bounds) }

// change is one operation of a commit.
type change struct {
	space  int
	bounds Bounds
	put    bool // of bounds.Lower alone
	row    Row
}

func (c change) at() place { return place{c.space, c.bounds} }

func (c change) on(s State) State {
	if c.put {
		s[c.space] = s[c.space].Put(c.bounds.Lower, c.row)
	} else {
		s[c.space] = s[c.space].Delete(c.bounds)
	}
	return s
}

// committed notes a commit that the store has made at the level. One without
// changes is only as durable as what it saw.
func (r *run) committed(d siltstone.Durability, changes ...change) {
	if len(changes) == 0 {
		return
	}
	m := r.views().State
	for _, c := range changes {
		m = c.on(m)
		r.touched = append(r.touched, c.at())
	}
	r.versions = append(r.versions, m)
	r.reached(d)
}

// reached notes that everything committed has reached the level.
func (r *run) reached(d siltstone.Durability) {
	if d == siltstone.DefaultDurability {
		d = r.db.Options().Durability
	}
	switch d {
	case siltstone.SyncDurability:
		r.versions, r.written = r.versions[len(r.versions)-1:], 0
	case siltstone.OSDurability:
		r.written = len(r.versions) - 1
	}
}

// release ends everything that is open.
func (r *run) release() {
	for _, it := range r.iters {
		r.expect(it.it.Close(), nil, "close of an iterator")
	}
	for _, s := range r.snaps {
		s.snap.Close()
	}
	for _, tx := range r.txs {
		tx.tx.Rollback()
	}
	r.iters, r.snaps, r.txs, r.touched = nil, nil, nil, nil
}

// end compares all of the store with the model, before and after a reopening.
func (r *run) end() {
	r.release()
	for range 2 {
		r.compare(r.views(), "at the end")
		r.expect(r.db.Check(context.Background()), nil, "Check")
		r.expect(r.db.Close(), nil, "Close")
		if open := r.disk.OpenFiles(); len(open) > 0 {
			r.fail("files left open: %v", open)
		}
		if r.err != nil {
			return
		}
		r.reached(siltstone.SyncDurability)
		r.open()
	}
}

// compare reads all of the store in both directions.
func (r *run) compare(v Views, when string) {
	for space := range r.Keyspaces + 1 {
		for _, back := range []bool{false, true} {
			r.loop(r.store(space), v.in(space), Bounds{}, back, -1, when)
		}
	}
}
