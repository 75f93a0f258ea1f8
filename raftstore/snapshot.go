package raftstore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone/archive"
)

// snapshots keeps raft's snapshots as checkpoints: a directory for each, with a file
// "meta" and a directory "state". To take one costs some links of files, which share
// their space with the running store until that has replaced them. Bytes are read only
// when a snapshot is sent, or restored.
type snapshots struct {
	on     files
	dir    string
	number atomic.Uint64 // of temporary directories

	// log says what it lacks for a snapshot of that index to be of use: nil, nothing.
	log interface{ misses(index uint64) error }
	// stalled is called when a snapshot is on its way, and nothing of it comes for so long.
	stalled func(time.Duration)
	// installed is the last snapshot that came as a stream.
	installed atomic.Pointer[raft.SnapshotMeta]

	mu    sync.Mutex     // held by what removes snapshots, or keeps them
	inUse map[string]int // how often each is open
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
	return &snapshots{on: on, dir: dir, stalled: func(time.Duration) {}, inUse: map[string]int{}}, nil
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
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := s.on.Stat(path.Join(s.dir, name)); errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
		}
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

// state returns the directory of a snapshot's checkpoint.
func (s *snapshots) state(id string) string { return path.Join(s.dir, id, "state") }

// Open implements raft.SnapshotStore: it returns the stream of a snapshot, which is an
// *opened. The snapshot stays until that is closed.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.list()
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(all, func(m snapshotMeta) bool { return m.Raft.ID == id })
	if i < 0 {
		return nil, nil, fmt.Errorf("raftstore: there is no snapshot %q", id)
	}
	m := all[i]
	s.inUse[id]++
	return &m.Raft, &opened{of: s, id: id, at: point{m.Index, m.Milliseconds}}, nil
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	k := &sink{of: s, dir: s.temporary()}
	k.meta.Raft = raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%020d-%020d-%013d", term, index, time.Now().UnixMilli()), Index: index, Term: term, Configuration: c, ConfigurationIndex: cIndex,
	}
	k.waits = time.AfterFunc(stallTime, func() { s.stalled(stallTime) })
	k.refused = s.on.MkdirAll(k.dir) // Close says it: the stream is to be read until then
	return k, nil
}

// stallTime is how long raft waits for the next bytes of a snapshot. It does nothing else
// meanwhile: it neither votes nor follows another leader, and who sends may be paused.
const stallTime = 10 * time.Second

// sink is a snapshot that is being made: of a checkpoint, by adopt, or of a stream that
// is written to it.
type sink struct {
	of   *snapshots
	dir  string
	meta snapshotMeta
	have bool // the state

	stream  *io.PipeWriter // nil: nothing was written
	read    chan error     // what became of the stream
	refused error          // why the stream is read for nothing
	waits   *time.Timer    // for the next Write
	done    bool
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

// Write implements raft.SnapshotSink, for the stream that a leader sends. It does not fail:
// the leader reads the answer once it has sent everything, and raft waits for that, also
// behind an error.
func (k *sink) Write(p []byte) (int, error) {
	k.waits.Stop()
	defer k.waits.Reset(stallTime)
	if k.refused != nil {
		return len(p), nil
	}
	if k.stream == nil {
		if k.of.log != nil {
			if k.refused = k.of.log.misses(k.meta.Raft.Index); k.refused != nil {
				return len(p), nil
			}
		}
		var r *io.PipeReader
		r, k.stream = io.Pipe()
		k.read = make(chan error, 1)
		go func() {
			at, err := receiveState(r, k.of.on, k.state(), k.of.tables)
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
	if _, err := k.stream.Write(p); err != nil {
		k.refused = err
	}
	return len(p), nil
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
	k.waits.Stop()
	if k.refused != nil {
		return k.refused
	}
	if k.stream != nil {
		k.stream.Close()
		err := <-k.read
		k.stream = nil
		if err != nil {
			return err
		}
		k.have = true
		came := k.meta.Raft
		k.of.installed.Store(&came)
	}
	if !k.have {
		return fmt.Errorf("%w: it is empty", errBadStream)
	}
	on := k.of.on
	_, length, err := stateParts(on, k.state(), archive.Mark{})
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
	k.waits.Stop()
	if k.stream != nil {
		k.stream.CloseWithError(errors.New("raftstore: the snapshot was given up"))
		<-k.read
	}
	return k.of.on.removeAll(k.dir)
}

// prune removes what is older than the newest snapshots, and not open.
func (s *snapshots) prune() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.list()
	if err != nil {
		return err
	}
	for _, m := range all[min(len(all), keepSnapshots):] {
		if s.inUse[m.Raft.ID] > 0 {
			continue
		}
		if err := s.on.discard(path.Join(s.dir, m.Raft.ID), s.temporary()); err != nil {
			return err
		}
	}
	return nil
}
