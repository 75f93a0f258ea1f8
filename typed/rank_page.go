package typed

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// rankPage is a page of the counted order that a call changes. Pages are written
// when the call saves: once, however many members came or went.
type rankPage struct {
	level    uint8
	boundary string
	entries  []rankEntry
	stored   string // the row's value; empty: there is no row
	gone     bool   // the row is to be deleted
}

type rankEntry struct {
	boundary string
	members  uint64
}

type pageID struct {
	level    uint8
	boundary string
}

// rankPages are the pages a call has come by, in that order.
type rankPages struct {
	list []*rankPage
	byID map[pageID]*rankPage
}

// page returns the page as the call has left it so far.
func (c *collection) page(t Txn, level uint8, boundary string) (*rankPage, error) {
	if p := c.pages.byID[pageID{level, boundary}]; p != nil && !p.gone {
		return p, nil
	}
	value, err := c.readPage(t, level, []byte(boundary))
	if err != nil {
		return nil, err
	}
	p := c.newPage(level, boundary)
	p.stored = string(value)
	for rest := value; len(rest) > 0; {
		b, members, next, ok := nextRankEntry(rest)
		if !ok || len(p.entries) > 0 && string(b) <= p.entries[len(p.entries)-1].boundary {
			return nil, corrupt(c.name, errBucket)
		}
		if p.entries == nil {
			p.entries = make([]rankEntry, 0, shape.fan+2)
		}
		start := cap(value) - cap(b) // where b begins: boundaries are parts of stored
		p.entries = append(p.entries, rankEntry{p.stored[start : start+len(b)], members})
		rest = next
	}
	if p.entries[0].boundary != boundary {
		return nil, corrupt(c.name, errBucket)
	}
	return p, nil
}

// newPage returns an empty page, in place of the one of its level and boundary
// that may have been deleted.
func (c *collection) newPage(level uint8, boundary string) *rankPage {
	id := pageID{level, boundary}
	if p := c.pages.byID[id]; p != nil {
		p.entries, p.gone = nil, false
		return p
	}
	if c.pages.byID == nil {
		c.pages.byID = map[pageID]*rankPage{}
	}
	p := &rankPage{level: level, boundary: boundary}
	c.pages.byID[id] = p
	c.pages.list = append(c.pages.list, p)
	return p
}

// find returns the entry that covers key.
func (p *rankPage) find(key []byte) int {
	return sort.Search(len(p.entries), func(i int) bool { return p.entries[i].boundary > string(key) }) - 1
}

func (p *rankPage) members() (n uint64) {
	for _, e := range p.entries {
		n += e.members
	}
	return n
}

// writePages writes the pages that the call changed.
func (c *collection) writePages(t Txn) error {
	sc := t.Scratch()
	for _, p := range c.pages.list {
		if p.gone {
			if p.stored == "" {
				continue
			}
			if err := t.Delete(c.pageRow(t, p.level, []byte(p.boundary))); err != nil {
				return err
			}
			continue
		}
		sc.out = sc.out[:0]
		for _, e := range p.entries {
			sc.out = binary.AppendUvarint(sc.out, uint64(len(e.boundary)))
			sc.out = append(sc.out, e.boundary...)
			sc.out = binary.AppendUvarint(sc.out, e.members)
		}
		if string(sc.out) == p.stored {
			continue
		}
		if err := t.Put(c.pageRow(t, p.level, []byte(p.boundary)), record.TypeNone, 0, sc.out); err != nil {
			return err
		}
	}
	c.pages = rankPages{}
	return nil
}

// recount says that by members came into the bucket of key, or left it if that is
// negative; their rows are already written. Cost: a page per level, which are
// written by save.
func (c *collection) recount(t Txn, key []byte, by int64) error {
	var path [maxRankLevels + 1]pageStep
	boundary := ""
	for level := c.ranks.levels; level > 0; level-- {
		p, err := c.page(t, level, boundary)
		if err != nil {
			return err
		}
		i := p.find(key)
		if i < 0 {
			return corrupt(c.name, errBucket)
		}
		e := &p.entries[i]
		if e.members += uint64(by); e.members > 1<<62 {
			return corrupt(c.name, errBucket)
		}
		path[level], boundary = pageStep{p, i}, e.boundary
	}
	if c.ranks.levels == 0 {
		return nil
	}
	if err := c.fitBucket(t, path[1]); err != nil {
		return err
	}
	return c.fitPages(t, path[:c.ranks.levels+1])
}

// recountMove says that a member went from one key of the order to another.
func (c *collection) recountMove(t Txn, from, to []byte) error {
	if err := c.recount(t, from, -1); err != nil {
		return err
	}
	return c.recount(t, to, 1)
}

// pageStep is an entry of a page on the way from the root to a bucket.
type pageStep struct {
	page *rankPage
	i    int
}

// fitBucket splits the bucket if it is too large, and joins it with a neighbour
// in its page if that makes a bucket of fair size.
func (c *collection) fitBucket(t Txn, s pageStep) error {
	e := s.page.entries
	size := func(i int) uint64 { return e[i].members }
	switch most := uint64(shape.bucket); {
	case size(s.i) > most:
		half := size(s.i) / 2
		sep, err := c.separator(t, []byte(e[s.i].boundary), half)
		if err != nil {
			return err
		}
		rest := rankEntry{sep, size(s.i) - half}
		e[s.i].members = half
		s.page.entries = slices.Insert(e, s.i+1, rest)
	case size(s.i) >= most/4 && size(s.i) > 0:
	case s.i+1 < len(e) && size(s.i)+size(s.i+1) <= most*3/4:
		s.page.join(s.i)
	case s.i > 0 && size(s.i-1)+size(s.i) <= most*3/4:
		s.page.join(s.i - 1)
	}
	return nil
}

// join makes one entry of an entry and the next.
func (p *rankPage) join(i int) {
	p.entries[i].members += p.entries[i+1].members
	p.entries = slices.Delete(p.entries, i+1, i+2)
}

// fitPages splits and joins the pages of a path, from the lowest upwards, as far
// as they got too large or too small, and fits the number of levels.
func (c *collection) fitPages(t Txn, path []pageStep) error {
	for level := 1; level < len(path); level++ {
		p := path[level].page
		switch {
		case len(p.entries) > shape.fan:
			half := len(p.entries) / 2
			right := c.newPage(p.level, p.entries[half].boundary)
			right.entries = append(right.entries, p.entries[half:]...)
			p.entries = p.entries[:half:half]
			c.splitParent(path, level, p, right)
		case len(p.entries) < max(shape.fan/4, 2) && level+1 < len(path):
			if err := c.joinPage(t, path[level+1]); err != nil {
				return err
			}
		}
	}
	for c.ranks.levels > 1 {
		root, err := c.page(t, c.ranks.levels, "")
		if err != nil {
			return err
		}
		if len(root.entries) > 1 {
			break
		}
		root.gone = true
		c.ranks.levels--
	}
	return nil
}

// splitParent enters a page that was split off into the one above, which is made
// if there is none.
func (c *collection) splitParent(path []pageStep, level int, left, right *rankPage) {
	half := rankEntry{right.boundary, right.members()}
	if level+1 < len(path) {
		up := path[level+1]
		up.page.entries[up.i].members -= half.members
		up.page.entries = slices.Insert(up.page.entries, up.i+1, half)
		return
	}
	if c.ranks.levels == maxRankLevels {
		return // more members than there can be
	}
	c.ranks.levels++
	root := c.newPage(c.ranks.levels, "")
	root.entries = []rankEntry{{left.boundary, left.members()}, half}
}

// joinPage joins the page of an entry with a neighbour under the same parent, if
// one page can hold both with room left.
func (c *collection) joinPage(t Txn, up pageStep) error {
	for _, i := range [...]int{up.i, up.i - 1} {
		e := up.page.entries
		if i < 0 || i+1 >= len(e) {
			continue
		}
		left, err := c.page(t, up.page.level-1, e[i].boundary)
		if err != nil {
			return err
		}
		right, err := c.page(t, up.page.level-1, e[i+1].boundary)
		if err != nil {
			return err
		}
		if len(left.entries)+len(right.entries) > shape.fan*3/4 {
			continue
		}
		left.entries = append(left.entries, right.entries...)
		right.gone = true
		up.page.join(i)
		return nil
	}
	return nil
}

// separator returns a boundary in front of the row so many rows behind a boundary.
// Names may be long, so it is as short as tells that row from the one before.
func (c *collection) separator(t Txn, boundary []byte, rows uint64) (string, error) {
	cur, err := c.scanOrder(t, boundary, nil)
	if err != nil {
		return "", err
	}
	defer cur.Close()
	head := keyenc.CollectionHeaderLen(t.Prefix())
	var last []byte
	for ; cur.Next(); rows-- {
		if rows == 0 {
			return separate(last, cur.Key()[head:]), nil
		}
		last = append(last[:0], cur.Key()[head:]...)
	}
	return "", c.orCorrupt(cur.Err())
}

// separate returns the shortest prefix of b that is above a, which is below b.
func separate(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return string(b[:min(i+1, len(b))])
}

// fitRanks has the order counted if the set got large, and no more if it got
// small. A large set that a version without counted orders wrote is counted by
// the first call that writes to it: a walk of it all, once.
func (c *collection) fitRanks(t Txn) error {
	switch {
	case c.meta.Count == 0:
		c.pages = rankPages{} // all rows go
	case c.ranks.levels == 0 && c.meta.Count > shape.build:
		return c.buildRanks(t)
	case c.ranks.levels > 0 && c.meta.Count < shape.drop:
		c.ranks = ranks{}
		return c.deletePages(t)
	}
	return nil
}

// buildRanks counts the whole order.
func (c *collection) buildRanks(t Txn) error {
	// A version that does not know pages may have left some behind.
	if err := c.deletePages(t); err != nil {
		return err
	}
	entries, err := c.buckets(t)
	if err != nil {
		return err
	}
	for level := uint8(1); level <= maxRankLevels; level++ {
		var above []rankEntry
		for part := range slices.Chunk(entries, shape.fan*3/4) {
			p := c.newPage(level, part[0].boundary)
			p.entries = slices.Clone(part)
			above = append(above, rankEntry{p.boundary, p.members()})
		}
		c.ranks.levels = level
		if entries = above; len(above) == 1 {
			break
		}
	}
	return nil
}

// buckets walks the order and cuts it into buckets.
func (c *collection) buckets(t Txn) ([]rankEntry, error) {
	cur, err := c.scanOrder(t, nil, nil)
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	head := keyenc.CollectionHeaderLen(t.Prefix())
	entries := []rankEntry{{}}
	var last []byte
	for cur.Next() {
		key := cur.Key()[head:]
		if entries[len(entries)-1].members == uint64(shape.bucket*3/4) {
			entries = append(entries, rankEntry{boundary: separate(last, key)})
		}
		entries[len(entries)-1].members++
		last = append(last[:0], key...)
	}
	return entries, cur.Err()
}

// deletePages deletes every page.
func (c *collection) deletePages(t Txn) error {
	c.pages = rankPages{}
	sc := t.Scratch()
	sc.lo = keyenc.AppendElementRow(sc.lo[:0], t.Prefix(), c.meta.ID, keyenc.TagBucket, "")
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	cur, err := t.Scan(sc.lo, sc.hi, ScanOptions{KeysOnly: true})
	if err != nil {
		return err
	}
	defer cur.Close()
	for cur.Next() {
		sc.row = append(sc.row[:0], cur.Key()...)
		if err := t.Delete(sc.row); err != nil {
			return err
		}
	}
	return cur.Err()
}
