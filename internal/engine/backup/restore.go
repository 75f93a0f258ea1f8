package backup

import (
	"context"
	"io"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
)

// Restore makes to a store with the state of the last stream:
//
//  1. to.NNNN.partial made beside to, NNNN random
//  2. each table written to it and synced, as its stream is read; removed if a later
//     stream does not have it
//  3. the manifest written, synced, and named by CURRENT
//  4. finish called with the directory, if it is not nil
//  5. the directory renamed to to, the name synced
//
// A power cut leaves a whole store in to, or nothing there. After an error the files are
// removed.
func Restore(ctx context.Context, to storedir.Dir, streams []io.Reader, finish func(dir string) error) (archive.Summary, error) {
	if err := to.MustBeAbsent(); err != nil {
		return archive.Summary{}, err
	}
	partial, err := storedir.NewPartial(to)
	if err != nil {
		return archive.Summary{}, err
	}
	r := &restore{ctx: ctx, partial: partial, next: 1, buf: make([]byte, pieceBytes)}
	r.chain = chain{ctx: ctx, have: map[archive.Table]base.FileNum{}, keep: r.keep, forget: r.forget}
	sum, err := r.run(streams, finish)
	if err != nil {
		partial.Discard()
	}
	return sum, err
}

// restore is one Restore. It belongs to one goroutine.
type restore struct {
	chain
	ctx     context.Context
	partial *storedir.Partial
	next    base.FileNum // of a table
	buf     []byte
}

func (r *restore) run(streams []io.Reader, finish func(dir string) error) (sum archive.Summary, err error) {
	if err = r.partial.Make(); err != nil {
		return sum, err
	}
	if sum, err = r.all(streams, false); err != nil {
		return sum, err
	}
	if err = r.name(); err == nil && finish != nil {
		err = finish(r.partial.Path)
	}
	if err == nil {
		err = r.ctx.Err()
	}
	if err == nil {
		err = r.partial.Publish()
	}
	return sum, err
}

// keep writes a table under the next number.
func (r *restore) keep(from io.Reader) (base.FileNum, error) {
	num := r.next
	r.next++
	return num, r.partial.Write(base.Filename(base.FileTable, num), func(f vfs.File) error {
		return copyTable(r.ctx, f, from, r.buf)
	})
}

func (r *restore) forget(num base.FileNum) error {
	return r.partial.FS.Remove(r.partial.Name(base.FileTable, num))
}

// name writes the manifest, which names the tables as they are called here.
func (r *restore) name() error {
	id, err := storedir.RandomID()
	if err != nil {
		return err
	}
	e, err := manifest.DecodeEdit(r.state)
	if err != nil {
		return err
	}
	for _, t := range e.Added {
		t.Num = r.have[archive.Table{ID: t.ID, Size: t.Size, Digest: t.Digest}]
	}
	e.MinLog, e.FileLimit, e.Clean = 0, max(e.FileLimit, r.next), true
	state, err := manifest.NewState(id).Apply(e)
	if err != nil {
		return err
	}
	state.Parent, state.Branch = r.last.Mark.Store, state.LastSeq
	// A reader of the store locks out writers only if there is a file to lock.
	if err := r.partial.Write(base.Filename(base.FileLock, 0), func(vfs.File) error { return nil }); err != nil {
		return err
	}
	r.partial.Note(base.Filename(base.FileManifest, 1))
	r.partial.Note(base.Filename(base.FileCurrent, 0))
	log, err := manifest.Create(r.partial.FS, r.partial.Path, 1, state)
	if err != nil {
		return err
	}
	return log.Close()
}
