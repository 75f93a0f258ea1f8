package vfstest

import "slices"

// Remove removes a file or an empty directory.
func (d *Disk) Remove(name string) error {
	n, err := d.begin(Op{Kind: Remove, Name: name})
	if err != nil {
		return err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mem.Remove(name); err != nil {
		return err
	}
	dir, base := d.parent(name)
	d.bury(dir.entries[base])
	dir.change(nameOp{n: n, name: base})
	return nil
}

// staleFiles is how many removed files' contents a Disk keeps to put into torn
// places.
const staleFiles = 8

func (d *Disk) bury(node *inode) {
	if node == nil || node.dir {
		return
	}
	if content := node.current(); len(content) > 0 {
		d.stale = append(d.stale, content)
	}
	if len(d.stale) > staleFiles {
		d.stale = slices.Delete(d.stale, 0, len(d.stale)-staleFiles)
	}
}

// Rename moves a file or directory, replacing its like.
func (d *Disk) Rename(from, to string) error {
	n, err := d.begin(Op{Kind: Rename, Name: from, To: to})
	if err != nil {
		return err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mem.Rename(from, to); err != nil {
		return err
	}
	src, a := d.parent(from)
	dst, b := d.parent(to)
	node, old := src.entries[a], dst.entries[b]
	if node == old {
		return nil
	}
	d.bury(old)
	if src == dst {
		src.change(nameOp{n: n, name: a, to: b, node: node})
		return nil
	}
	dst.change(nameOp{n: n, to: b, node: node})
	src.change(nameOp{n: n, second: true, name: a})
	return nil
}

// Link gives a file a second name.
func (d *Disk) Link(from, to string) error {
	n, err := d.begin(Op{Kind: Link, Name: from, To: to})
	if err != nil {
		return err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mem.Link(from, to); err != nil {
		return err
	}
	node := d.find(from)
	dir, base := d.parent(to)
	dir.change(nameOp{n: n, to: base, node: node})
	return nil
}

// MkdirAll makes dir and what is missing above it. Each new directory is an atom
// of its own.
func (d *Disk) MkdirAll(dir string) error {
	n, err := d.begin(Op{Kind: Mkdir, Name: dir})
	if err != nil {
		return err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mem.MkdirAll(dir); err != nil {
		return err
	}
	node := d.root
	for _, part := range split(dir) {
		child := node.entries[part]
		if child == nil {
			child = d.newInode(true)
			node.change(nameOp{n: n, to: part, node: child})
		}
		node = child
	}
	return nil
}

// SyncDir makes the entries of dir durable, not what they name.
func (d *Disk) SyncDir(dir string) error {
	if _, err := d.begin(Op{Kind: SyncDir, Name: dir}); err != nil {
		return err
	}
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.mem.SyncDir(dir); err != nil || d.lying {
		return err
	}
	d.find(dir).syncNames()
	return nil
}
