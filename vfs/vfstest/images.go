package vfstest

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Images yields at most n different images of a power cut now under p. P0 and P1
// have one. For P2 and P3 the telling ones come first: everything, nothing, each
// atom alone lost, each alone surviving (P3), each prefix of each stream (P2),
// for P3 all subsets where there are no more than n; then random ones. For P4
// and P5 all are random. It ends early when new ones get rare. d must stand
// still until it ends.
func (d *Disk) Images(p Profile, n int, rng *rand.Rand) iter.Seq[*Disk] {
	return func(yield func(*Disk) bool) {
		seen := map[uint64]bool{}
		next := func(img *Disk) bool {
			if h := img.Hash(); !seen[h] {
				seen[h] = true
				return yield(img)
			}
			return true
		}
		for keep := range d.telling(p, n) {
			if len(seen) >= n || !next(d.Survive(keep)) {
				return
			}
		}
		if p <= P1 {
			return
		}
		for try := 0; try < 2*n && len(seen) < n; try++ {
			if !next(d.Image(p, rng)) {
				return
			}
		}
	}
}

// telling yields the choices that are tried before the random ones.
func (d *Disk) telling(p Profile, n int) iter.Seq[func(int) bool] {
	return func(yield func(func(int) bool) bool) {
		switch p {
		case P0:
			yield(func(int) bool { return true })
		case P1:
			yield(func(int) bool { return false })
		case P2:
			d.prefixes(yield)
		case P3:
			d.subsets(n, yield)
		}
	}
}

func (d *Disk) subsets(n int, yield func(func(int) bool) bool) {
	count := len(d.Unsynced())
	if count < 16 && 1<<count <= n {
		for set := range 1 << count {
			if !yield(func(i int) bool { return set>>i&1 == 1 }) {
				return
			}
		}
		return
	}
	if !yield(func(int) bool { return true }) || !yield(func(int) bool { return false }) {
		return
	}
	for one := range count {
		if !yield(func(i int) bool { return i != one }) || !yield(func(i int) bool { return i == one }) {
			return
		}
	}
}

// prefixes cuts one stream at every place, the others being whole, then gone.
func (d *Disk) prefixes(yield func(func(int) bool) bool) {
	d.mu.Lock()
	atoms := d.atoms()
	d.mu.Unlock()
	for at := range atoms {
		for _, others := range []bool{true, false} {
			keep := func(i int) bool {
				if atoms[i].stream() == atoms[at].stream() {
					return i < at
				}
				return others
			}
			if !yield(keep) {
				return
			}
		}
	}
	yield(func(int) bool { return true })
}

// Hash returns a hash of the names and contents as the program sees them, equal
// for equal trees. What is synced and which names are links of one file do not
// show in it.
func (d *Disk) Hash() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var h xxhash.Digest
	h.Reset()
	hashDir(&h, d.root)
	return h.Sum64()
}

func hashDir(h *xxhash.Digest, dir *inode) {
	for _, name := range sortedNames(dir.entries) {
		n := dir.entries[name]
		h.WriteString(name)
		if n.dir {
			h.Write([]byte{0, 'd'})
			hashDir(h, n)
			h.Write([]byte{0, 'u'})
			continue
		}
		content := n.durable
		if len(n.writes) > 0 {
			content = n.current()
		}
		size := uint64(len(content))
		h.Write([]byte{0, 'f', byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24), byte(size >> 32)})
		h.Write(content)
	}
}

func sortedNames(entries map[string]*inode) []string {
	return slices.Sorted(maps.Keys(entries))
}
