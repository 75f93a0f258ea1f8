package siltstone

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// logShelf holds log files prepared ahead, so that a rotation need not wait for
// the file system: created, space reserved, their names durable, but without a
// header. A file without a header does not exist to recovery. Safe for
// concurrent use.
type logShelf struct {
	making sync.Mutex // held while files are made

	mu     sync.Mutex
	closed bool                // nothing is made any more
	made   []commitlog.Segment // in order of their numbers
	used   []base.FileNum      // taken and not yet retired, oldest first
}

const firstReserve = 64 << 10 // an idle store stays small

// ready reports whether n logs are on the shelf, the first with room for a
// payload of size bytes.
func (s *logShelf) ready(n int, size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.made) >= n && roomFor(size) <= s.made[0].Reserved
}

func roomFor(payload int64) int64 {
	return wal.HeaderSize + wal.FrameSize(payload) + wal.FrameSize(0)
}

// take takes the next log off the shelf, which has room for a payload of size
// bytes. The caller has asked ready.
func (s *logShelf) take(size int64) commitlog.Segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.made[0]
	s.made = append(s.made[:0], s.made[1:]...)
	s.used = append(s.used, seg.Number)
	return seg
}

// retire forgets, and returns, the logs in use below the given number.
func (s *logShelf) retire(below base.FileNum) (retired []base.FileNum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.used) > 0 && s.used[0] < below {
		retired = append(retired, s.used[0])
		s.used = s.used[1:]
	}
	return retired
}

// prepareLogs fills the shelf to n logs, the first with room for a payload of
// size bytes. Its error is definite: nothing was changed.
func (db *DB) prepareLogs(n int, size int64) error {
	s := &db.logs
	s.making.Lock()
	defer s.making.Unlock()
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return ErrClosed
		}
		have := len(s.made)
		var short *commitlog.Segment
		if have > 0 && s.made[0].Reserved < roomFor(size) {
			short = &s.made[0]
		}
		s.mu.Unlock()
		switch {
		case short != nil:
			if err := storedir.NoSpace(short.Allocate(roomFor(size))); err != nil {
				return err
			}
			s.mu.Lock()
			s.made[0].Reserved = max(s.made[0].Reserved, roomFor(size))
			s.mu.Unlock()
		case have >= n:
			return nil
		default:
			seg, err := db.makeLog()
			if err != nil {
				return err
			}
			s.mu.Lock()
			s.made = append(s.made, seg)
			s.mu.Unlock()
		}
	}
}

// makeLog creates a log file and makes its name durable.
func (db *DB) makeLog() (commitlog.Segment, error) {
	num, err := db.set.NewFileNum()
	if err != nil {
		return commitlog.Segment{}, err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return commitlog.Segment{}, err
	}
	f, err := db.dir.Create(base.FileLog, num)
	if err != nil {
		return commitlog.Segment{}, err
	}
	err = storedir.NoSpace(f.Allocate(firstReserve))
	if err == nil {
		err = db.dir.Sync()
	}
	if err != nil {
		f.Close()
		db.removeFile(base.FileLog, num)
		return commitlog.Segment{}, err
	}
	seg := commitlog.Segment{
		Number: num, LogID: binary.LittleEndian.Uint64(id[:]) | 1, File: f,
		Allocate: f.Allocate, Closer: f, Reserved: firstReserve,
	}
	if z, ok := f.(vfs.Zeroer); ok {
		seg.Zero = z.Zero
	}
	return seg, nil
}

// closeAll closes and removes what is still on the shelf.
func (s *logShelf) closeAll(remove func(base.FileNum)) {
	s.making.Lock()
	defer s.making.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, seg := range s.made {
		seg.Closer.Close()
		remove(seg.Number)
	}
	s.made = nil
}
