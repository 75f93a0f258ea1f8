package collection

import (
	"encoding/binary"
	"errors"

	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// An element may have a deadline. It is due from that millisecond on: no call
// shows it any more, but its rows stay and metadata counts them until a writing
// call or the engine's reaper purges them in an ordinary commit.
//
//	01·name                       count, next due    save
//	02·id·element·member          deadline · value   Put, of TypeVolatile
//	02·id·due·deadline·member     →                  Put
//	00·e·next due·id              timer              save
//
// Next due is a lower bound, so that renewing the earliest deadline leaves the
// metadata row alone: while it is in the future nothing is due, and a collection
// where it is 0 pays for none of this. Once it is over, the due rows at or before
// now are exactly what counts are too high by.

// PurgeLimit is how many elements one purge removes at most. Tests lower it,
// through typedtest, while no call on a typed value runs.
var PurgeLimit uint64 = 1000

// errDue says that the rows of elements with deadlines contradict each other.
var errDue = errors.New("deadline of an element is malformed")

// HasDeadlines reports whether some element may have a deadline.
func (c *Collection) HasDeadlines() bool { return c.meta.NextDue != 0 }

// MayBeDue reports whether there may be elements that are due and not purged.
func (c *Collection) MayBeDue(t Txn) bool {
	return c.meta.NextDue != 0 && c.meta.NextDue <= t.Now()
}

// dueRow returns the row key of the element in the order of deadlines; good until
// the next row.
func (c *Collection) dueRow(t Txn, deadline int64, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendDueRow(sc.row[:0], t.Prefix(), c.meta.ID, deadline, member)
	return sc.row
}

// scanDue walks the elements that have deadlines in the order of those.
func (c *Collection) scanDue(t Txn, reverse bool) (Cursor, error) {
	sc := t.Scratch()
	sc.Lo = append(sc.Lo[:0], c.dueRow(t, 0, "")...)
	sc.Hi = append(sc.Hi[:0], c.dueRow(t, MaxExpiry+1, "")...)
	return c.ScanRows(t, sc.Lo, sc.Hi, ScanOptions{Reverse: reverse, KeysOnly: true})
}

// parseDue takes the key of a row of scanDue apart; member is borrowed from it.
func (c *Collection) parseDue(t Txn, row []byte) (deadline int64, member []byte, err error) {
	rest := row[keyenc.CollectionHeaderLen(t.Prefix()):]
	if len(rest) < record.DeadlineLen {
		return 0, nil, corrupt(c.name, errDue)
	}
	return int64(binary.BigEndian.Uint64(rest)), rest[record.DeadlineLen:], nil
}

// eachDue calls each for the elements that are due, earliest first, until it
// returns false, which leaves that element out. next is the deadline of the first
// element that was not taken, due or not; 0 if there is none. member is borrowed;
// each may delete rows.
func (c *Collection) eachDue(t Txn, each func(member []byte, deadline int64) (bool, error)) (next int64, err error) {
	cur, err := c.scanDue(t, false)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	for cur.Next() {
		deadline, member, err := c.parseDue(t, cur.Key())
		if err != nil {
			return 0, err
		}
		if deadline > t.Now() {
			t.Until(cur.Key(), deadline)
			return deadline, nil
		}
		if more, err := each(member, deadline); err != nil || !more {
			return deadline, err
		}
	}
	return 0, cur.Err()
}

// isDue reports whether the row of the given tag that the cursor is on belongs to
// an element that is due.
func (c *Collection) isDue(t Txn, cur Cursor, tag byte) (bool, error) {
	if !c.MayBeDue(t) {
		return false, nil
	}
	deadline := int64(0)
	var err error
	switch {
	case tag == keyenc.TagDue:
		deadline, _, err = c.parseDue(t, cur.Key())
	case isVolatile(cur.Trailer()):
		ok := false
		if deadline, _, ok = record.CutDeadline(cur.Value()); !ok {
			err = corrupt(c.name, errDue)
		}
	}
	if deadline > t.Now() {
		t.Until(cur.Key(), deadline)
	}
	return deadline != 0 && deadline <= t.Now(), err
}

// dueCount returns how many elements are due, by walking them.
func (c *Collection) dueCount(t Txn) (n uint64, err error) {
	if !c.MayBeDue(t) {
		return 0, nil
	}
	_, err = c.eachDue(t, func([]byte, int64) (bool, error) { n++; return true, nil })
	if err == nil && n > c.meta.Count {
		err = corrupt(c.name, errDue)
	}
	return n, err
}

// Live returns how many elements there are that are not due.
func (c *Collection) Live(t Txn) (uint64, error) {
	due, err := c.dueCount(t)
	return c.meta.Count - min(due, c.meta.Count), err
}

// anyLive reports whether some element is not due: otherwise there is no such
// collection. It looks for the latest deadline and then for the first live
// element, so it walks far only if nearly all are due.
func (c *Collection) anyLive(t Txn) (bool, error) {
	if !c.exists || !c.MayBeDue(t) {
		return c.exists, nil
	}
	cur, err := c.scanDue(t, true)
	if err != nil {
		return false, err
	}
	defer cur.Close()
	if cur.Next() {
		deadline, _, err := c.parseDue(t, cur.Key())
		if err != nil {
			return false, err
		}
		if deadline > t.Now() {
			t.Until(cur.Key(), deadline)
			return true, nil
		}
	}
	if err := cur.Err(); err != nil {
		return false, err
	}
	e, err := c.Scan(t, Part{}, ScanOptions{})
	if err != nil {
		return false, err
	}
	defer e.Close()
	return e.Next(), e.Err()
}

// OpenToWrite is Open for calls that write: it purges first, and what
// has no live element left is gone, with its time to live.
func OpenToWrite(t Txn, name string, typ record.Type) (c Collection, err error) {
	if c, err = Open(t, name, typ); err != nil || !c.MayBeDue(t) {
		return c, err
	}
	_, err = c.purge(t)
	return c, err
}

// OpenOldToWrite is OpenToWrite for calls that have nothing to do if there is no
// such collection.
func OpenOldToWrite(t Txn, name string, typ record.Type) (c Collection, found bool, err error) {
	c, err = OpenToWrite(t, name, typ)
	return c, c.exists && err == nil, err
}

// purge removes up to PurgeLimit elements that are due, and saves. more reports
// whether due ones are left; then some element is live.
func (c *Collection) purge(t Txn) (more bool, err error) {
	n := uint64(0)
	next, err := c.eachDue(t, func(member []byte, deadline int64) (bool, error) {
		if n == PurgeLimit {
			return false, nil
		}
		n++
		return true, c.evict(t, string(member), deadline)
	})
	if err != nil {
		return false, err
	}
	if n > c.meta.Count {
		return false, corrupt(c.name, errDue)
	}
	c.Shrank(n)
	c.meta.NextDue = next
	if c.MayBeDue(t) {
		if more, err = c.anyLive(t); err != nil {
			return false, err
		}
		if !more {
			return false, c.Drop(t)
		}
	}
	return more, c.save(t)
}

// evict removes the rows of an element that is due; the caller accounts for it.
func (c *Collection) evict(t Txn, member string, deadline int64) error {
	if c.typ == record.TypeZSet {
		return c.evictMember(t, member, deadline)
	}
	return c.evictElement(t, member, deadline)
}

// evictElement is Remove of an element that is due: its due row goes first.
func (c *Collection) evictElement(t Txn, member string, deadline int64) error {
	if err := c.deleteRow(t, c.dueRow(t, deadline, member)); err != nil {
		return err
	}
	return c.deleteRow(t, c.Element(t, member))
}

// Purge removes up to a thousand due elements of the collection whose metadata
// row is given, and reports whether more are left. It is for engines, who call it
// when a timer is due for a collection that lives; if there is none under that
// row, it does nothing.
func Purge(t Txn, row []byte) (more bool, err error) {
	head := len(t.Prefix()) + 1
	if len(row) <= head || row[head-1] != keyenc.SpaceKeys {
		return false, nil
	}
	c, err := loadCollection(t, row)
	if err != nil || !c.exists || !c.MayBeDue(t) {
		return false, AbsentOK(err)
	}
	return c.purge(t)
}

// watch has a commit lose once elements may be due that were not when the
// metadata row was read.
func (c *Collection) watch(t Txn, row []byte) {
	if c.meta.NextDue > t.Now() {
		t.Until(row, c.meta.NextDue)
	}
}

// loadCollection reads a collection of whatever type; one that is missing, or is
// a string, a list or inline, none of which has deadlines inside, is the zero one.
func loadCollection(t Txn, row []byte) (c Collection, err error) {
	sc := t.Scratch()
	value, trailer, err := t.Head(sc.vol[:0], row, metaHead)
	if err != nil {
		return c, err
	}
	sc.vol = value[:0]
	typ := record.Type(trailer.Attr.Type())
	if !typ.IsCollection() || typ == record.TypeList {
		return c, nil
	}
	m, err := record.DecodeMeta(value)
	name := ""
	if err != nil || m.NextDue != 0 {
		name = string(row[len(t.Prefix())+1:])
	}
	if err != nil {
		return c, corrupt(name, err)
	}
	if m.Encoding == record.EncodingInline {
		return c, nil
	}
	c = Collection{name: name, typ: typ, exists: true, expiry: trailer.Expiry}
	c.decoded(m)
	if typ == record.TypeZSet {
		if c.ranks, err = record.DecodeRanks(m.Body); err != nil {
			return c, corrupt(name, err)
		}
		c.rowRanks = c.ranks
	}
	return c, nil
}
