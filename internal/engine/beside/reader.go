package beside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// Reader is a reader beside the writer: its directory, and the state that it shows. Who
// has the turn may call Next, Keep, Discard and Remove, one at a time; the other methods
// are safe for concurrent use.
type Reader struct {
	turn chan struct{} // has an item while somebody has the turn

	// of who has the turn
	kept   *Found // shown now; nil at first
	linked map[base.FileNum]uint64
	fresh  []base.FileNum  // linked since the last Keep
	state  *manifest.State // read last, and where it ends; nil if the manifest is read from its start
	info   manifest.Info

	// constant
	store  storedir.Dir
	own    storedir.Dir
	lock   io.Closer // of own
	memory int64     // room of a memtable
}

// Found is a state of the store, after one commit.
type Found struct {
	State   *manifest.State
	Mems    []*readstate.Mem // of the logs, newest first
	LastSeq base.SeqNum
	Clock   int64 // largest reading in manifest and logs

	info manifest.Info
	logs []*log // that count, oldest first
}

// End returns what was read of the newest log of the state; zero if it has none.
func (f *Found) End() wal.Found {
	if len(f.logs) == 0 {
		return wal.Found{}
	}
	return f.logs[len(f.logs)-1].found()
}

// Open makes the directory of a reader of store, after it has removed those of dead
// readers as far as it can. Memtables of its states have room for so many bytes. The
// caller closes the Reader. A missing store is fs.ErrNotExist. A file system on which
// nobody can read beside a writer is errors.ErrUnsupported or vfs.ErrNoLink.
func Open(store storedir.Dir, memtableBytes int64) (*Reader, error) {
	if _, err := store.FS.Stat(store.Name(base.FileCurrent, 0)); err != nil {
		return nil, fmt.Errorf("there is no store: %w", err)
	}
	removeDead(store)
	own, lock, err := makeOwn(store)
	if err != nil {
		return nil, fmt.Errorf("a reader beside the writer makes a directory in the store's: %w", err)
	}
	r := &Reader{
		turn: make(chan struct{}, 1), linked: map[base.FileNum]uint64{},
		store: store, own: own, lock: lock, memory: memtableBytes,
	}
	if err := probe(own); err != nil {
		_ = r.Close() // the first error is the one to tell
		return nil, err
	}
	return r, nil
}

// Dir returns the reader's directory, which has the tables of its states.
func (r *Reader) Dir() storedir.Dir { return r.own }

// Store returns the directory of the store that is read.
func (r *Reader) Store() storedir.Dir { return r.store }

// Close removes the reader's directory. No file of it is open any more.
func (r *Reader) Close() error {
	return removeOwn(r.own, r.lock)
}

// Begin takes the turn, which End gives back. If ctx ends first the error is its cause.
func (r *Reader) Begin(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// End gives the turn back.
func (r *Reader) End() { <-r.turn }

// Keep says that f is about to be shown, in place of what was kept before.
func (r *Reader) Keep(f *Found) {
	r.kept = f
	r.settle()
}

// Discard says that a state that was found will not be shown.
func (r *Reader) Discard() { r.settle() }

// settle removes links that were made for a state that is not kept.
func (r *Reader) settle() {
	wanted := map[base.FileNum]bool{}
	if r.kept != nil {
		for _, t := range r.kept.State.Version.AllTables() {
			wanted[t.Num] = true
		}
	}
	for _, n := range r.fresh {
		if !wanted[n] {
			_ = r.Remove(n) // or Close does it
		}
	}
	r.fresh = r.fresh[:0]
}

// Remove removes the link of a table that no state lists any more. The caller has the
// turn.
func (r *Reader) Remove(n base.FileNum) error {
	delete(r.linked, n)
	return gone(r.own.FS.Remove(r.own.Name(base.FileTable, n)))
}

// link links the tables of a version into the reader's directory, but for those that are
// there.
func (r *Reader) link(ctx context.Context, v *manifest.Version) error {
	for _, t := range v.AllTables() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.linkTable(t); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) linkTable(t *manifest.Table) error {
	if id, there := r.linked[t.Num]; there {
		if id != t.ID {
			return r.replaced("table %s is another one", base.Filename(base.FileTable, t.Num))
		}
		return nil
	}
	from, to := r.store.Name(base.FileTable, t.Num), r.own.Name(base.FileTable, t.Num)
	r.fresh = append(r.fresh, t.Num)
	err := r.own.FS.Link(from, to)
	if errors.Is(err, fs.ErrExist) { // of a link that was said to have failed
		if err = r.own.FS.Remove(to); err == nil {
			err = r.own.FS.Link(from, to)
		}
	}
	switch {
	case errors.Is(err, vfs.ErrNoLink):
		return noLinks(err)
	case errors.Is(err, fs.ErrNotExist):
		return base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "table is missing: %w", err)
	case err != nil:
		return err
	}
	r.linked[t.Num] = t.ID
	return nil
}

// replaced is the error of a directory that does not hold what it held before, or an
// older state of it.
func (r *Reader) replaced(format string, args ...any) error {
	return fmt.Errorf("siltstone: the store in %s is not the one that was opened, or an older copy of it (%s): open it anew",
		r.store.Path, fmt.Sprintf(format, args...))
}

// noLinks is the error where a table cannot be linked.
func noLinks(err error) error {
	return fmt.Errorf("siltstone: a reader beside the writer keeps its tables by hard links, and there are none to be had: %w", err)
}
