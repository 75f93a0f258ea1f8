package beside

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
)

// ownPrefix begins the name of a reader's directory; a random number in 16 hexadecimal
// digits follows.
const ownPrefix = "READER-"

var lockName = base.Filename(base.FileLock, 0)

// ownTries is how many names are tried. One is lost if another reader looks at the
// directory before its lock is held.
const ownTries = 100

// makeOwn makes the directory of a reader in the store's, and takes its lock.
//
//  1. directory made, empty
//  2. lock file made in it and locked
//  3. the lock file is seen to be there
//
// A reader that removes dead ones meanwhile removes an empty directory, or takes the
// lock before step 2 has: either is noticed, and another name is taken.
func makeOwn(store storedir.Dir) (own storedir.Dir, lock io.Closer, err error) {
	for range ownTries {
		id, err := storedir.RandomID()
		if err != nil {
			return own, nil, err
		}
		own = storedir.Dir{FS: store.FS, Path: store.Join(fmt.Sprintf("%s%016x", ownPrefix, id))}
		lock, err = lockOwn(own)
		if err == nil {
			return own, lock, nil
		}
		_ = removeOwn(own, nil)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrLockHeld) {
			return own, nil, err
		}
	}
	return own, nil, errors.New("its lock was taken by others each time")
}

func lockOwn(own storedir.Dir) (io.Closer, error) {
	if err := own.FS.MkdirAll(own.Path); err != nil {
		return nil, err
	}
	name := own.Join(lockName)
	lock, err := own.FS.Lock(name, true, true)
	if err != nil {
		return nil, err
	}
	if _, err := own.FS.Stat(name); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

// removeOwn removes a reader's directory and ends its lock, which may be nil. The lock
// file is removed last, so that the directory is never taken for one that is being made,
// and after the lock has ended: where it cannot be removed before. Whoever locks it in
// between removes the same.
func removeOwn(own storedir.Dir, lock io.Closer) error {
	names, err := own.FS.List(own.Path)
	err = gone(err)
	for _, name := range names {
		if name != lockName {
			err = errors.Join(err, gone(own.FS.Remove(own.Join(name))))
		}
	}
	if err = errors.Join(err, storedir.Unlock(lock)); err != nil {
		return err
	}
	if err := gone(own.FS.Remove(own.Join(lockName))); err != nil {
		return err
	}
	return gone(own.FS.Remove(own.Path))
}

// gone is no error for what is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeDead removes the directories of readers that ended without Close. What cannot be
// removed is left to the next reader.
func removeDead(store storedir.Dir) {
	names, err := store.FS.List(store.Path)
	if err != nil {
		return
	}
	for _, name := range names {
		if digits, ok := strings.CutPrefix(name, ownPrefix); ok && len(digits) == 16 {
			removeIfDead(storedir.Dir{FS: store.FS, Path: store.Join(name)})
		}
	}
}

func removeIfDead(own storedir.Dir) {
	lock, err := own.FS.Lock(own.Join(lockName), true, false)
	switch {
	case err == nil:
		_ = removeOwn(own, lock)
	case errors.Is(err, fs.ErrNotExist):
		// It is being made, and empty, or a power cut took the name of the lock file.
		names, err := own.FS.List(own.Path)
		if err != nil {
			return
		}
		if slices.Contains(names, lockName) {
			return
		}
		for _, name := range names {
			_ = own.FS.Remove(own.Join(name))
		}
		_ = own.FS.Remove(own.Path) // refused if a lock file has been made in it
	}
}

// probe finds out in the reader's directory what the file system can do: hard links, and
// the replacing of a file that is open.
func probe(own storedir.Dir) (err error) {
	open, other, link := own.Join("probe-open"), own.Join("probe-other"), own.Join("probe-link")
	f, err := own.FS.Create(open)
	if err != nil {
		return err
	}
	g, err := own.FS.Create(other)
	if err == nil {
		err = g.Close()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err = own.FS.Link(other, link); errors.Is(err, vfs.ErrNoLink) {
		err = noLinks(err)
	}
	if err == nil {
		if err = own.FS.Rename(other, open); err != nil {
			err = fmt.Errorf("siltstone: a reader beside the writer would keep it from replacing files, for here one that is open cannot be: %w: %w",
				errors.ErrUnsupported, err)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return errors.Join(own.FS.Remove(open), own.FS.Remove(link))
}
