package vfstest

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/siltstonedb/siltstone/vfs"
)

// diskFile is an open file of a Disk: the Mem's, which holds the bytes, and the
// inode, which knows what of them is durable.
type diskFile struct {
	d    *Disk
	f    vfs.File
	name string
	node *inode
	pos  int64 // where the Mem's file will write next
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.d.alive(Read, f.name); err != nil {
		return 0, err
	}
	return f.f.ReadAt(p, off)
}

func (f *diskFile) Stat() (fs.FileInfo, error) {
	if err := f.d.alive(Stat, f.name); err != nil {
		return nil, err
	}
	return f.f.Stat()
}

// Close works without power too.
func (f *diskFile) Close() error { return f.f.Close() }

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.d.begin(Op{Kind: Write, Name: f.name, Off: f.pos, Len: len(p)})
	if err != nil {
		return 0, err
	}
	defer f.d.change.Unlock()
	done, err := f.f.Write(p)
	if done > 0 {
		f.record(dataOp{n: n, kind: Write, off: f.pos, data: slices.Clone(p[:done])})
		f.pos += int64(done)
	}
	return done, err
}

func (f *diskFile) Truncate(size int64) error {
	n, err := f.d.begin(Op{Kind: Truncate, Name: f.name, Off: size})
	if err != nil {
		return err
	}
	defer f.d.change.Unlock()
	if err := f.f.Truncate(size); err != nil {
		return err
	}
	f.record(dataOp{n: n, kind: Truncate, off: size})
	f.pos = min(f.pos, size)
	return nil
}

func (f *diskFile) Allocate(size int64) error {
	n, err := f.d.begin(Op{Kind: Allocate, Name: f.name, Off: size})
	if err != nil {
		return err
	}
	defer f.d.change.Unlock()
	if err := f.f.Allocate(size); err != nil {
		return err
	}
	f.record(dataOp{n: n, kind: Allocate, off: size})
	return nil
}

// Zero implements vfs.Zeroer. What it fills reads as zeros already: it is recorded
// as the write that it is, which a power cut may take away or tear.
func (f *diskFile) Zero(from, to int64) error {
	n, err := f.d.begin(Op{Kind: Zero, Name: f.name, Off: from, Len: int(to - from)})
	if err != nil {
		return err
	}
	defer f.d.change.Unlock()
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if from < f.pos || to > info.Size() {
		return fmt.Errorf("vfstest: zeros from %d to %d of %s, whose position is %d and length %d", from, to, f.name, f.pos, info.Size())
	}
	if from < to {
		f.record(dataOp{n: n, kind: Write, off: from, data: make([]byte, to-from)})
	}
	return nil
}

func (f *diskFile) record(o dataOp) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.node.writes = append(f.node.writes, o)
}

func (f *diskFile) Sync() error {
	if _, err := f.d.begin(Op{Kind: Sync, Name: f.name}); err != nil {
		return err
	}
	defer f.d.change.Unlock()
	if err := f.f.Sync(); err != nil || f.d.lying {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.node.sync()
	return nil
}

// forget is a sync that fails as Linux file systems do: pages that were to be
// written count as clean from now on and no later sync writes them. Lengths,
// which the file system's journal keeps, still wait for the next one.
func (f *diskFile) forget() {
	f.d.change.Lock()
	defer f.d.change.Unlock()
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for i := range f.node.writes {
		if o := &f.node.writes[i]; o.kind == Write {
			o.orphan = true
		}
	}
}

// revert is a sync that fails and takes the file's bytes, but not its length,
// back to what is on the disk. Bytes behind the position become zeros.
func (f *diskFile) revert() error {
	f.d.change.Lock()
	defer f.d.change.Unlock()
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	now := f.node.current()
	size := int64(len(now))
	old := resized(slices.Clone(f.node.durable), size)
	// Readers may be at work in front of the first difference: leave it alone.
	first := int64(0)
	for first < size && now[first] == old[first] {
		first++
	}
	if first >= f.pos {
		return nil
	}
	if err := f.f.Truncate(first); err != nil {
		return err
	}
	if _, err := f.f.Write(old[first:f.pos]); err != nil {
		return err
	}
	f.node.writes = []dataOp{{n: f.d.ops, kind: Truncate, off: size}}
	return f.f.Truncate(size)
}
