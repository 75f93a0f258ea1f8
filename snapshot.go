package siltstone

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Snapshot is the state of the store at the moment at which it was made, for
// reading. Its clock stands still: a key that had not expired then does not expire
// in it. It is safe for concurrent use. The versions that it can see stay on disk
// until it is closed.
type Snapshot struct {
	*snapshotState
	ks      *keyspace.Space // addressed; nil: the default one
	foreign bool            // that is not one of the store
}

// snapshotState is shared by a snapshot and the Snapshot values that In returned of
// it.
type snapshotState struct {
	db    *DB
	point *readstate.Point
	state *readstate.State // held; nil unless another process writes the store
	ended atomic.Bool
	first Snapshot // the one of the default keyspace
}

// NewSnapshot returns a snapshot of the current state. The caller closes it.
func (db *DB) NewSnapshot() (*Snapshot, error) {
	if db.unopened() || db.life.Closing() {
		return nil, ErrClosed
	}
	state := &snapshotState{db: db}
	if db.states.Following {
		if state.point, state.state = db.states.Register(); state.state == nil {
			return nil, ErrClosed
		}
	} else {
		state.point = db.states.Points.Register()
	}
	db.states.Points.MarkSnapshot(state.point)
	s := &state.first
	s.snapshotState = state
	db.handles.opened(holdSnapshot, s, state.state)
	return s, nil
}

// In returns the snapshot addressing ks; nil is the default keyspace. It is the same
// snapshot: closing either closes both. A keyspace that was dropped after the
// snapshot was made still shows its keys. A keyspace that was made since is empty.
// If ks was dropped before the snapshot was made every read is ErrDropped.
func (s *Snapshot) In(ks *Keyspace) *Snapshot {
	switch {
	case s.unmade():
		return s
	case ks == nil:
		return &s.first
	}
	return &Snapshot{snapshotState: s.snapshotState, ks: ks.space, foreign: ks.db != s.db}
}

// Close releases the state. Later reads, and iterators that were made before, get
// ErrClosed. Closing twice is no error.
func (s *Snapshot) Close() {
	if s.unmade() || s.ended.Swap(true) {
		return
	}
	s.db.states.Points.Release(s.point)
	if s.state != nil {
		s.db.states.Drop(s.state)
	}
	s.db.handles.closed(holdSnapshot, &s.first)
	wake(s.db.workers.compact)
}

// Get returns a copy of the value of key, or ErrNotFound.
func (s *Snapshot) Get(key []byte) ([]byte, error) { return s.AppendGet(nil, key) }

// AppendGet appends the value of key to dst and returns the result.
func (s *Snapshot) AppendGet(dst, key []byte) ([]byte, error) {
	rs, n, err := s.pin()
	if err != nil {
		return dst, err
	}
	defer s.db.states.Unpin(rs, n)
	begin := readstate.Begin(n)
	f, err := s.db.look(rs, s.ks, key, s.point.Seq, s.point.Now, readstate.WantValue)
	s.db.report.gets.End(begin)
	defer f.Loan.Return()
	if err != nil {
		return dst, err
	}
	if t := record.Type(f.Attr.Type()); t != record.TypeString {
		return dst, record.WrongType(key, t, record.TypeString)
	}
	return append(dst, f.Value...), nil
}

// unmade reports whether s is one that NewSnapshot did not make.
func (s *Snapshot) unmade() bool { return s == nil || s.snapshotState == nil }

// alive returns the error that keeps the snapshot from being used.
func (s *Snapshot) alive() error {
	if s.unmade() || s.ended.Load() {
		return ErrClosed
	}
	if s.foreign {
		return errForeign
	}
	return s.ks.ReadableAt(s.point.Seq)
}

func (s *Snapshot) pin() (*readstate.State, int, error) {
	if err := s.alive(); err != nil {
		return nil, 0, err
	}
	if s.state == nil {
		rs, n := s.db.states.Pin()
		if rs == nil {
			return nil, 0, ErrClosed
		}
		return rs, n, nil
	}
	n := s.db.states.PinHeld(s.state)
	if s.ended.Load() || s.db.states.Current.Load() == nil {
		s.db.states.Unpin(s.state, n)
		return nil, 0, ErrClosed
	}
	return s.state, n, nil
}

func (s *Snapshot) stat(key []byte) (base.Trailer, error) {
	rs, n, err := s.pin()
	if err != nil {
		return base.Trailer{}, err
	}
	defer s.db.states.Unpin(rs, n)
	f, err := s.db.look(rs, s.ks, key, s.point.Seq, s.point.Now, readstate.WantKey)
	f.Loan.Return()
	return f.Trailer, err
}

// Has reports whether key exists, whatever its type.
func (s *Snapshot) Has(key []byte) (bool, error) {
	_, err := s.stat(key)
	if err == ErrNotFound {
		return false, nil
	}
	return err == nil, err
}

// TTL returns the time that key had to live when the snapshot was made.
func (s *Snapshot) TTL(key []byte) (time.Duration, error) {
	t, err := s.stat(key)
	if err != nil {
		return 0, err
	}
	return timeToLive(t, s.point.Now), nil
}

// Scan loops over the keys of r in ascending order; an error is the last item.
func (s *Snapshot) Scan(r Range) iter.Seq2[KV, error] { return scan(s, IterOptions{Range: r}, false) }

// ScanBack loops over the keys of r in descending order.
func (s *Snapshot) ScanBack(r Range) iter.Seq2[KV, error] {
	return scan(s, IterOptions{Range: r}, true)
}

// ScanKeys loops over the keys of r in ascending order, as Scan does, and reads no
// values: each Value is nil.
func (s *Snapshot) ScanKeys(r Range) iter.Seq2[KV, error] {
	return scan(s, IterOptions{Range: r, KeysOnly: true}, false)
}

// ScanKeysBack loops over the keys of r in descending order, as ScanKeys does.
func (s *Snapshot) ScanKeysBack(r Range) iter.Seq2[KV, error] {
	return scan(s, IterOptions{Range: r, KeysOnly: true}, true)
}

// NewIter returns an iterator over the snapshot, which the caller closes.
func (s *Snapshot) NewIter(o *IterOptions) (*Iterator, error) {
	rs, n, err := s.pin()
	if err != nil {
		return nil, err
	}
	rs.Holders.Add(1)
	s.db.states.Unpin(rs, n)
	it, err := s.db.newIterator(rows.View{State: rs, Seq: s.point.Seq, Now: s.point.Now}, o, s.ks, (*snapIters)(s))
	if err != nil {
		s.db.states.Drop(rs)
	}
	return it, err
}

// snapIters owns the iterators made by a snapshot.
type snapIters Snapshot

func (o *snapIters) alive() error {
	if o.ended.Load() {
		return ErrClosed
	}
	return (*dbIters)(o.db).alive()
}

func (o *snapIters) refresh(*rows.Iter) {}

func (o *snapIters) iterEnding(*rows.Iter) {}

func (o *snapIters) iterClosed(it *Iterator) { (*dbIters)(o.db).iterClosed(it) }
