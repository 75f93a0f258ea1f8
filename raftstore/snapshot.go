package raftstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// snapshots keeps raft's snapshots as checkpoints: a directory for each, with a file
// "meta" and a directory "state". To take one costs some links of files, which share
// their space with the running store until that has replaced them. Bytes are read only
// when a snapshot is sent, or restored.
type snapshots struct {
	on     files
	dir    string
	number atomic.Uint64 // of temporary directories
}

// keepSnapshots is how many are kept: one may be on its way to a node while the next is
// taken.
const keepSnapshots = 2

const (
	partial = ".partial" // ends the name of what is being made
	maxMeta = 16 << 20   // of a file "meta"; it lists the members of the cluster
)

// snapshotMeta is what the file "meta" holds, as JSON.
type snapshotMeta struct {
	Raft         raft.SnapshotMeta
	Index        uint64 // of the last command in it
	Milliseconds int64  // its time
}

var _ raft.SnapshotStore = (*snapshots)(nil)

// openSnapshots makes the directory if it is missing, and removes what a killed process
// has left unfinished.
func openSnapshots(on files, dir string) (*snapshots, error) {
	if err := on.makeDir(dir); err != nil {
		return nil, err
	}
	names, err := on.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, partial) {
			if err := on.removeAll(path.Join(dir, name)); err != nil {
				return nil, err
			}
		}
	}
	return &snapshots{on: on, dir: dir}, nil
}

// temporary returns the name of a new directory.
func (s *snapshots) temporary() string {
	return path.Join(s.dir, fmt.Sprint(s.number.Add(1), partial))
}

// list returns what there is, the newest first.
func (s *snapshots) list() (all []snapshotMeta, err error) {
	names, err := s.on.List(s.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, partial) {
			continue
		}
		file := path.Join(s.dir, name, "meta")
		b, err := s.on.read(file, maxMeta)
		if err != nil {
			return nil, err
		}
		var m snapshotMeta
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("raftstore: %s: %w", file, err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b snapshotMeta) int {
		return cmp.Or(cmp.Compare(b.Raft.Term, a.Raft.Term), cmp.Compare(b.Raft.Index, a.Raft.Index), cmp.Compare(b.Raft.ID, a.Raft.ID))
	})
	return all, nil
}

// List implements raft.SnapshotStore.
func (s *snapshots) List() (metas []*raft.SnapshotMeta, err error) {
	all, err := s.list()
	for i := range all {
		metas = append(metas, &all[i].Raft)
	}
	return metas, err
}

// Open implements raft.SnapshotStore: it returns the stream of a snapshot.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	all, err := s.list()
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(all, func(m snapshotMeta) bool { return m.Raft.ID == id })
	if i < 0 {
		return nil, nil, fmt.Errorf("raftstore: there is no snapshot %q", id)
	}
	m := all[i]
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(sendState(w, s.on, path.Join(s.dir, id, "state"), point{m.Index, m.Milliseconds}))
	}()
	return &m.Raft, r, nil
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	k := &sink{of: s, dir: s.temporary()}
	k.meta.Raft = raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%020d-%020d-%013d", term, index, time.Now().UnixMilli()), Index: index, Term: term, Configuration: c, ConfigurationIndex: cIndex,
	}
	return k, s.on.MkdirAll(k.dir)
}

// sink is a snapshot that is being made: of a checkpoint, by adopt, or of a stream that
// is written to it.
type sink struct {
	of   *snapshots
	dir  string
	meta snapshotMeta
	have bool // the state

	stream *io.PipeWriter // nil: nothing was written
	read   chan error     // what became of the stream
	done   bool
}

// ID implements raft.SnapshotSink.
func (k *sink) ID() string { return k.meta.Raft.ID }

func (k *sink) state() string { return path.Join(k.dir, "state") }

// adopt makes the checkpoint in dir the state.
func (k *sink) adopt(dir string, at point) error {
	if err := k.of.on.Rename(dir, k.state()); err != nil {
		return err
	}
	k.meta.Index, k.meta.Milliseconds, k.have = at.index, at.time, true
	return nil
}

// Write implements raft.SnapshotSink, for the stream that a leader sends.
func (k *sink) Write(p []byte) (int, error) {
	if k.stream == nil {
		var r *io.PipeReader
		r, k.stream = io.Pipe()
		k.read = make(chan error, 1)
		go func() {
			at, err := receiveState(r, k.of.on, k.state())
			k.meta.Index, k.meta.Milliseconds = at.index, at.time
			if err == nil {
				if n, _ := io.Copy(io.Discard, r); n > 0 {
					err = fmt.Errorf("%w: %d bytes behind its end", errBadStream, n)
				}
			}
			r.CloseWithError(err)
			k.read <- err
		}()
	}
	return k.stream.Write(p)
}

// Close implements raft.SnapshotSink: the snapshot is there, whole and durable, or not at
// all.
func (k *sink) Close() error {
	if k.done {
		return nil
	}
	if err := k.finish(); err != nil {
		return errors.Join(err, k.Cancel())
	}
	k.done = true
	return k.of.prune()
}

func (k *sink) finish() error {
	if k.stream != nil {
		k.stream.Close()
		err := <-k.read
		k.stream = nil
		if err != nil {
			return err
		}
		k.have = true
	}
	if !k.have {
		return fmt.Errorf("%w: it is empty", errBadStream)
	}
	on := k.of.on
	_, length, err := stateFiles(on, k.state())
	if err != nil {
		return err
	}
	k.meta.Raft.Size = length
	b, err := json.Marshal(k.meta)
	if err != nil {
		return err
	}
	err = on.write(path.Join(k.dir, "meta"), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	if err := errors.Join(err, on.SyncDir(k.dir)); err != nil {
		return err
	}
	return errors.Join(on.Rename(k.dir, path.Join(k.of.dir, k.ID())), on.SyncDir(k.of.dir))
}

// Cancel implements raft.SnapshotSink.
func (k *sink) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	if k.stream != nil {
		k.stream.CloseWithError(errors.New("raftstore: the snapshot was given up"))
		<-k.read
	}
	return k.of.on.removeAll(k.dir)
}

// prune removes what is older than the newest snapshots.
func (s *snapshots) prune() error {
	all, err := s.list()
	if err != nil {
		return err
	}
	for _, m := range all[min(len(all), keepSnapshots):] {
		if err := s.on.discard(path.Join(s.dir, m.Raft.ID), s.temporary()); err != nil {
			return err
		}
	}
	return nil
}

// Snapshot implements raft.FSM. It makes a checkpoint, which costs a flush of what is in
// memory and some links. The state is durable from here on, so that raft may forget the
// log up to here.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	at, err := m.place()
	if err != nil {
		return nil, err
	}
	dir := m.snapshots.temporary()
	if err := errors.Join(m.db.Sync(), m.db.Checkpoint(context.Background(), dir)); err != nil {
		return nil, err
	}
	return &taken{on: m.on, dir: dir, at: at}, nil
}

// taken is a snapshot that raft has not stored yet.
type taken struct {
	on  files
	dir string
	at  point
}

// Persist implements raft.FSMSnapshot.
func (t *taken) Persist(to raft.SnapshotSink) error {
	k, ours := to.(*sink)
	if !ours {
		return errors.Join(errors.New("raftstore: the snapshot is for another store"), to.Cancel())
	}
	if err := k.adopt(t.dir, t.at); err != nil {
		return errors.Join(err, k.Cancel())
	}
	return k.Close()
}

// Release implements raft.FSMSnapshot.
func (t *taken) Release() { _ = t.on.removeAll(t.dir) } // what stays is removed by the next Open

// Restore implements raft.FSM. The new store takes the place of the old one in one step,
// the renaming of its directory.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	next := m.number + 1
	part := path.Join(m.cfg.Dir, restoring)
	if err := m.on.removeAll(part); err != nil {
		return err
	}
	if _, err := receiveState(r, m.on, part); err != nil {
		return errors.Join(err, m.on.removeAll(part))
	}
	dir := stateDir(m.cfg.Dir, next)
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
