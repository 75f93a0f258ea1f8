package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// Info says of a manifest that was loaded where it ends.
type Info struct {
	Number base.FileNum
	Edits  int   // records, the snapshot included
	End    int64 // behind the last whole edit
	Torn   int64 // bytes behind End, up to the last that is not zero: an edit that was never acted upon

	ordinal base.SeqNum // of the last frame
	first   int64       // behind the first record
	size    int64       // of the file, what is reserved behind End included
	frameID uint64
}

// Load reads the manifest that CURRENT in dir names and returns what it adds
// up to. It changes nothing.
//
// An edit is synced before anybody acts on it. So bytes at the end that are no
// whole edit, with none behind them, are one that a crash cut short: they are
// dropped, and Info.Torn counts them. Anything else that does not verify is
// a *base.CorruptionError that names file and offset. If a synced last edit
// is damaged and nothing follows it, the file itself cannot tell; the directory
// can, by files the older state does not account for.
//
// The error is fs.ErrNotExist, wrapped, if there is no CURRENT, and
// base.ErrFormatTooNew, wrapped, if a later version has to read the store.
func Load(fsys vfs.FS, dir string) (*State, Info, error) {
	return Reload(fsys, dir, nil, Info{})
}

// Reload is Load for who has loaded the manifest before, as s and i. Of one that has
// only grown since, it reads the edits that have come, and does not look again at
// those before them.
func Reload(fsys vfs.FS, dir string, s *State, i Info) (*State, Info, error) {
	number, err := readCurrent(fsys, dir)
	if err != nil {
		return nil, Info{}, err
	}
	name := base.Filename(base.FileManifest, number)
	f, err := fsys.Open(path.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Info{}, base.Corruptf(name, -1, "CURRENT names it, but it is missing")
	}
	if err != nil {
		return nil, Info{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, Info{}, err
	}
	h, err := readHeader(f, st.Size(), number)
	if err != nil {
		return nil, Info{}, err
	}
	if s == nil || i.Number != number || i.frameID != h.frameID || st.Size() < i.End {
		s, i = h.begin(number)
	}
	return readOn(f, st.Size(), s, i)
}

// Read is Load for a manifest in r, size bytes long, with the given number. Any
// bytes are safe to read; memory is bounded by size.
func Read(r io.ReaderAt, size int64, number base.FileNum) (*State, Info, error) {
	h, err := readHeader(r, size, number)
	if err != nil {
		return nil, Info{}, err
	}
	s, i := h.begin(number)
	return readOn(r, size, s, i)
}

// begin returns the state before the first record.
func (h header) begin(number base.FileNum) (*State, Info) {
	s := &State{FormatVersion: h.formatVersion, DBID: h.dbID, Parent: h.parent, Branch: h.branch, Version: &Version{}}
	return s, Info{Number: number, End: headerSize, frameID: h.frameID}
}

// readOn returns what s becomes by the edits behind i.End.
func readOn(r io.ReaderAt, size int64, s *State, i Info) (*State, Info, error) {
	name := base.Filename(base.FileManifest, i.Number)
	frames := wal.NewFrameReader(r, size, name, i.frameID, i.End, i.ordinal)
	for {
		f, payload, err := frames.Next()
		if err != nil {
			if err = i.judge(err, frames, size, name); err != nil {
				return nil, Info{}, err
			}
			return s, i, nil
		}
		if f.First != i.ordinal+1 || f.Count != 1 {
			return nil, Info{}, base.Corruptf(name, f.Offset, "record %d follows record %d", uint64(f.First), uint64(i.ordinal))
		}
		if s, err = s.replay(payload); err != nil {
			if errors.Is(err, base.ErrFormatTooNew) {
				return nil, Info{}, fmt.Errorf("%s, record %d: %w", name, uint64(f.First), err)
			}
			return nil, Info{}, base.Corruptf(name, f.Offset, "record %d: %w", uint64(f.First), err)
		}
		i.ordinal = f.First
		if i.Edits++; i.Edits == 1 {
			i.first = f.Offset + wal.FrameSize(int64(len(payload)))
		}
	}
}

// replay returns the state after the encoded edit.
func (s *State) replay(payload []byte) (*State, error) {
	e, err := DecodeEdit(payload)
	if err != nil {
		return nil, err
	}
	return s.Apply(e)
}

// judge decides what the end of the frames means, and fills in i if it is
// a legal one.
func (i *Info) judge(err error, frames *wal.FrameReader, size int64, name string) error {
	switch {
	case err != io.EOF && !errors.Is(err, wal.ErrTorn):
		return err
	case i.Edits == 0:
		// CURRENT names a manifest only after its first record is durable.
		return base.Corruptf(name, headerSize, "first record does not verify: %v", err)
	case frames.Complete():
		return base.Corruptf(name, frames.End()-wal.FrameHeaderSize, "a manifest has no trailer")
	}
	i.End, i.size, i.Torn = frames.End(), size, 0
	if torn := new(wal.TornError); errors.As(err, &torn) {
		i.Torn = torn.Bytes
	}
	return nil
}
