package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A member of a sorted set has two rows, and a place in the counted order. A
// deadline stands in both rows, so that a walk of either order sees what is due.
//
//	02·id·element·member        [deadline ·] score
//	02·id·score·score·member    [deadline]
//	02·id·due·deadline·member
//	02·id·bucket·…              counts it: recount

// MemberValue is what a member is scored, and when it is due.
type MemberValue struct {
	Score    float64
	Deadline int64 // 0: never
}

var errScore = errors.New("score of a member is malformed")

// LookUpMember looks a member up; one that is due is not there.
func (c *Collection) LookUpMember(t Txn, member string) (v MemberValue, exists bool, err error) {
	if c.meta.Count == 0 {
		return v, false, nil
	}
	sc := t.Scratch()
	value, deadline, err := c.Get(t, sc.Val[:0], member)
	v.Deadline = deadline
	if err != nil {
		return v, false, AbsentOK(err)
	}
	sc.Val = value[:0]
	score, ok := keyenc.DecodeScore(value)
	if !ok || len(value) != keyenc.ScoreLen {
		return v, false, corrupt(c.name, errScore)
	}
	v.Score = score
	return v, true, nil
}

// FindMember is LookUpMember for calls that write: a member that is due is
// evicted and accounted for.
func (c *Collection) FindMember(t Txn, member string) (v MemberValue, exists bool, err error) {
	v, exists, err = c.LookUpMember(t, member)
	if err != nil || exists || v.Deadline == 0 {
		return v, exists, err
	}
	c.Shrank(1)
	return MemberValue{}, false, c.evictMember(t, member, v.Deadline)
}

// AddMember adds a member that is not in the set; the caller keeps.
func (c *Collection) AddMember(t Txn, member string, score float64, deadline int64) error {
	if err := c.Create(t); err != nil {
		return err
	}
	if err := c.putMember(t, member, score, 0, deadline); err != nil {
		return err
	}
	c.grewBy(record.MemberBytes(len(member)))
	return c.recount(t, c.place(t, score, member), 1)
}

// AddUncounted is AddMember for a set that is being made: Keep counts its order.
func (c *Collection) AddUncounted(t Txn, member string, score float64) error {
	if err := c.Create(t); err != nil {
		return err
	}
	if err := c.putMember(t, member, score, 0, 0); err != nil {
		return err
	}
	c.grewBy(record.MemberBytes(len(member)))
	return nil
}

// ChangeScore gives a member another score. Its deadline stays.
func (c *Collection) ChangeScore(t Txn, member string, old MemberValue, score float64) error {
	if err := c.deleteRow(t, c.ranked(t, old.Score, member)); err != nil {
		return err
	}
	if err := c.putMember(t, member, score, old.Deadline, old.Deadline); err != nil {
		return err
	}
	sc := t.Scratch()
	sc.Place2 = appendPlace(sc.Place2[:0], old.Score, member)
	return c.recountMove(t, sc.Place2, c.place(t, score, member))
}

// putMember writes the rows of a member that had the deadline had.
func (c *Collection) putMember(t Txn, member string, score float64, had, deadline int64) error {
	sc := t.Scratch()
	sc.Out = keyenc.AppendScore(sc.Out[:0], score)
	if err := c.Put(t, member, sc.Out, had, deadline); err != nil {
		return err
	}
	if deadline == 0 {
		return c.putRow(t, c.ranked(t, score, member), record.TypeNone, nil)
	}
	sc.Out = record.AppendDeadline(sc.Out[:0], deadline)
	return c.putRow(t, c.ranked(t, score, member), record.TypeVolatile, sc.Out)
}

// RemoveMember removes a member and accounts for it.
func (c *Collection) RemoveMember(t Txn, member string, v MemberValue) error {
	if err := c.deleteMember(t, member, v); err != nil {
		return err
	}
	c.Shrank(1)
	return c.recount(t, c.place(t, v.Score, member), -1)
}

// deleteMember deletes the rows of a member; the caller accounts for it, also in
// the counted order.
func (c *Collection) deleteMember(t Txn, member string, v MemberValue) error {
	if err := c.deleteRow(t, c.ranked(t, v.Score, member)); err != nil {
		return err
	}
	return c.Remove(t, member, v.Deadline)
}

// evictMember removes a member that is due; the caller accounts for it, but not in
// the counted order.
func (c *Collection) evictMember(t Txn, member string, deadline int64) error {
	score, err := c.dueScore(t, member)
	if err != nil {
		return err
	}
	if err := c.deleteRow(t, c.ranked(t, score, member)); err != nil {
		return err
	}
	if err := c.evictElement(t, member, deadline); err != nil {
		return err
	}
	return c.recount(t, c.place(t, score, member), -1)
}

// dueScore returns the score of a member that is due.
func (c *Collection) dueScore(t Txn, member string) (float64, error) {
	sc := t.Scratch()
	value, _, err := c.getRow(t, sc.vol[:0], c.Element(t, member))
	if errors.Is(err, base.ErrNotFound) {
		err = corrupt(c.name, errDue)
	}
	if err != nil {
		return 0, err
	}
	sc.vol = value[:0]
	_, rest, ok := record.CutDeadline(value)
	score, scored := keyenc.DecodeScore(rest)
	if !ok || !scored {
		return 0, corrupt(c.name, errScore)
	}
	return score, nil
}

// ranked returns the row key of the member in the score order; good until the
// next row.
func (c *Collection) ranked(t Txn, score float64, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendScoreRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.OrderScore(score), member)
	return sc.row
}

// place returns the key of a member in the score order; good until the next one.
func (c *Collection) place(t Txn, score float64, member string) []byte {
	sc := t.Scratch()
	sc.Place = appendPlace(sc.Place[:0], score, member)
	return sc.Place
}

func appendPlace(dst []byte, score float64, member string) []byte {
	return append(keyenc.AppendScore(dst, score), member...)
}

// setMemberDeadline is SetDeadline for a member of a sorted set.
func (c *Collection) setMemberDeadline(t Txn, member string, at int64) error {
	v, exists, err := c.LookUpMember(t, member)
	if err != nil || !exists {
		return err
	}
	if at != 0 && at <= t.Now() {
		return c.RemoveMember(t, member, v)
	}
	return c.putMember(t, member, v.Score, v.Deadline, at)
}

// SetMember gives a member that is there a score and a deadline.
func (c *Collection) SetMember(t Txn, member string, score float64, old MemberValue, deadline int64) error {
	if score != old.Score {
		if err := c.ChangeScore(t, member, old, score); err != nil {
			return err
		}
	}
	if deadline == old.Deadline {
		return nil
	}
	return c.putMember(t, member, score, old.Deadline, deadline)
}

// ReadMember decodes the element row, or row of the score order, the cursor is on.
// The deadline is left out if nobody asked for values.
func (c *Collection) ReadMember(t Txn, cur Cursor, element bool) (name []byte, v MemberValue, err error) {
	name = cur.Key()[keyenc.CollectionHeaderLen(t.Prefix()):]
	var value []byte
	ok := true
	if element || c.meta.NextDue != 0 {
		if value = cur.Value(); isVolatile(cur.Trailer()) {
			if v.Deadline, value, ok = record.CutDeadline(value); !ok {
				return nil, v, corrupt(c.name, errDue)
			}
		}
	}
	if element {
		v.Score, ok = keyenc.DecodeScore(value)
	} else if v.Score, ok = keyenc.DecodeScore(name); ok {
		name = name[keyenc.ScoreLen:]
	}
	if !ok {
		return nil, v, corrupt(c.name, errScore)
	}
	return name, v, nil
}

// MemberAtRank returns the member with so many before it in a counted order; the
// name is in scratch.
func (c *Collection) MemberAtRank(t Txn, rank uint64) (name []byte, score float64, err error) {
	row, err := c.rankedAt(t, rank)
	if err != nil {
		return nil, 0, err
	}
	place := row[keyenc.CollectionHeaderLen(t.Prefix()):]
	score, ok := keyenc.DecodeScore(place)
	if !ok {
		return nil, 0, corrupt(c.name, errScore)
	}
	return place[keyenc.ScoreLen:], score, nil
}

// Score decodes the value of an element row of a sorted set.
func (c *Collection) Score(value []byte) (float64, error) {
	score, ok := keyenc.DecodeScore(value)
	if !ok {
		return 0, corrupt(c.name, errScore)
	}
	return score, nil
}
