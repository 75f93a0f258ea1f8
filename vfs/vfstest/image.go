package vfstest

import (
	"cmp"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
)

// Image returns what the disk holds after a power cut now: a new, independent
// Disk with the synced state and those atoms that p lets survive. In it
// everything is durable, nothing open or locked, no operation counted. The same
// history, profile and state of rng give the same image. rng may be nil for P0
// and P1. d does not change; the cost is a copy of the content.
//
// d must stand still if the image is to belong to one known moment: in a hook,
// after CutAt, or when nobody writes.
func (d *Disk) Image(p Profile, rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	atoms := d.atoms()
	return d.build(atoms, p.draw(atoms, d, rng))
}

// Unsynced returns the atoms a power cut now could take, in order. A created
// file name, by Create or Link, is a Create with To the entry and Name empty; a
// new directory is a Mkdir of the same kind; a lost name is a Remove, with Name
// the entry. Entries are named within their directory, files by the name they
// were created under.
func (d *Disk) Unsynced() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	atoms := d.atoms()
	ops := make([]Op, len(atoms))
	for i, a := range atoms {
		ops[i] = a.op()
	}
	return ops
}

// Survive returns the image in which exactly those atoms survive, whole, whose
// index in Unsynced keep answers true. Between Unsynced and Survive d must stand
// still.
func (d *Disk) Survive(keep func(i int) bool) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	atoms := d.atoms()
	fates := make([]fate, len(atoms))
	for i := range fates {
		fates[i].kept = keep(i)
	}
	return d.build(atoms, fates)
}

// atom is one change of one inode that is not durable: one of data and name.
type atom struct {
	node *inode
	data *dataOp
	name *nameOp
}

// order is twice the operation's number, one more for its second change.
func (a atom) order() int64 {
	switch {
	case a.data != nil:
		return 2 * a.data.n
	case a.name.second:
		return 2*a.name.n + 1
	}
	return 2 * a.name.n
}

func (a atom) op() Op {
	switch {
	case a.data != nil:
		return Op{N: a.data.n, Kind: a.data.kind, Name: a.node.name, Off: a.data.off, Len: len(a.data.data)}
	case a.name.name != "" && a.name.to != "":
		return Op{N: a.name.n, Kind: Rename, Name: a.name.name, To: a.name.to}
	case a.name.name != "":
		return Op{N: a.name.n, Kind: Remove, Name: a.name.name}
	case a.name.node.dir:
		return Op{N: a.name.n, Kind: Mkdir, To: a.name.to}
	}
	return Op{N: a.name.n, Kind: Create, To: a.name.to}
}

// fate is what a power cut does to an atom. The zero fate takes it.
type fate struct {
	kept   bool
	pieces []piece // of a write that is kept: only these, if not nil
	// fill, for a write that is lost though the file has its length: the bytes
	// found in its place beyond the file's durable length.
	fill func(p []byte, off int64)
}

// piece is a part of a torn write: bytes lo to hi of it, replaced by noise if
// that is set.
type piece struct {
	lo, hi int
	noise  []byte
}

// atoms returns all changes that are not durable, of every inode that any image
// could still show, in the order of operations.
func (d *Disk) atoms() []atom {
	var all []atom
	seen := map[*inode]bool{d.root: true}
	queue := []*inode{d.root}
	visit := func(n *inode) {
		if n != nil && !seen[n] {
			seen[n] = true
			queue = append(queue, n)
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for i := range n.writes {
			all = append(all, atom{node: n, data: &n.writes[i]})
		}
		for i := range n.names {
			all = append(all, atom{node: n, name: &n.names[i]})
			visit(n.names[i].node)
		}
		for _, child := range n.synced {
			visit(child)
		}
	}
	slices.SortStableFunc(all, func(a, b atom) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.node.id, b.node.id))
	})
	return all
}

// builder makes an image.
type builder struct {
	img   *Disk
	atoms map[*inode][]int // indexes of an inode's atoms
	all   []atom
	fates []fate
	made  map[*inode]string // the first name of what is in the image
	nodes map[*inode]*inode
	err   error
}

func (d *Disk) build(atoms []atom, fates []fate) *Disk {
	img := NewDisk(uint64(d.ops))
	b := &builder{
		img: img, all: atoms, fates: fates,
		atoms: map[*inode][]int{}, made: map[*inode]string{}, nodes: map[*inode]*inode{},
	}
	for i, a := range atoms {
		b.atoms[a.node] = append(b.atoms[a.node], i)
	}
	img.stale = slices.Clone(d.stale)
	b.directory(d.root, img.root, "")
	if b.err != nil {
		img.off.Store(true) // nobody may take half an image for a whole one
	}
	return img
}

// directory fills the image's directory to, whose name is prefix, with what
// survives of from.
func (b *builder) directory(from, to *inode, prefix string) {
	b.made[from] = prefix
	entries := maps.Clone(from.synced)
	for _, i := range b.atoms[from] {
		if b.fates[i].kept {
			b.all[i].name.apply(entries)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		b.entry(entries[name], to, prefix, name)
	}
}

func (b *builder) entry(node, dir *inode, prefix, name string) {
	full := prefix + name
	first, twice := b.made[node]
	switch {
	case twice && node.dir:
		// Half of a move between directories can show a directory at both places;
		// no file system mounts that, its check drops the second.
		return
	case twice:
		b.check(b.img.mem.Link(first, full))
	case node.dir:
		b.check(b.img.mem.MkdirAll(full))
		b.nodes[node] = b.img.newInode(true)
		b.directory(node, b.nodes[node], full+"/")
	default:
		b.file(node, full)
	}
	dir.entries[name] = b.nodes[node]
	dir.synced[name] = b.nodes[node]
}

// file puts what survives of a file into the image. Where no atom survives the
// synced bytes are shared, copied by whoever changes them first.
func (b *builder) file(node *inode, name string) {
	copied := b.img.newInode(false)
	copied.name = name
	b.made[node], b.nodes[node] = name, copied
	copied.durable, copied.shared = node.durable, true
	if content, changed := b.content(node); changed {
		copied.durable, copied.shared = content, false
	} else {
		node.shared = true
	}
	f, err := b.img.mem.Create(name)
	if err != nil {
		b.check(err)
		return
	}
	_, err = f.Write(copied.durable)
	b.check(errors.Join(err, f.Close()))
}

func (b *builder) content(node *inode) ([]byte, bool) {
	var content []byte
	changed := false
	safe := int64(len(node.durable)) // what lies below was on the disk before
	for _, i := range b.atoms[node] {
		o, f := b.all[i].data, b.fates[i]
		if !f.kept && f.fill == nil {
			continue
		}
		if !changed {
			content, changed = slices.Clone(node.durable), true
		}
		switch {
		case f.pieces != nil:
			content = tear(content, *o, f.pieces)
		case f.kept:
			content = o.apply(content)
			if o.kind == Truncate {
				safe = min(safe, o.off)
			}
		default:
			content = lose(content, *o, safe, f.fill)
		}
	}
	return content, changed
}

// tear applies some pieces of a write.
func tear(content []byte, o dataOp, pieces []piece) []byte {
	for _, p := range pieces {
		data := o.data[p.lo:p.hi]
		if p.noise != nil {
			data = p.noise
		}
		content = written(content, o.off+int64(p.lo), data)
	}
	return content
}

// lose gives content the length that o gave it, but not the bytes.
func lose(content []byte, o dataOp, safe int64, fill func([]byte, int64)) []byte {
	end := o.off + int64(len(o.data))
	content = resized(content, max(end, int64(len(content))))
	if from := max(o.off, safe); from < end {
		fill(content[from:end], from)
	}
	return content
}

// check keeps the first error. An image is built from what a Mem has accepted
// before, so that none is expected.
func (b *builder) check(err error) {
	if b.err == nil {
		b.err = err
	}
}
