package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
)

// Dir returns a store in a directory, which is made when something is put into it. An
// object is a file; it gets its name when it is whole and durable. What a killed process
// was writing is listed under a name of its own, and Prune removes it in time.
func Dir(dir string) Store { return DirOn(vfs.OS, dir) }

// DirOn is Dir on another file system.
func DirOn(fsys vfs.FS, dir string) Store {
	return &dirStore{fs: fsys, dir: path.Clean(dir), named: map[string]bool{}}
}

type dirStore struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex      // held while directories are made
	named map[string]bool // directories whose names are durable
}

// partialMark is in the names of files that are being written.
const partialMark = ".partial-"

func (d *dirStore) List(ctx context.Context, prefix string) (all []Object, err error) {
	err = d.list(ctx, path.Dir(prefix+"x"), prefix, &all)
	return all, err
}

// list adds the files at and below the directory sub.
func (d *dirStore) list(ctx context.Context, sub, prefix string, all *[]Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := d.fs.List(path.Join(d.dir, sub))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		name = path.Join(sub, name)
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		info, err := d.fs.Stat(path.Join(d.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
		case err != nil:
			return err
		case info.IsDir():
			if err := d.list(ctx, name, prefix, all); err != nil {
				return err
			}
		default:
			*all = append(*all, Object{name, info.Size()})
		}
	}
	return nil
}

func (d *dirStore) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := d.fs.Open(path.Join(d.dir, name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &fileReader{SectionReader: io.NewSectionReader(f, 0, info.Size()), f: f}, nil
}

type fileReader struct {
	*io.SectionReader
	f io.Closer
}

func (r *fileReader) Close() error { return r.f.Close() }

// Put writes a file beside the one it is to be, and renames it:
//
//  1. directories made, their names durable
//  2. NAME.partial-NNNN written and synced, NNNN random
//  3. renamed to NAME, the name synced
func (d *dirStore) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	target := path.Join(d.dir, name)
	if err := d.mkdir(path.Dir(target)); err != nil {
		return err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s%s%x", target, partialMark, id)
	f, err := d.fs.Create(temp)
	if err != nil {
		_ = d.fs.Remove(temp)
		return err
	}
	_, err = io.Copy(f, contextReader{ctx, content})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.fs.Rename(temp, target)
	}
	if err != nil {
		_ = d.fs.Remove(temp)
		return err
	}
	return d.fs.SyncDir(path.Dir(target))
}

// mkdir makes a directory and those above it, each with a durable name. The name of one that
// is there is made durable, too: a process that was killed may have just made it.
func (d *dirStore) mkdir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mkdirLocked(dir)
}

func (d *dirStore) mkdirLocked(dir string) error {
	if _, err := d.fs.Stat(dir); err == nil && d.named[dir] {
		return nil
	}
	if dir != d.dir {
		if err := d.mkdirLocked(path.Dir(dir)); err != nil {
			return err
		}
	}
	if err := (storedir.Dir{FS: d.fs, Path: dir}).Make(); err != nil {
		return err
	}
	d.named[dir] = true
	return nil
}

func (d *dirStore) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	target := path.Join(d.dir, name)
	err := d.fs.Remove(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.fs.SyncDir(path.Dir(target))
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
