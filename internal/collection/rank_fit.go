package collection

import (
	"slices"
	"sort"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A bucket or a page that got too large is split, one that got small is joined
// with a neighbour. That happens once for dozens of members that come or go.

type rankEntry struct {
	boundary string
	members  uint64
}

// takeApart makes entries of the body of a page.
func (c *Collection) takeApart(p *rankPage) error {
	if p.entries != nil {
		return nil
	}
	start, left, ok := record.CutRankStart(p.body)
	var text []byte // the boundaries are parts of it
	var ends []int
	entries := make([]rankEntry, 0, Shape.Fan+2)
	for e := (rankCount{start: start}); ok && len(left) > 0; {
		if left, ok = e.step(p.body, left); ok {
			text = e.appendBoundary(text, p.boundary)
			ends = append(ends, len(text))
			entries = append(entries, rankEntry{members: e.members})
		}
	}
	whole, from := string(text), 0
	for i, end := range ends {
		entries[i].boundary, from = whole[from:end], end
		ok = ok && (i == 0 || entries[i].boundary > entries[i-1].boundary)
	}
	if !ok || len(entries) == 0 {
		return corrupt(c.name, errBucket)
	}
	p.entries = entries
	return nil
}

// putTogether makes the body of a page that may have been taken apart.
func (p *rankPage) putTogether() {
	if p.entries == nil {
		return
	}
	start := shared(p.entries)
	p.body = record.AppendRankStart(p.body[:0], start)
	for i, e := range p.entries {
		rest := ""
		if i > 0 {
			rest = e.boundary[len(start):]
		}
		p.body = record.AppendRankEntry(p.body, rest, e.members)
	}
	p.entries = nil
}

// pageApart is page, taken apart.
func (c *Collection) pageApart(t Txn, level uint8, boundary string) (*rankPage, error) {
	p, err := c.page(t, level, []byte(boundary))
	if err == nil {
		err = c.takeApart(p)
	}
	return p, err
}

// searchEntry returns the entry that covers key.
func (p *rankPage) searchEntry(key []byte) int {
	return sort.Search(len(p.entries), func(i int) bool { return p.entries[i].boundary > string(key) }) - 1
}

// entry returns what stands for the page in the one above.
func (p *rankPage) entry() rankEntry {
	e := rankEntry{boundary: p.entries[0].boundary}
	for _, below := range p.entries {
		e.members += below.members
	}
	return e
}

// refit splits and joins on the way from the root to the bucket of key.
func (c *Collection) refit(t Txn, key []byte) error {
	path := make([]pageStep, c.ranks.Levels+1)
	boundary := ""
	for level := c.ranks.Levels; level > 0; level-- {
		p, err := c.pageApart(t, level, boundary)
		if err != nil {
			return err
		}
		i := p.searchEntry(key)
		if i < 0 {
			return corrupt(c.name, errBucket)
		}
		path[level], boundary = pageStep{p, i}, p.entries[i].boundary
	}
	if err := c.fitBucket(t, path[1]); err != nil {
		return err
	}
	if err := c.fitPages(t, path); err != nil {
		return err
	}
	for _, p := range c.pages.list {
		p.putTogether()
	}
	return nil
}

// pageStep is an entry of a page on the way from the root to a bucket.
type pageStep struct {
	page *rankPage
	i    int
}

// fitBucket splits the bucket if it is too large, and joins it with a neighbour
// in its page if that makes a bucket of fair size.
func (c *Collection) fitBucket(t Txn, s pageStep) error {
	e := s.page.entries
	size := func(i int) uint64 { return e[i].members }
	switch most := uint64(Shape.Bucket); {
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
func (c *Collection) fitPages(t Txn, path []pageStep) error {
	for level := 1; level < len(path); level++ {
		if len(path[level].page.entries) < max(Shape.Fan/4, 2) && level+1 < len(path) {
			if err := c.joinPage(t, path, level); err != nil {
				return err
			}
		}
		if parts := cutPage(path[level].page.entries); len(parts) > 1 {
			path = c.splitPage(t, path, level, parts)
		}
	}
	for c.ranks.Levels > 1 {
		root, err := c.pageApart(t, c.ranks.Levels, "")
		if err != nil {
			return err
		}
		if len(root.entries) > 1 {
			break
		}
		root.gone, root.entries = true, nil
		c.ranks.Levels--
	}
	return nil
}

// splitPage makes pages of the parts of the one on a level of the path, and enters them
// into the page above, which is made if there is none: then it is the path's last.
func (c *Collection) splitPage(t Txn, path []pageStep, level int, parts [][]rankEntry) []pageStep {
	root := level+1 == len(path)
	if root && c.ranks.Levels == record.MaxRankLevels {
		return path // more members than there can be
	}
	left := path[level].page
	left.entries = parts[0]
	above := []rankEntry{left.entry()}
	for _, part := range parts[1:] {
		right := c.newPage(t, left.level, []byte(part[0].boundary))
		right.entries = append(right.entries, part...)
		above = append(above, right.entry())
	}
	if !root {
		up := path[level+1]
		up.page.entries = slices.Replace(up.page.entries, up.i, up.i+1, above...)
		return path
	}
	c.ranks.Levels++
	up := c.newPage(t, c.ranks.Levels, nil)
	up.entries = above
	return append(path, pageStep{up, 0})
}

// joinPage joins the page on a level of the path with a neighbour under the same parent,
// if one page can hold both with room left. One of a single entry, which would be a
// level of the tree for nothing, it joins in any case: the two may be cut elsewhere.
func (c *Collection) joinPage(t Txn, path []pageStep, level int) error {
	p, up := path[level].page, path[level+1]
	for _, must := range []bool{false, true} {
		for _, i := range [...]int{up.i, up.i - 1} {
			e := up.page.entries
			if i < 0 || i+1 >= len(e) || must && len(p.entries) > 1 {
				continue
			}
			left, err := c.pageApart(t, p.level, e[i].boundary)
			if err != nil {
				return err
			}
			right, err := c.pageApart(t, p.level, e[i+1].boundary)
			if err != nil {
				return err
			}
			both := slices.Concat(left.entries, right.entries)
			if !must && !roomy(both) {
				continue
			}
			left.entries = both
			right.gone, right.entries = true, nil
			up.page.join(i)
			path[level].page, path[level+1].i = left, i
			return nil
		}
	}
	return nil
}

// separator returns a boundary in front of the row so many rows behind a boundary.
// Names may be long, so it is as short as tells that row from the one before.
func (c *Collection) separator(t Txn, boundary []byte, rows uint64) (string, error) {
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
