package storedir

import (
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/vfs"
)

// Ballast is the file BALLAST: disk space that the store holds for what brings space back
// on a full disk. It says nothing: its content is zeros, it is never read, and may be
// missing. The order in which it is used:
//
//  1. a step that a delete, a flush or a start needs meets the full disk
//  2. BALLAST is removed, the directory synced, for some file systems give space back
//     no sooner
//  3. the step is tried once more, and BALLAST is not made meanwhile
//  4. BALLAST is made again of what is free by then
//
// A file system that does not tell how much is free has none. A nil Ballast keeps
// nothing. It is safe for concurrent use.
type Ballast struct {
	mu    invariants.Mutex // held across calls of the file system
	bytes int64            // that the file reserves
	found int64            // that it reserved at first
	using int              // steps that use what was given

	kept atomic.Int64 // bytes, for those who do not wait for the file system

	// constant
	dir  Dir
	wake func() // asks for Keep to be called soon; does not block
}

// worthFile is from how many bytes on the file is worth making.
const worthFile = 4 << 10

// NewBallast returns the ballast of a directory, and what an earlier process left of it.
func NewBallast(dir Dir, wake func()) *Ballast {
	s := &Ballast{dir: dir, wake: wake}
	invariants.SetRank(&s.mu, invariants.Ballast)
	if st, err := dir.FS.Stat(s.name()); err == nil {
		s.bytes, s.found = st.Size(), st.Size()
		s.kept.Store(s.bytes)
	}
	return s
}

func (s *Ballast) name() string { return s.dir.Name(base.FileBallast, 0) }

// Keep makes the file as large as wanted, or as the disk allows, and smaller if it is
// more than twice as large. It reports whether the file is as large; if not, nothing
// should be made on the disk that need not be. A failure means no more than that.
func (s *Ballast) Keep(want int64) (kept bool) {
	if s == nil || s.dir.Free() < 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.using > 0 {
		return false
	}
	if s.bytes < want || s.bytes/2 > want {
		s.resizeLocked(want)
	}
	return s.bytes >= want
}

func (s *Ballast) resizeLocked(want int64) {
	f, err := s.dir.FS.OpenWrite(s.name())
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.dir.Create(base.FileBallast, 0)
	}
	if err != nil {
		return
	}
	had := s.bytes
	s.bytes = resize(f, had, want, s.dir.Free())
	s.kept.Store(s.bytes)
	if s.bytes > had {
		_ = f.Sync() // or a power cut takes the space away
	}
	_ = f.Close()
	switch {
	case s.bytes == 0:
		_ = s.dir.FS.Remove(s.name())
	case had == 0:
		_ = s.dir.Sync()
	}
}

// Restore makes the file again as it was found, after a start that did not succeed.
func (s *Ballast) Restore() {
	if s != nil && s.found > 0 {
		s.Keep(s.found)
	}
}

// resize makes f, which reserves so many bytes, reserve what is wanted or what there
// is, and returns how many bytes it reserves.
func resize(f vfs.File, has, want, free int64) int64 {
	if has > want {
		if f.Truncate(want) == nil {
			return want
		}
		return has
	}
	for _, n := range []int64{want, has + free} {
		if n > has && n <= want && n >= worthFile && f.Allocate(n) == nil {
			return n
		}
	}
	return has
}

// Give gives the space back to the disk, and reports whether there was any. The caller
// then calls Done, when it has used it.
func (s *Ballast) Give() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes == 0 || s.dir.FS.Remove(s.name()) != nil {
		return false
	}
	_ = s.dir.Sync() // nothing depends on it
	s.bytes = 0
	s.kept.Store(0)
	s.using++
	return true
}

// Done says that what Give gave was used.
func (s *Ballast) Done() {
	s.mu.Lock()
	s.using--
	s.mu.Unlock()
	s.wake()
}

// Try calls do, and if the disk is full gives the space and calls it once more. The
// error of a full disk is ErrNoSpace.
func (s *Ballast) Try(do func() error) error {
	err := NoSpace(do())
	if errors.Is(err, base.ErrNoSpace) && s.Give() {
		defer s.Done()
		err = NoSpace(do())
	}
	return err
}

// Wanted says that more space may be wanted than is kept.
func (s *Ballast) Wanted() {
	if s != nil {
		s.wake()
	}
}

// Bytes returns how much space is kept. It does not wait.
func (s *Ballast) Bytes() int64 {
	if s == nil {
		return 0
	}
	return s.kept.Load()
}
