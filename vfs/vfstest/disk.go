package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/vfs"
)

// Disk is a vfs.FS in memory whose power can be cut. It behaves as vfs.Mem does
// and remembers beside it what of each file and directory has been synced.
//
// It is safe for concurrent use. The operations that may change it (create,
// write, sync, syncdir, rename, remove, link, truncate, allocate, zero, mkdir; also
// those that fail) are numbered from 1 and run one at a time, hooks included: during a hook the state
// stands still. Reading goes on beside them.
type Disk struct {
	mem *vfs.Mem
	off atomic.Bool // the power is cut

	change sync.Mutex // held by each changing operation from its hook to its end
	hook   func(Op)   // under change
	cutAt  int64      // under change
	lying  bool       // under change

	mu    sync.Mutex // guards what follows, and what names mean; taken after change
	ops   int64
	root  *inode
	ids   int64
	stale [][]byte // contents of removed files, the newest last
}

// ErrPowerCut is what every call on a Disk returns after its power was cut. The
// Disk does not change any more, and Close succeeds so that no handle leaks.
var ErrPowerCut = errors.New("vfstest: power is cut")

// NewDisk returns an empty Disk. The order of what List returns follows from
// seed.
func NewDisk(seed uint64) *Disk {
	d := &Disk{mem: vfs.NewMem(), cutAt: math.MaxInt64}
	d.mem.Shuffle(seed)
	d.root = d.newInode(true)
	return d
}

// Ops returns how many changing operations there have been.
func (d *Disk) Ops() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// OnOp makes every changing operation call hook before it takes effect, in the
// goroutine that runs it, so that runtime.Callers tells the call site. The hook
// may take images and read, but a changing operation on the same Disk would wait
// for itself. A nil hook ends it.
//
// Images taken by the hooks of operations k and k+1 together show what a cut in
// the middle of k can leave.
func (d *Disk) OnOp(hook func(Op)) {
	d.change.Lock()
	defer d.change.Unlock()
	d.hook = hook
}

// CutAt cuts the power just before operation n: it and all later calls fail with
// ErrPowerCut. Images can still be taken. If n operations have already been, the
// power goes now.
func (d *Disk) CutAt(n int64) {
	d.change.Lock()
	defer d.change.Unlock()
	d.cutAt = n
	if d.Ops() >= n {
		d.off.Store(true)
	}
}

// Lie makes Sync and SyncDir succeed from now on without making anything
// durable, as drives do that ignore the flush command.
func (d *Disk) Lie(on bool) {
	d.change.Lock()
	defer d.change.Unlock()
	d.lying = on
}

// SetCapacity limits the bytes as vfs.Mem.SetCapacity does. Images have no limit.
func (d *Disk) SetCapacity(n int64) { d.mem.SetCapacity(n) }

// OpenFiles returns the sorted names of the files and locks still open.
func (d *Disk) OpenFiles() []string { return d.mem.OpenFiles() }

// begin numbers op and calls the hook. If it returns nil, d.change is held until
// the caller unlocks it.
func (d *Disk) begin(op Op) (int64, error) {
	d.change.Lock()
	d.mu.Lock()
	op.N = d.ops + 1
	if op.N >= d.cutAt {
		d.off.Store(true)
	}
	if d.off.Load() {
		d.mu.Unlock()
		d.change.Unlock()
		return 0, powerCut(op)
	}
	d.ops++
	d.mu.Unlock()
	d.runHook(op)
	return op.N, nil
}

// runHook lets go of the Disk when the hook does not return but ends its
// goroutine, as t.Fatal does.
func (d *Disk) runHook(op Op) {
	if d.hook == nil {
		return
	}
	returned := false
	defer func() {
		if !returned {
			d.change.Unlock()
		}
	}()
	d.hook(op)
	returned = true
}

func powerCut(op Op) error {
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: ErrPowerCut}
}

// alive is the check of the operations that change nothing.
func (d *Disk) alive(kind Kind, name string) error {
	if d.off.Load() {
		return powerCut(Op{Kind: kind, Name: name})
	}
	return nil
}

// Create makes an empty file.
func (d *Disk) Create(name string) (vfs.File, error) {
	n, err := d.begin(Op{Kind: Create, Name: name})
	if err != nil {
		return nil, err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.mem.Create(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{d: d, f: f, name: name, node: d.enter(n, name)}, nil
}

// Open opens a file for reading.
func (d *Disk) Open(name string) (vfs.File, error) { return d.open(name, Open, d.mem.Open) }

// OpenWrite opens a file for reading and for writing at its end.
func (d *Disk) OpenWrite(name string) (vfs.File, error) {
	return d.open(name, OpenWrite, d.mem.OpenWrite)
}

func (d *Disk) open(name string, kind Kind, open func(string) (vfs.File, error)) (vfs.File, error) {
	if err := d.alive(kind, name); err != nil {
		return nil, err
	}
	d.mu.Lock() // the name means one file in the Mem and here
	defer d.mu.Unlock()
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file := &diskFile{d: d, f: f, name: name, node: d.find(name)}
	if kind == OpenWrite {
		file.pos = info.Size()
	}
	return file, nil
}

// List returns the names in dir, shuffled.
func (d *Disk) List(dir string) ([]string, error) {
	if err := d.alive(List, dir); err != nil {
		return nil, err
	}
	return d.mem.List(dir)
}

// Stat describes a file or directory.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	if err := d.alive(Stat, name); err != nil {
		return nil, err
	}
	return d.mem.Stat(name)
}

// Free returns what is left of the capacity, -1 if there is no limit.
func (d *Disk) Free(dir string) int64 { return d.mem.Free(dir) }

// Lock locks within this Disk; images start unlocked. If it creates the file,
// that is a Create.
func (d *Disk) Lock(name string, exclusive, create bool) (io.Closer, error) {
	if err := d.alive(Lock, name); err != nil {
		return nil, err
	}
	if _, err := d.mem.Stat(name); create && errors.Is(err, fs.ErrNotExist) {
		f, err := d.Create(name)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return d.mem.Lock(name, exclusive, false)
}
