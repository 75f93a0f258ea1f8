package vfstest

import (
	"math"
	"path"
	"slices"
	"strings"
)

// inode is what a Disk remembers of a file or directory: what is durable, and
// the changes since, in order. All of it is guarded by Disk.mu.
type inode struct {
	id  int64 // in order of creation
	dir bool

	name    string // a file's, when it was created
	durable []byte // a file's synced bytes; never changed in place once shared
	shared  bool   // durable belongs to another Disk too
	writes  []dataOp

	entries map[string]*inode // a directory as it is now
	synced  map[string]*inode // and as it was at its last SyncDir
	names   []nameOp          // what lies between
}

// dataOp is one change of a file's bytes that is not durable.
type dataOp struct {
	n    int64 // the operation's number
	kind Kind  // Write, Truncate or Allocate
	off  int64 // where a write begins; else the size
	data []byte
	// orphan says that a failed sync has forgotten this write: no later sync
	// makes it durable.
	orphan bool
}

// nameOp is one change of a directory's entries that is not durable: name goes
// if it is set, to comes to mean node if it is set. A rename within a directory
// has both.
type nameOp struct {
	n        int64
	second   bool // the later of an operation's two changes
	name, to string
	node     *inode
}

func (o nameOp) apply(entries map[string]*inode) {
	if o.name != "" {
		delete(entries, o.name)
	}
	if o.to != "" {
		entries[o.to] = o.node
	}
}

// resized returns b with the length size, new bytes being zeros.
func resized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// written returns b with data at off, longer if need be.
func written(b []byte, off int64, data []byte) []byte {
	if end := off + int64(len(data)); end > int64(len(b)) {
		b = resized(b, end)
	}
	copy(b[off:], data)
	return b
}

// apply returns b, which it may change in place, after o.
func (o dataOp) apply(b []byte) []byte {
	switch {
	case o.kind == Write:
		return written(b, o.off, o.data)
	case o.kind == Truncate:
		return resized(b, o.off)
	}
	return resized(b, max(o.off, int64(len(b)))) // Allocate only grows
}

// sync makes the changes durable, but for orphans. What is left of those lies
// outside of all that was synced after them, so that it cannot undo any of it.
func (f *inode) sync() {
	if len(f.writes) == 0 {
		return
	}
	if f.shared {
		f.durable, f.shared = slices.Clone(f.durable), false
	}
	var orphans []dataOp
	for _, o := range f.writes {
		if o.orphan {
			orphans = append(orphans, o)
			continue
		}
		f.durable = o.apply(f.durable)
		orphans = o.clip(orphans)
	}
	f.writes = orphans
}

// clip returns the parts of some writes that o leaves as they were.
func (o dataOp) clip(writes []dataOp) []dataOp {
	lo, hi := o.off, o.off+int64(len(o.data))
	switch o.kind {
	case Allocate:
		return writes
	case Truncate:
		hi = math.MaxInt64
	}
	var left []dataOp
	for _, w := range writes {
		end := w.off + int64(len(w.data))
		before, after := w, w
		if w.off < lo {
			before.data = w.data[:min(end, lo)-w.off]
			left = append(left, before)
		}
		if end > hi {
			after.off = max(w.off, hi)
			after.data = w.data[after.off-w.off:]
			left = append(left, after)
		}
	}
	return left
}

// current returns a copy of the bytes as the program sees them.
func (f *inode) current() []byte {
	b := slices.Clone(f.durable)
	for _, o := range f.writes {
		b = o.apply(b)
	}
	return b
}

func (d *Disk) newInode(dir bool) *inode {
	d.ids++
	n := &inode{id: d.ids, dir: dir}
	if dir {
		n.entries, n.synced = map[string]*inode{}, map[string]*inode{}
	}
	return n
}

// split returns the parts of a name as vfs.Mem understands it.
func split(name string) []string {
	name = strings.TrimPrefix(path.Clean(name), "/")
	if name == "." || name == "" {
		return nil
	}
	return strings.Split(name, "/")
}

// find returns the inode of a name that the Mem has found.
func (d *Disk) find(name string) *inode {
	n := d.root
	for _, part := range split(name) {
		n = n.entries[part]
	}
	return n
}

// parent returns the directory of a name that the Mem has found.
func (d *Disk) parent(name string) (*inode, string) {
	parts := split(name)
	n := d.root
	for _, part := range parts[:len(parts)-1] {
		n = n.entries[part]
	}
	return n, parts[len(parts)-1]
}

// enter makes a new file at a name, as operation n.
func (d *Disk) enter(n int64, name string) *inode {
	dir, base := d.parent(name)
	node := d.newInode(false)
	node.name = name
	dir.change(nameOp{n: n, to: base, node: node})
	return node
}

// change applies o now, and durably at the next sync.
func (f *inode) change(o nameOp) {
	o.apply(f.entries)
	f.names = append(f.names, o)
}

// syncNames makes a directory's entries durable.
func (f *inode) syncNames() {
	for _, o := range f.names {
		o.apply(f.synced)
	}
	f.names = nil
}
