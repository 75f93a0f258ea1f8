package manifest

import (
	"errors"
	"fmt"
	"path"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// Log is the manifest that edits are appended to. One goroutine at a time may
// use it: the caller holds the lock that puts edits in order, across Append and
// until what the edit says is published.
//
// Space on the disk is reserved ahead of the edits: the file ends in zeros. An edit
// that finds no room is refused by Reserve, before anything is written.
//
// The first error of Append is final: every later call returns it, the file is
// neither written nor synced again, and whether the edit took effect is open until
// a manifest is loaded. Until then, or until Create has published another
// manifest, no file may be removed that the edit names, added or removed.
type Log struct {
	file     vfs.File
	number   base.FileNum
	frames   *wal.FrameWriter
	ordinal  base.SeqNum // of the last frame
	first    int64       // behind the snapshot that the file begins with
	reserved int64       // of the file's bytes, from its start on
	buf      []byte
	closed   bool
}

// reserveStep is how much space is reserved ahead of the edits. Half of it is kept
// as long as the disk has room; on a full disk that half takes the edits of dozens
// of flushes, which bring space back.
const reserveStep = 16 << 10

var errClosed = errors.New("manifest: log is closed")

// Create writes manifest number with s as its first record and makes CURRENT
// name it. The order: manifest written, synced, its name synced; CURRENT
// written beside, synced, renamed, the rename synced. A crash anywhere leaves
// the old manifest or the new one.
//
// The number must be above that of every manifest that is or was in dir: one
// more than the largest that CURRENT names or dir lists. A retry takes the next
// number. If it fails with a notNamed the old manifest holds; else the old one may
// hold or the new one, and nothing may be removed.
func Create(fsys vfs.FS, dir string, number base.FileNum, s *State) (*Log, error) {
	l, err := create(fsys, dir, number, s)
	if err != nil {
		return nil, fmt.Errorf("manifest: create %s: %w", base.Filename(base.FileManifest, number), noSpace(err))
	}
	return l, nil
}

// notNamed is an error after which CURRENT still names what it named before.
type notNamed struct{ error }

func (e notNamed) Unwrap() error { return e.error }

func create(fsys vfs.FS, dir string, number base.FileNum, s *State) (*Log, error) {
	name := path.Join(dir, base.Filename(base.FileManifest, number))
	f, err := fsys.Create(name)
	if err != nil {
		return nil, notNamed{err}
	}
	l := &Log{file: f, number: number}
	var temp string
	if err = l.begin(s); err == nil {
		temp, err = writeTemp(fsys, dir, number)
	}
	if err != nil {
		err = errors.Join(err, f.Close())
		_ = fsys.Remove(name)
		return nil, notNamed{err}
	}
	// One sync of the directory makes the manifest's name durable before CURRENT
	// gives it.
	if err = fsys.SyncDir(dir); err == nil {
		err = renameCurrent(fsys, dir, temp)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// noSpace turns the error of a full disk into one that is also ErrNoSpace.
func noSpace(err error) error {
	if vfs.IsNoSpace(err) && !errors.Is(err, base.ErrNoSpace) {
		return fmt.Errorf("%w: %w", base.ErrNoSpace, err)
	}
	return err
}

// begin reserves the space of header and snapshot, and of edits behind them, writes
// both and syncs them.
func (l *Log) begin(s *State) error {
	snapshot := s.Snapshot()
	l.buf = AppendEdit(make([]byte, headerSize), snapshot)
	h := header{
		formatVersion: max(s.FormatVersion, FormatVersion), readersFrom: FormatVersion,
		dbID: s.DBID, parent: s.Parent, branch: s.Branch, number: l.number,
	}
	// The hash of all there is so far tells this file's frames from those of any
	// other file that had its number or its place on the disk.
	h.put(l.buf)
	h.frameID = xxhash.Sum64(l.buf) | 1
	h.put(l.buf)
	l.reserved = headerSize + wal.FrameSize(int64(len(l.buf)-headerSize)) + reserveStep
	if err := l.file.Allocate(l.reserved); err != nil {
		return err
	}
	if _, err := l.file.Write(l.buf[:headerSize]); err != nil {
		return err
	}
	l.frames = wal.NewFrameWriter(l.file, h.frameID, headerSize, 0)
	err := l.append(l.buf[headerSize:], s.Clock)
	l.first = l.Size()
	return err
}

// Continue returns a Log that appends to the manifest that Load described. It
// is only legal if nothing was dropped, Info.Torn being 0, and if the state is
// Clean. It syncs the file, for what a killed process wrote may not be durable.
func Continue(fsys vfs.FS, dir string, i Info) (*Log, error) {
	name := base.Filename(base.FileManifest, i.Number)
	if i.Torn != 0 {
		return nil, fmt.Errorf("manifest: %s ends in %d bytes that are no edit; it cannot be continued", name, i.Torn)
	}
	f, err := fsys.OpenWrite(path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && (st.Size() < i.End || st.Size() > i.size) { // an attempt before may have cut it
		err = fmt.Errorf("file has %d bytes, not %d as when it was loaded", st.Size(), i.size)
	}
	if err == nil {
		err = f.Truncate(i.End) // that is where the next edit goes
	}
	if err == nil {
		err = f.Allocate(max(i.size, i.End)) // what it had reserved
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, fmt.Errorf("manifest: continue %s: %w", name, errors.Join(noSpace(err), f.Close()))
	}
	return &Log{
		file: f, number: i.Number, ordinal: i.ordinal, first: i.first, reserved: i.size,
		frames: wal.NewFrameWriter(f, i.frameID, i.End, i.ordinal),
	}, nil
}

// Reserve makes sure that the disk has room for e. Its error is definite: nothing
// was written, and e may be tried again.
func (l *Log) Reserve(e *Edit) error {
	if l.closed {
		return errClosed
	}
	l.buf = AppendEdit(l.buf[:0], e)
	need := l.Size() + wal.FrameSize(int64(len(l.buf)))
	if l.reserved-need >= reserveStep/2 {
		return nil
	}
	err := l.file.Allocate(need + reserveStep)
	switch {
	case err == nil:
		l.reserved = need + reserveStep
	case need <= l.reserved:
		return nil
	default:
		if err = l.file.Allocate(need); err == nil {
			l.reserved = need
		}
	}
	return noSpace(err)
}

// Append makes e durable: one write, one sync. The caller has applied e to its
// state first, so e is known to be possible, and has reserved its space. e is not
// kept.
func (l *Log) Append(e *Edit) error {
	if l.closed {
		return errClosed
	}
	l.buf = AppendEdit(l.buf[:0], e)
	return l.append(l.buf, e.Clock)
}

func (l *Log) append(payload []byte, clock int64) error {
	l.ordinal++
	if err := l.frames.Append(wal.Frame{First: l.ordinal, Count: 1, Clock: clock}, payload); err != nil {
		return err
	}
	return l.frames.Sync()
}

// Size returns the bytes of the file so far.
func (l *Log) Size() int64 { return l.frames.Offset() }

// fullSize is how many bytes of edits make a manifest full, whatever it began with.
const fullSize = 4 << 20

// Full reports whether it is time for another manifest: the edits take as much as
// the snapshot that the file begins with, and no less than 4 MiB. So what is
// written of snapshots is at most what is written of edits, however large the
// state is, and loading reads at most twice the state.
func (l *Log) Full() bool { return l.Size()-l.first >= max(l.first, fullSize) }

// Number returns the number of the manifest.
func (l *Log) Number() base.FileNum { return l.number }

// Close closes the file. It syncs nothing: every edit was synced, or failed.
// Closing twice is fine.
func (l *Log) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	return l.file.Close()
}
