package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
)

// locks are the file locks this process holds through OS. It is the package's
// one piece of state, and has to be: the operating system's locks are the
// process's, not ours, and on some file systems (NFS) do not exclude a second
// opener in the same process, or are dropped when any descriptor of the file is
// closed.
var locks lockRegistry

// lockRegistry is safe for concurrent use. A file is known by what os.SameFile
// compares, device and inode or their like, so that neither links nor relative
// names open one store twice.
type lockRegistry struct {
	mu   sync.Mutex
	held []*heldFile
}

// heldFile is a locked file with its one descriptor, however many shared
// holders this process has. Guarded by lockRegistry.mu.
type heldFile struct {
	file      *os.File
	info      fs.FileInfo
	exclusive bool
	holders   int
}

// errWouldBlock is what tryLock returns when another process has the lock.
var errWouldBlock = errors.New("would block")

// lock never waits for the lock. The file is not opened when this process holds
// it already: closing the second descriptor could drop the first one's lock.
func (r *lockRegistry) lock(name string, exclusive, create bool) (io.Closer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if info, err := os.Lstat(name); err == nil {
		if h := r.find(info); h != nil {
			if exclusive || h.exclusive {
				return nil, fmt.Errorf("%s: %w by this process", name, ErrLockHeld)
			}
			h.holders++
			return &osLock{registry: r, held: h}, nil
		}
	}
	h, err := lockFile(name, exclusive, create)
	if err != nil {
		return nil, err
	}
	r.held = append(r.held, h)
	return &osLock{registry: r, held: h}, nil
}

func (r *lockRegistry) find(info fs.FileInfo) *heldFile {
	for _, h := range r.held {
		if os.SameFile(h.info, info) {
			return h
		}
	}
	return nil
}

// lockFile opens name and takes the operating system's lock on it. A shared
// locker only reads, so that a store on a read-only medium can be locked.
func lockFile(name string, exclusive, create bool) (*heldFile, error) {
	flag := os.O_RDONLY
	if exclusive {
		flag = os.O_RDWR
	}
	if create {
		flag |= os.O_CREATE
	}
	f, err := openFile(name, flag)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = tryLock(f, exclusive)
	}
	if err == errWouldBlock {
		err = fmt.Errorf("%s: %w by %s", name, ErrLockHeld, holder(f, exclusive))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if exclusive {
		writePid(f)
	}
	return &heldFile{file: f, info: info, exclusive: exclusive, holders: 1}, nil
}

// holder names who has the lock on f. The pid in the file is an exclusive
// holder's; if a shared lock is to be had, the holders are shared ones and the
// pid is a leftover of a process that died.
func holder(f *os.File, exclusive bool) string {
	if exclusive && tryLock(f, false) == nil {
		return "readers in other processes"
	}
	var buf [24]byte
	n, _ := f.ReadAt(buf[:], 0)
	line, _, whole := strings.Cut(string(buf[:n]), "\n")
	if pid, err := strconv.Atoi(line); whole && err == nil {
		return "process " + strconv.Itoa(pid)
	}
	return "another process"
}

// writePid leaves this process's number for those that come too late. It is a
// courtesy: a full disk must not keep a store from opening.
func writePid(f *os.File) {
	if f.Truncate(0) == nil {
		f.WriteAt(append(strconv.AppendInt(nil, int64(os.Getpid()), 10), '\n'), 0)
	}
}

// osLock is one hold on a heldFile. The last hold's Close gives the file back.
type osLock struct {
	registry *lockRegistry
	held     *heldFile // nil once closed; guarded by registry.mu
}

// Close releases the lock; a second Close is fs.ErrClosed.
func (l *osLock) Close() error {
	l.registry.mu.Lock()
	defer l.registry.mu.Unlock()
	h := l.held
	if h == nil {
		return &fs.PathError{Op: "unlock", Path: "lock", Err: fs.ErrClosed}
	}
	l.held = nil
	h.holders--
	if h.holders > 0 {
		return nil
	}
	l.registry.forget(h)
	if h.exclusive {
		// The pid is only a hint: what matters is the unlock that follows.
		h.file.Truncate(0)
	}
	return errors.Join(unlock(h.file), h.file.Close())
}

func (r *lockRegistry) forget(h *heldFile) {
	for i := range r.held {
		if r.held[i] == h {
			r.held = append(r.held[:i], r.held[i+1:]...)
			return
		}
	}
}
