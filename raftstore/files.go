package raftstore

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
)

// files is the file system of a replica, with what vfs.FS has no call for.
type files struct{ vfs.FS }

// filesOf returns the file system that the options name.
func filesOf(o *Options) files {
	if o.Store != nil && o.Store.FS != nil {
		return files{o.Store.FS}
	}
	return files{vfs.OS}
}

// makeDir makes dir and those above it that are missing, each with a durable name.
func (f files) makeDir(dir string) error { return storedir.Dir{FS: f.FS, Path: dir}.Make() }

// removeAll removes a file, or a directory with all that is in it. There need not be any.
func (f files) removeAll(name string) error {
	info, err := f.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		var names []string
		if names, err = f.List(name); err == nil {
			for _, n := range names {
				err = errors.Join(err, f.removeAll(path.Join(name, n)))
			}
		}
	}
	if err != nil {
		return err
	}
	return f.Remove(name)
}

// discard removes a directory, in one step: it is renamed first, durably, to a name under
// which nobody looks for it, so that neither a process that is killed nor a power cut leaves
// a half of it.
func (f files) discard(dir, as string) error {
	if err := errors.Join(f.Rename(dir, as), f.SyncDir(path.Dir(dir))); err != nil {
		return err
	}
	return f.removeAll(as)
}

// read returns the bytes of a file, of which there may be most.
func (f files) read(name string, most int64) ([]byte, error) {
	in, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(in, 0, min(info.Size(), most)))
}

// write makes a new file of what fn writes, and its bytes durable.
func (f files) write(name string, fn func(io.Writer) error) error {
	out, err := f.Create(name)
	if err != nil {
		return err
	}
	if err = fn(out); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// copy copies the first size bytes of a file, durably.
func (f files) copy(from, to string, size int64) error {
	in, err := f.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return f.write(to, func(w io.Writer) error {
		_, err := io.CopyN(w, io.NewSectionReader(in, 0, size), size)
		return err
	})
}

// link makes to a second name of from or, where there are no links, a copy.
func (f files) link(from, to string, size int64) error {
	err := f.Link(from, to)
	if errors.Is(err, vfs.ErrNoLink) {
		return f.copy(from, to, size)
	}
	return err
}
