package storedir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// Partial is a directory being made beside the one it is to become:
//
//  1. dst.NNNN.partial made, NNNN random
//  2. filled, each file synced
//  3. renamed to dst, the name synced
//
// A power cut leaves all of dst or nothing there, and at most a directory that
// ends in ".partial", which no store uses and which may be removed. It belongs to one
// goroutine.
type Partial struct {
	Dir             // being written; dst after Publish
	target Dir      // dst
	made   []string // files in it, as far as they were noted
}

// NewPartial chooses the name. Nothing is made yet.
func NewPartial(dst Dir) (*Partial, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	dst.Path = path.Clean(dst.Path)
	return &Partial{Dir: Dir{dst.FS, fmt.Sprintf("%s.%x.partial", dst.Path, b)}, target: dst}, nil
}

// Note says that a file called name may be in the directory from now on.
func (p *Partial) Note(name string) { p.made = append(p.made, name) }

// Write makes a file and syncs it.
func (p *Partial) Write(name string, write func(vfs.File) error) error {
	p.Note(name)
	f, err := p.FS.Create(p.Join(name))
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Table adds a table of the directory from by a hard link or, if link is false or
// the file system has none, by a copy whose digest is verified.
func (p *Partial) Table(ctx context.Context, from Dir, t base.FileNum, size, digest uint64, link bool) error {
	name := base.Filename(base.FileTable, t)
	if link {
		p.Note(name)
		err := p.FS.Link(from.Join(name), p.Join(name))
		if !errors.Is(err, vfs.ErrNoLink) {
			return err
		}
	}
	src, err := from.FS.Open(from.Join(name))
	if err != nil {
		return err
	}
	defer src.Close()
	return p.Write(name, func(dst vfs.File) error {
		sum, err := copyFile(ctx, dst, src, int64(size))
		if err == nil && sum != digest {
			err = base.Corruptf(name, -1, "digest of the file is %016x, want %016x", sum, digest)
		}
		return err
	})
}

// Publish gives the directory its name and makes that durable.
func (p *Partial) Publish() error {
	if err := p.target.MustBeAbsent(); err != nil {
		return err
	}
	if err := p.FS.Rename(p.Path, p.target.Path); err != nil {
		return err
	}
	p.Dir = p.target
	return p.FS.SyncDir(path.Dir(p.Path))
}

// Discard removes the directory and its files, as far as it can. It goes by the
// directory's listing: a failed call may have made files that were not noted.
func (p *Partial) Discard() {
	names, err := p.FS.List(p.Path)
	if err != nil {
		names = p.made
	}
	for _, name := range names {
		_ = p.FS.Remove(p.Join(name))
	}
	_ = p.FS.Remove(p.Path)
}

// copyPiece is how much of a file is copied between two looks at the context.
const copyPiece = 256 << 10

// copyFile appends the first size bytes of src to dst and returns their xxhash.
func copyFile(ctx context.Context, dst, src vfs.File, size int64) (uint64, error) {
	digest := xxhash.New()
	buf := make([]byte, min(size, copyPiece))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		piece := buf[:min(int64(len(buf)), size-at)]
		if n, err := src.ReadAt(piece, at); n < len(piece) {
			return 0, err
		}
		if _, err := dst.Write(piece); err != nil {
			return 0, err
		}
		_, _ = digest.Write(piece)
		at += int64(len(piece))
	}
	return digest.Sum64(), nil
}
