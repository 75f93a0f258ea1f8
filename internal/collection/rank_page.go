package collection

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// rankPage is a page of the counted order as a call changes it. Pages are written
// when the call saves: once, however many members came or went. A count changes in
// place; where entries come or go the page is taken apart.
type rankPage struct {
	level    uint8
	boundary []byte
	body     []byte // the entries, as a row has them
	stored   []byte // the row's value; empty: there is no row
	gone     bool   // the row is to be deleted

	entries []rankEntry // if it is taken apart; body is stale then
}

// rankPages are the pages a call has come by, ordered by level and boundary. They
// are lent by the scratch memory, and go back to it when they are written.
type rankPages struct {
	list []*rankPage
	free []*rankPage
}

// rankPagesMax is how many pages are kept for the next call, and rankPageMax how
// many bytes of a buffer of theirs.
const (
	rankPagesMax = 16
	rankPageMax  = 4 << 10
)

// search returns where the page is in the list, or is to be inserted.
func (ps *rankPages) search(level uint8, boundary []byte) (at int, found bool) {
	return slices.BinarySearchFunc(ps.list, boundary, func(p *rankPage, boundary []byte) int {
		return cmp.Or(cmp.Compare(p.level, level), bytes.Compare(p.boundary, boundary))
	})
}

// reset empties the list and keeps memory for the next call.
func (ps *rankPages) reset() {
	for _, p := range ps.list {
		if len(ps.free) < rankPagesMax && max(cap(p.boundary), cap(p.body), cap(p.stored)) <= rankPageMax {
			*p = rankPage{boundary: p.boundary[:0], body: p.body[:0], stored: p.stored[:0]}
			ps.free = append(ps.free, p)
		}
	}
	clear(ps.list)
	ps.list = ps.list[:0]
}

// inHand returns the pages the call has come by.
func (c *Collection) inHand(t Txn) *rankPages {
	if c.pages == nil {
		sc := t.Scratch()
		if c.pages, sc.pages = sc.pages, nil; c.pages == nil {
			c.pages = new(rankPages)
		}
	}
	return c.pages
}

// forgetPages gives the pages back, written or not. A call that fails may leave
// that out.
func (c *Collection) forgetPages(t Txn) {
	if c.pages != nil {
		c.pages.reset()
		t.Scratch().pages, c.pages = c.pages, nil
	}
}

// page returns the page as the call has left it so far.
func (c *Collection) page(t Txn, level uint8, boundary []byte) (*rankPage, error) {
	ps := c.inHand(t)
	if at, found := ps.search(level, boundary); found && !ps.list[at].gone {
		return ps.list[at], nil
	}
	p := c.newPage(t, level, boundary)
	value, _, err := t.Get(p.stored[:0], c.pageRow(t, level, p.boundary))
	if errors.Is(err, base.ErrNotFound) || err == nil && len(value) == 0 {
		err = corrupt(c.name, errBucket)
	}
	if err != nil {
		return nil, err
	}
	p.stored, p.body = value, append(p.body[:0], value...)
	return p, nil
}

// newPage returns an empty page, in place of the one of its level and boundary
// that may have been deleted.
func (c *Collection) newPage(t Txn, level uint8, boundary []byte) *rankPage {
	ps := c.inHand(t)
	at, found := ps.search(level, boundary)
	if found {
		p := ps.list[at]
		p.body, p.gone, p.entries = p.body[:0], false, nil
		return p
	}
	var p *rankPage
	if last := len(ps.free) - 1; last >= 0 {
		p, ps.free = ps.free[last], ps.free[:last]
	} else {
		p = new(rankPage)
	}
	p.level, p.boundary = level, append(p.boundary[:0], boundary...)
	ps.list = slices.Insert(ps.list, at, p)
	return p
}

// rankCount is an entry of a page that is not taken apart. Its slices point into the
// page.
type rankCount struct {
	start, rest []byte // of its boundary, unless it is the first
	first       bool   // it has the page's own
	members     uint64
	before      uint64 // members of the entries in front of it
	to          int    // where it ends in the page; 0 if there is none
}

// appendBoundary appends the boundary of an entry of a page that has the given one.
func (e *rankCount) appendBoundary(dst, page []byte) []byte {
	if e.first {
		return append(dst, page...)
	}
	return append(append(dst, e.start...), e.rest...)
}

// step makes e the entry that entries of the page begin with, and returns the others.
// The start is that of the page, and e the entry before or the zero one.
func (e *rankCount) step(page, entries []byte) (others []byte, ok bool) {
	rest, members, others, ok := record.NextRankEntry(entries)
	e.first = e.to == 0
	e.before, e.members, e.rest, e.to = e.before+e.members, members, rest, len(page)-len(others)
	return others, ok && !(e.first && len(rest) > 0)
}

// from returns where the page has the members of the entry.
func (e *rankCount) from(page []byte) int { return cap(page) - cap(e.rest) + len(e.rest) }

// findKey returns the entry of a page that covers key, which is not below the page's
// boundary.
func findKey(page, key []byte) (e rankCount, ok bool) {
	start, left, ok := record.CutRankStart(page)
	if !ok {
		return e, false
	}
	e.start = start
	if left, ok = e.step(page, left); !ok {
		return e, false
	}
	head, tail := key[:min(len(key), len(start))], key[min(len(key), len(start)):]
	side := bytes.Compare(head, start)
	if side < 0 {
		return e, true // the others are behind it
	}
	behind := side > 0 // all of them
	for len(left) > 0 {
		rest, members, others, ok := record.NextRankEntry(left)
		if !ok {
			return e, false
		}
		if !behind && string(rest) > string(tail) {
			break
		}
		e.first, e.before, e.members, e.rest = false, e.before+e.members, members, rest
		e.to, left = len(page)-len(others), others
	}
	return e, true
}

// findRank returns the entry of a page that counts the member with so many before it.
func findRank(page []byte, rank uint64) (e rankCount, ok bool) {
	start, left, ok := record.CutRankStart(page)
	e.start = start
	for ok && (e.to == 0 || rank-e.before >= e.members) {
		left, ok = e.step(page, left)
	}
	return e, ok
}

// count has an entry that was just found count so many members.
func (p *rankPage) count(e rankCount, members uint64) {
	var room [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(room[:], members)
	p.body = slices.Replace(p.body, e.from(p.body), e.to, room[:n]...)
}

// writePages writes the pages that the call changed.
func (c *Collection) writePages(t Txn) error {
	if c.pages == nil {
		return nil
	}
	for _, p := range c.pages.list {
		var err error
		switch {
		case p.gone && len(p.stored) > 0:
			err = t.Delete(c.pageRow(t, p.level, p.boundary))
		case !p.gone && !bytes.Equal(p.body, p.stored):
			err = t.Put(c.pageRow(t, p.level, p.boundary), record.TypeNone, 0, p.body)
		}
		if err != nil {
			return err
		}
	}
	c.forgetPages(t)
	return nil
}

// recount says that by members came into the bucket of key, or left it if that is
// negative; their rows are already written. Cost: a page per level, which are
// written by save.
func (c *Collection) recount(t Txn, key []byte, by int64) error {
	var boundary []byte
	sc, fair := t.Scratch(), true
	for level := c.ranks.Levels; level > 0; level-- {
		p, err := c.page(t, level, boundary)
		if err != nil {
			return err
		}
		e, ok := findKey(p.body, key)
		members := e.members + uint64(by)
		if !ok || members > 1<<62 {
			return corrupt(c.name, errBucket)
		}
		sc.bound = e.appendBoundary(sc.bound[:0], p.boundary)
		boundary = sc.bound
		p.count(e, members)
		fair = members > 0 && members >= uint64(Shape.Bucket/4) && members <= uint64(Shape.Bucket)
	}
	if fair {
		return nil
	}
	return c.refit(t, key)
}

// recountMove says that a member went from one key of the order to another.
func (c *Collection) recountMove(t Txn, from, to []byte) error {
	if err := c.recount(t, from, -1); err != nil {
		return err
	}
	return c.recount(t, to, 1)
}
