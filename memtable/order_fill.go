package memtable

// orderFill fills an empty ordered index from one end to the other. It belongs
// to order; nobody reads the index yet.
type orderFill struct {
	o      *order
	leaf   *leaf    // the last
	branch *branch  // the last
	fences []uint32 // nodes whose keys are the fences of branch's leaves, but the first
	grown  int64
}

// fill puts the nodes of a run, each of another key and in key order, into the
// index, which is empty, and returns how many bytes that took. Leaves and
// branches are full but for the last.
func (o *order) fill(run []runRecord) (grown int64) {
	f := orderFill{o: o, leaf: o.first, branch: o.branches}
	for len(run) > 0 {
		n := min(len(run), pageCap)
		if f.leaf.n > 0 {
			f.open(run[0].node)
		}
		f.take(run[:n])
		run = run[n:]
	}
	f.closeLeaf()
	f.closeBranch()
	o.last, o.tail = f.leaf, f.branch
	if o.count >= 4 {
		o.relist(o.shared())
	} else {
		o.relist(nil)
	}
	return f.grown
}

// take puts nodes into the last leaf.
func (f *orderFill) take(run []runRecord) {
	a, l := f.o.arena, f.leaf
	for i, r := range run {
		l.ref[i] = r.node
		*a.word(r.node, nodeLeaf) = l.number
		l.raise(a.seq(a.head(r.node)))
	}
	l.n = uint16(len(run))
}

// open starts another leaf, and another branch if the last one is full. Fence is
// the node the leaf's fence is the key of.
func (f *orderFill) open(fence uint32) {
	right, grown := f.o.newLeaf()
	f.grown += grown
	right.lo = f.o.arena.key(fence)
	right.prev, f.leaf.next = f.leaf, right
	f.closeLeaf()
	f.leaf = right
	if len(f.fences) < pageCap {
		f.fences = append(f.fences, fence)
		f.branch.leaf[len(f.fences)] = right
		return
	}
	fresh := new(branch)
	fresh.key, fresh.leaf[0] = right.lo, right
	f.branch.link(fresh)
	f.closeBranch()
	f.branch = fresh
	f.o.count++
	f.grown += branchBytes
}

// closeLeaf chooses the prefixes of the last leaf, whose fences are known now.
func (f *orderFill) closeLeaf() {
	f.leaf.page.skip = -1 // no prefix is there yet
	f.leaf.fit(f.o.arena, f.leaf.lo, f.leaf.hi())
}

// closeBranch gives the last branch its fences.
func (f *orderFill) closeBranch() {
	b := f.branch
	b.n = uint16(copy(b.ref[:], f.fences))
	f.fences = f.fences[:0]
	b.page.skip = -1
	b.fit(f.o.arena, b.key, b.hi())
}
