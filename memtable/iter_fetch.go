package memtable

import "sync/atomic"

// fetcher asks for the memory of nodes ahead of their turn, in the direction of
// travel, and never waits for it. Nodes lie anywhere in the arena: met unprepared
// each costs a walk the time of a cache miss or more.
//
//	 i            looked        asked
//	─┼──────────────┼─────────────┼───────────→
//	 │ all is here, │ the node is │
//	 │ or comes     │ here, or    │
//	 │              │ comes       │
//
// A node is asked for as long as its neighbours were, and by the time it is
// looked at it has come: whatever of its newest version lies elsewhere or beyond
// is asked for then. It asks for few nodes behind a seek, which may be all that
// is read, and for more with each step.
type fetcher struct {
	looked, asked int // steps from the end of the copy where the walk came in
	step          int // how many nodes it asks for next
	bytes         int // from a node's begin to its value's end, of late
	// It goes on at the node of this index or behind it; another direction of
	// travel is met at the first node.
	above, below int
}

const (
	fetchFirst = 2 // nodes behind a seek
	fetchMost  = 4
	// The least and the most that is asked for of a node.
	leastFetch = 64
	mostFetch  = 256
)

// start forgets what was asked for: the iterator was sought.
func (f *fetcher) start() {
	f.step = fetchFirst
	f.enter()
}

// enter begins with another copy.
func (f *fetcher) enter() { f.above, f.below = -1, pageCap }

// forward prepares for the i-th node of the copy and those behind it.
func (f *fetcher) forward(it *Iter, i int) {
	if i > f.above {
		f.ahead(it, i)
	}
}

// backward prepares for the i-th node of the copy and those before it.
func (f *fetcher) backward(it *Iter, i int) {
	if i < f.below {
		f.behind(it, i)
	}
}

func (f *fetcher) ahead(it *Iter, i int) {
	if f.above < 0 || i >= f.asked {
		f.looked, f.asked = i, i
	}
	nodes := it.node[:it.n]
	most := min(f.asked+f.step, it.n)
	f.ask(it, nodes[f.asked:most])
	if f.looked = max(f.looked, i+1); f.looked < f.asked {
		f.look(it, nodes[f.looked:f.asked])
	}
	f.looked, f.asked = f.asked, most
	f.step = min(f.step+1, fetchMost)
	f.above, f.below = max(i, f.looked-fetchMost), it.n
	if most == it.n && f.looked == most {
		f.above = it.n // all of the copy is here
	}
}

func (f *fetcher) behind(it *Iter, i int) {
	if f.below >= it.n || i < f.asked {
		f.looked, f.asked = i+1, i+1
	}
	nodes := it.node[:it.n]
	least := max(f.asked-f.step, 0)
	f.ask(it, nodes[least:f.asked])
	if f.looked = min(f.looked, i); f.looked > f.asked {
		f.look(it, nodes[f.asked:f.looked])
	}
	f.looked, f.asked = f.asked, least
	f.step = min(f.step+1, fetchMost)
	f.below, f.above = min(i, f.looked+fetchMost), -1
	if least == 0 && f.looked == 0 {
		f.below = 0
	}
}

// ask asks for nodes, as much of each as it was of the one where the iterator
// stood last.
func (f *fetcher) ask(it *Iter, nodes []uint32) {
	f.bytes = nodeSize(len(it.entry.Key)) + versionHeader + inlineBytes(len(it.entry.Value))
	n := min(max(f.bytes, leastFetch), mostFetch)
	for _, node := range nodes {
		it.t.arena.spot(node).fetch(0, n)
	}
}

// look asks for what is missing of nodes that were asked for.
func (f *fetcher) look(it *Iter, nodes []uint32) {
	a := &it.t.arena
	for _, node := range nodes {
		s := a.spot(node)
		size := nodeSize(int(*s.word(nodeKeyLen)))
		head := atomic.LoadUint32(s.word(nodeHead))
		if head != node+uint32(size/unitBytes) {
			a.spot(head).fetch(0, min(max(f.bytes-size, leastFetch), mostFetch))
			continue
		}
		if asked := max(f.bytes, leastFetch); !it.keysOnly && asked < mostFetch {
			n := size + versionHeader + inlineBytes(int(*s.word(uintptr(size) + versionLen)&^jumps))
			if n > asked {
				s.fetch(uintptr(asked), min(n, mostFetch)-asked)
			}
		}
	}
}
