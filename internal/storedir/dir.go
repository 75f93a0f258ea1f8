package storedir

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// Dir is a store's directory.
type Dir struct {
	FS   vfs.FS
	Path string
}

// At returns the directory that path means now. It stays the same when the process
// changes its working directory.
func At(fsys vfs.FS, path string) (Dir, error) {
	if path == "" {
		return Dir{}, fmt.Errorf("no directory is named: %w", fs.ErrNotExist)
	}
	abs, err := vfs.Abs(fsys, path)
	if err != nil {
		return Dir{}, err
	}
	return Dir{fsys, abs}, nil
}

// Listing is the files of a store's directory, by ascending numbers.
type Listing struct {
	Logs, Tables, Manifests []base.FileNum
	Temps                   []string // names of files that a crash left half made
}

// Join returns the path of the file called name.
func (d Dir) Join(name string) string { return path.Join(d.Path, name) }

// Name returns the path of a file of the store.
func (d Dir) Name(t base.FileType, n base.FileNum) string { return d.Join(base.Filename(t, n)) }

// List reads the directory. Files that are not a store's are left out.
func (d Dir) List() (l Listing, err error) {
	names, err := d.FS.List(d.Path)
	if err != nil {
		return l, err
	}
	for _, name := range names {
		switch t, n := base.ParseFilename(name); t {
		case base.FileLog:
			l.Logs = append(l.Logs, n)
		case base.FileTable:
			l.Tables = append(l.Tables, n)
		case base.FileManifest:
			l.Manifests = append(l.Manifests, n)
		case base.FileTemp:
			l.Temps = append(l.Temps, name)
		}
	}
	slices.Sort(l.Logs)
	slices.Sort(l.Tables)
	slices.Sort(l.Manifests)
	return l, nil
}

// Free returns how many bytes are free on the directory's disk; negative if the
// file system cannot say. It is a system call.
func (d Dir) Free() int64 { return d.FS.Free(d.Path) }

// Sync makes the names in the directory durable.
func (d Dir) Sync() error { return d.FS.SyncDir(d.Path) }

// Create creates a file of the store. A full disk is ErrNoSpace.
func (d Dir) Create(t base.FileType, n base.FileNum) (vfs.File, error) {
	f, err := d.FS.Create(d.Name(t, n))
	return f, NoSpace(err)
}

// Make makes the directory and missing ones above it, one directory at a time,
// each with a durable name before anything is made in it. The name of one that
// exists is made durable too: a start that was killed may have just made it.
func (d Dir) Make() error {
	parent := Dir{d.FS, path.Dir(d.Path)}
	_, err := d.FS.Stat(d.Path)
	exists := err == nil
	if !exists {
		if parent.Path != d.Path {
			if err := parent.Make(); err != nil {
				return err
			}
		}
		if err := d.FS.MkdirAll(d.Path); err != nil {
			return err
		}
	}
	err = parent.Sync()
	if exists && errors.Is(err, fs.ErrPermission) {
		// This user cannot read the parent, so did not create the directory in it:
		// there is nothing to sync.
		return nil
	}
	return err
}

// MustBeAbsent returns fs.ErrExist if the directory exists.
func (d Dir) MustBeAbsent() error {
	_, err := d.FS.Stat(d.Path)
	if err == nil {
		return &fs.PathError{Op: "create", Path: d.Path, Err: fs.ErrExist}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// NoSpace turns the error of a full disk into one that is also ErrNoSpace.
func NoSpace(err error) error {
	if err != nil && vfs.IsNoSpace(err) && !errors.Is(err, base.ErrNoSpace) {
		return fmt.Errorf("%w: %w", base.ErrNoSpace, err)
	}
	return err
}

// RandomID returns a random number that is not zero, to tell stores, logs and
// tables apart.
func RandomID() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]) | 1, nil
}
