package iterator

import (
	"bytes"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Merging walks several sources as one, in internal order, both ways. Of equal
// (key, sequence) pairs the earlier child's comes first.
//
// Children that stand on an entry are kept sorted, the nearest first, so the
// runner-up is always at hand:
//
//	order   [0] child 2  "cat…"   ← the entry the caller sees
//	        [1] child 0  "cow…"   ← runner-up: the top moves freely below it
//	        [2] child 1  "elk…"
//
// A sorted array beats a loser tree here: a store has about a dozen runs at the
// most, one of them holds nine keys in ten, and a tree would have to search for
// its runner-up. The order is by rank, the eight key bytes behind a prefix the
// children share; keys are compared whole only where ranks tie.
//
// A Merging is reusable (Init) and does not allocate once its slices have
// grown. It is not safe for concurrent use.
type Merging struct {
	kids    []child
	order   []place
	reverse bool
	err     error

	ref  []byte // a key with the shared prefix; copied
	skip int    // length of the shared prefix
	ties int    // whole-key comparisons since skip was chosen

	streak int // moves since the top last changed
	stream int // moves that need no comparison at all

	unranked bool // the top has moved and its rank stayed behind
	other    bool // the last move led to another key
}

// child is one source and the entry it stands on; nil at its end.
type child struct {
	it    Iterator
	aim   Aimer // it; nil if it is none
	entry *Entry
	reads bool // the seek that it was aimed for last reads a file
}

// place is a child's place in the order. A rank that is far stands for a key
// beyond every key with the shared prefix, in the direction of travel.
type place struct {
	rank uint64
	kid  int32
}

const (
	far = math.MaxUint64
	// The shared prefix is taken this much shorter than it could be, so that
	// children do not leave it every few keys.
	prefixSlack = 2
	// So many ties mean that the ranks no longer tell the keys apart.
	tooManyTies = 64
	// A child that stayed on top so long is asked for its stretch.
	streamAfter = 8
	// From so many children on a place is found by halves.
	searchByHalves = 16
)

// Init makes m the merge of the children, newest source first, positioned
// nowhere. The slice stays the caller's; the iterators are m's, and Close closes
// them. Nothing is read.
func (m *Merging) Init(children []Iterator) {
	m.kids, m.order = m.kids[:0], m.order[:0]
	for _, it := range children {
		aim, _ := it.(Aimer)
		m.kids = append(m.kids, child{it: it, aim: aim})
	}
	m.err, m.reverse, m.stream, m.streak = nil, false, 0, 0
	m.unranked, m.other = false, false
}

// First implements Iterator.
func (m *Merging) First() *Entry {
	for i := range m.kids {
		if !m.stand(i, m.kids[i].it.First()) {
			return nil
		}
	}
	return m.arrange(false)
}

// Last implements Iterator.
func (m *Merging) Last() *Entry {
	for i := range m.kids {
		if !m.stand(i, m.kids[i].it.Last()) {
			return nil
		}
	}
	return m.arrange(true)
}

// SeekGE implements Iterator.
func (m *Merging) SeekGE(key []byte, seq base.SeqNum) *Entry {
	m.aim(key, false)
	for i := range m.kids {
		if !m.stand(i, m.kids[i].it.SeekGE(key, seq)) {
			return nil
		}
	}
	return m.arrange(false)
}

// SeekLT implements Iterator.
func (m *Merging) SeekLT(key []byte) *Entry {
	m.aim(key, true)
	for i := range m.kids {
		if !m.stand(i, m.kids[i].it.SeekLT(key)) {
			return nil
		}
	}
	return m.arrange(true)
}

// aim aims all children. Where several will read a file, it begins the reads of all but
// the first, which is going to be read at once.
func (m *Merging) aim(key []byte, backward bool) {
	if len(m.kids) < 2 {
		return
	}
	reads := 0
	for i := range m.kids {
		if k := &m.kids[i]; k.aim != nil {
			if k.reads = k.aim.Aim(key, backward); k.reads {
				reads++
			}
		}
	}
	if reads < 2 {
		return
	}
	first := true
	for i := range m.kids {
		if k := &m.kids[i]; k.reads && !first {
			k.aim.Begin()
		} else if k.reads {
			first = false
		}
	}
}

// Next implements Iterator. While the top stays below the runner-up it costs
// one integer comparison, and none inside a block that ends below it.
func (m *Merging) Next() *Entry {
	if m.stream > 0 && !m.reverse {
		m.stream--
		return m.step(m.kids[m.order[0].kid].it.Next())
	}
	if len(m.order) == 0 || m.reverse && !m.turn(false) {
		return nil
	}
	return m.settle(m.kids[m.order[0].kid].it.Next())
}

// Prev implements Iterator; it costs what Next costs.
func (m *Merging) Prev() *Entry {
	if m.stream > 0 && m.reverse {
		m.stream--
		return m.step(m.kids[m.order[0].kid].it.Prev())
	}
	if len(m.order) == 0 || !m.reverse && !m.turn(true) {
		return nil
	}
	return m.settle(m.kids[m.order[0].kid].it.Prev())
}

// step takes the top's next entry inside a stretch that needs no comparison.
func (m *Merging) step(e *Entry) *Entry {
	m.kids[m.order[0].kid].entry = e
	m.unranked, m.other = true, false
	if e == nil { // the source promised more than it has
		m.stream = 0
		return m.settle(nil)
	}
	return e
}

// settle takes the entry the top moved to and returns the merge's new entry.
func (m *Merging) settle(e *Entry) *Entry {
	top := &m.order[0]
	if e == nil {
		return m.leave()
	}
	m.kids[top.kid].entry = e
	if len(m.order) == 1 {
		m.unranked, m.other = true, e.Sole
		return m.stay(e)
	}
	before := top.rank
	top.rank = m.rank(e.Key)
	if top.rank < m.order[1].rank {
		m.other = e.Sole || top.rank != before && !m.unranked
		m.unranked = false
		return m.stay(e)
	}
	m.streak = 0
	m.sink()
	m.other = m.order[0].rank != before && !m.unranked
	m.unranked = false
	if m.order[0].rank == far && m.skip > 0 || m.ties >= tooManyTies {
		m.rerank()
	}
	return m.kids[m.order[0].kid].entry
}

// stay counts a move that left the top where it was.
func (m *Merging) stay(e *Entry) *Entry {
	if m.streak++; m.streak >= streamAfter {
		m.streak = 0
		m.stream = m.stretch()
	}
	return e
}

// leave takes the top, which has come to its end, out of the order.
func (m *Merging) leave() *Entry {
	k := &m.kids[m.order[0].kid]
	k.entry = nil
	m.unranked, m.other = false, false
	if err := k.it.Err(); err != nil {
		return m.fail(err)
	}
	m.order = append(m.order[:0], m.order[1:]...)
	m.streak = 0
	if len(m.order) == 0 {
		return nil
	}
	if m.order[0].rank == far && m.skip > 0 {
		m.rerank()
	}
	return m.kids[m.order[0].kid].entry
}

// stand notes the entry child i was moved to; false means it failed.
func (m *Merging) stand(i int, e *Entry) bool {
	m.kids[i].entry = e
	if e == nil {
		if err := m.kids[i].it.Err(); err != nil {
			m.fail(err)
			return false
		}
	}
	return true
}

func (m *Merging) fail(err error) *Entry {
	m.err, m.stream, m.order = err, 0, m.order[:0]
	return nil
}

// arrange orders all children for travel in the given direction.
func (m *Merging) arrange(reverse bool) *Entry {
	m.reverse, m.err, m.stream, m.streak = reverse, nil, 0, 0
	m.unranked, m.other = false, false
	m.order = m.order[:0]
	for i := range m.kids {
		if m.kids[i].entry != nil {
			m.order = append(m.order, place{kid: int32(i)})
		}
	}
	if len(m.order) == 0 {
		return nil
	}
	if len(m.order) > 1 {
		m.rerank()
	}
	m.streak = streamAfter - 1 // whoever moves on from here is likely to move further
	return m.kids[m.order[0].kid].entry
}

// turn changes the direction: every child but the top is moved to the other
// side of the entry the merge stands on, which so remains the top. A source that grows meanwhile may need
// more than one move.
func (m *Merging) turn(reverse bool) bool {
	at := m.order[0].kid
	cur := *m.kids[at].entry
	for i := range m.kids {
		if int32(i) == at {
			continue
		}
		it, e := m.kids[i].it, m.kids[i].entry
		for first := true; first || e != nil && (m.behind(e, i, &cur, int(at)) == reverse); first = false {
			switch {
			case e == nil && reverse:
				e = it.Last()
			case e == nil:
				e = it.First()
			case reverse:
				e = it.Prev()
			default:
				e = it.Next()
			}
		}
		if !m.stand(i, e) {
			return false
		}
	}
	m.arrange(reverse)
	return true
}

// behind reports whether entry e of child i comes after entry c of child j in
// internal order.
func (m *Merging) behind(e *Entry, i int, c *Entry, j int) bool {
	if d := base.CompareInternal(e.Key, e.Seq, c.Key, c.Seq); d != 0 {
		return d > 0
	}
	return i > j
}

// rank places key among the keys with the shared prefix.
func (m *Merging) rank(key []byte) uint64 {
	if m.skip > 0 && (len(key) < m.skip || string(key[:m.skip]) != string(m.ref[:m.skip])) {
		return far
	}
	p := base.Prefix8(key, m.skip)
	if m.reverse {
		return ^p
	}
	return p
}

// rerank chooses the shared prefix anew, from where the children stand, and
// sorts them.
func (m *Merging) rerank() {
	first := m.kids[m.order[0].kid].entry.Key
	m.ref = append(m.ref[:0], first...)
	m.skip, m.ties = len(first), 0
	for _, p := range m.order[1:] {
		m.skip = min(m.skip, base.CommonPrefix(m.ref, m.kids[p.kid].entry.Key))
	}
	m.skip = max(0, m.skip-prefixSlack)
	for i := range m.order {
		m.order[i].rank = m.rank(m.kids[m.order[i].kid].entry.Key)
	}
	for i := 1; i < len(m.order); i++ {
		p, j := m.order[i], i
		for ; j > 0 && m.before(p, m.order[j-1]); j-- {
			m.order[j] = m.order[j-1]
		}
		m.order[j] = p
	}
	m.ties = 0
}

// before reports whether a comes before b in the direction of travel.
func (m *Merging) before(a, b place) bool {
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	m.ties++
	ea, eb := m.kids[a.kid].entry, m.kids[b.kid].entry
	return m.behind(ea, int(a.kid), eb, int(b.kid)) == m.reverse
}

// sink moves the top down to its place.
func (m *Merging) sink() {
	p, rest := m.order[0], m.order[1:]
	n := 0
	if len(rest) < searchByHalves {
		for n < len(rest) && (rest[n].rank < p.rank || rest[n].rank == p.rank && m.before(rest[n], p)) {
			m.order[n] = rest[n]
			n++
		}
		m.order[n] = p
		return
	}
	for hi := len(rest); n < hi; {
		if mid := int(uint(n+hi) >> 1); m.before(rest[mid], p) {
			n = mid + 1
		} else {
			hi = mid
		}
	}
	copy(m.order, rest[:n])
	m.order[n] = p
}

// stretch returns how many entries the top may yield without a comparison: the
// rest of its block, if that lies before the runner-up altogether.
func (m *Merging) stretch() int {
	r, ok := m.kids[m.order[0].kid].it.Block()
	if !ok || !m.clear(r) {
		return 0
	}
	if m.reverse {
		return r.Before
	}
	return r.After
}

// clear reports whether the block r of the top lies before the runner-up.
func (m *Merging) clear(r Block) bool {
	if len(m.order) == 1 {
		return true
	}
	key := m.kids[m.order[1].kid].entry.Key
	if m.reverse {
		return bytes.Compare(r.First, key) > 0
	}
	return bytes.Compare(r.Last, key) < 0
}

// Other reports whether the last Next or Prev is known to have led to another key
// than that of the entry before. False says nothing. It costs nothing.
func (m *Merging) Other() bool { return m.other }

// Stretch returns how many further moves in the same direction are known to stay
// inside the current block with no other source between; 0 if it is not known.
// It costs nothing, so ask it before Block.
func (m *Merging) Stretch() int { return m.stream }

// Look is Block, and Stretch is known at once and not after some moves.
func (m *Merging) Look() (r Block, ok bool) {
	m.streak = 0 // nobody need look again
	if r, ok = m.Block(); ok {
		m.stream = r.After + r.Before
	}
	return r, ok
}

// Lend hands the next n moves of a stretch to a caller who makes them on child
// kid itself, in the direction of travel. n is at most Stretch. Afterwards the
// merge stands where that child stands.
func (m *Merging) Lend(n int) (kid int) {
	m.stream -= n
	m.unranked = true
	return int(m.order[0].kid)
}

// Lead returns the child whose entry the merge stands on, and the key that the
// next child in the direction of travel stands on, nil if there is none. As long
// as the child does not come to that key, the caller may move it as it likes;
// afterwards the merge stands where the child stands.
func (m *Merging) Lead() (kid int, rival []byte) {
	m.unranked = true
	if len(m.order) > 1 {
		rival = m.kids[m.order[1].kid].entry.Key
	}
	return int(m.order[0].kid), rival
}

// Block implements Iterator: the stretch of the top's block that is still to
// come, if no other source has a key in it.
func (m *Merging) Block() (Block, bool) {
	k := &m.kids[m.order[0].kid]
	r, ok := k.it.Block()
	if !ok || !m.clear(r) {
		return Block{}, false
	}
	if m.reverse {
		r.Last, r.After = k.entry.Key, 0
	} else {
		r.First, r.Before = k.entry.Key, 0
	}
	return r, true
}

// Err implements Iterator: the first error of any child.
func (m *Merging) Err() error { return m.err }

// Close closes every child.
func (m *Merging) Close() error {
	for i := range m.kids {
		if err := m.kids[i].it.Close(); err != nil && m.err == nil {
			m.err = err
		}
		m.kids[i] = child{}
	}
	m.kids, m.order, m.stream = m.kids[:0], m.order[:0], 0
	return m.err
}
