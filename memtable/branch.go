package memtable

// A branch holds the fences of neighbouring leaves, and is what the skiplist
// finds by the fence of the first of them:
//
//	fence "k"    page    [    "m"    "p"    "s"    ]
//	            leaves  "k"    "m"    "p"    "s"
//
// It is guarded by order.mu.
type branch struct {
	fence
	next *branch
	leaf [pageCap + 1]*leaf // leaf[i+1] begins at the page's i-th key
	page
}

// hi returns the upper fence, nil if there is none.
func (b *branch) hi() []byte {
	if b.next == nil {
		return nil
	}
	return b.next.key
}

// find returns the index of the leaf between whose fences key lies.
func (b *branch) find(a *arena, key []byte) int {
	i, found := b.search(a, key)
	if found {
		i++
	}
	return i
}

// insert puts right behind the i-th leaf of a branch that has room. Fence is the
// node right's fence is the key of.
func (b *branch) insert(a *arena, i int, fence uint32, right *leaf) {
	n := int(b.n)
	copy(b.leaf[i+2:n+2], b.leaf[i+1:n+1])
	b.leaf[i+1] = right
	b.page.insert(a, i, right.lo, fence)
}

// split makes room in the full branch for a leaf behind its i-th, by moving its
// upper half to right, a new branch. It returns which branch the leaf now
// belongs into, and behind which leaf there.
func (b *branch) split(a *arena, i int, right *branch) (*branch, int) {
	const half = pageCap / 2
	copy(right.leaf[:], b.leaf[half+1:])
	clear(b.leaf[half+1:])
	right.key = right.leaf[0].lo
	b.moveUpper(half+1, &right.page)
	b.n = half
	b.link(right)
	b.fit(a, b.key, right.key)
	right.fit(a, right.key, right.hi())
	if i > half {
		return right, i - half - 1
	}
	return b, i
}

// follow makes right, a new branch, begin with a leaf that comes behind all of
// b's. What b skips is still right between narrower fences.
func (b *branch) follow(a *arena, right *branch, first *leaf) {
	right.key, right.leaf[0] = first.lo, first
	b.link(right)
	right.fit(a, right.key, right.hi())
}

func (b *branch) link(right *branch) {
	right.branch = right
	right.next, b.next = b.next, right
}
