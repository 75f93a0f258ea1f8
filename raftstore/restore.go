package raftstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/hashicorp/raft"
)

// Snapshot implements raft.FSM. It makes a checkpoint, which costs a flush of what is in
// memory and some links. The state is durable from here on, so that raft may forget the
// log up to here.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	at, err := m.place()
	if err != nil {
		return nil, err
	}
	t := &taken{of: m, dir: m.snapshots.temporary(), at: at, begun: time.Now()}
	if err := errors.Join(m.db.Sync(), m.db.Checkpoint(context.Background(), t.dir)); err != nil {
		return nil, t.end(err)
	}
	return t, nil
}

// taken is a snapshot that raft has not stored yet.
type taken struct {
	of    *machine
	dir   string
	at    point
	begun time.Time
}

// end notes how it ended.
func (t *taken) end(err error) error {
	t.of.tell(SnapshotTaken{Index: t.at.index, Duration: time.Since(t.begun), Err: err})
	return err
}

// Persist implements raft.FSMSnapshot.
func (t *taken) Persist(to raft.SnapshotSink) error {
	k, ours := to.(*sink)
	if !ours {
		return errors.Join(errors.New("raftstore: the snapshot is for another store"), to.Cancel())
	}
	if err := k.adopt(t.dir, t.at); err != nil {
		return t.end(errors.Join(err, k.Cancel()))
	}
	return t.end(k.Close())
}

// Release implements raft.FSMSnapshot.
func (t *taken) Release() { _ = t.of.on.removeAll(t.dir) } // what stays is removed by the next Open

// Restore implements raft.FSM: a snapshot of this replica, which is linked. The new store
// takes the place of the old one in one step, the renaming of its directory.
func (m *machine) Restore(r io.ReadCloser) error {
	begun := time.Now()
	err := errors.Join(m.restore(r), r.Close())
	at, _ := m.place()
	m.tell(SnapshotInstalled{Index: at.index, Duration: time.Since(begun), Err: err})
	return err
}

func (m *machine) restore(r io.ReadCloser) error {
	if w, wrapped := r.(raft.ReadCloserWrapper); wrapped {
		r = w.WrappedReadCloser()
	}
	o, ours := r.(*opened)
	if !ours {
		return errors.New("raftstore: the snapshot is of another store")
	}
	if at, err := m.place(); err != nil || o.at.index <= at.index {
		return err // the store has all that is in it, and readers who have waited for more
	}
	next := m.number + 1
	part, dir := path.Join(m.cfg.Dir, restoring), stateDir(m.cfg.Dir, next)
	if err := m.on.removeAll(part); err != nil {
		return err
	}
	if _, err := m.on.Stat(dir); err == nil { // one has failed after it got its name
		if err := m.on.discard(dir, part); err != nil {
			return err
		}
	}
	if err := o.link(part); err != nil {
		return errors.Join(err, m.on.removeAll(part))
	}
	if err := errors.Join(m.on.Rename(part, dir), m.on.SyncDir(m.cfg.Dir)); err != nil {
		return err
	}
	db, spaces, at, err := m.open(dir)
	if err != nil {
		return errors.Join(err, m.on.discard(dir, part))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, number := m.db, m.number
	m.use(db, next, spaces, at)
	if old == nil {
		return nil
	}
	return errors.Join(old.Close(), m.on.removeAll(stateDir(m.cfg.Dir, number)))
}

const (
	statePrefix = "state-"
	restoring   = "restore" + partial
)

// stateDir returns the directory of a store; the one with the largest number counts.
func stateDir(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("%s%08d", statePrefix, number))
}

// findState returns the number of the store in dir that counts, and removes the others.
func findState(on files, dir string) (number uint64, err error) {
	if err := on.removeAll(path.Join(dir, restoring)); err != nil {
		return 0, err
	}
	names, err := on.List(dir)
	if err != nil {
		return 0, err
	}
	var found []string
	for _, name := range names {
		var n uint64
		if _, err := fmt.Sscanf(name, statePrefix+"%d", &n); err == nil {
			number, found = max(number, n), append(found, path.Join(dir, name))
		}
	}
	for _, f := range found {
		if f != stateDir(dir, number) {
			if err := on.removeAll(f); err != nil {
				return 0, err
			}
		}
	}
	return max(number, 1), nil
}
