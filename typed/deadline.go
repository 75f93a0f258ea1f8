package typed

import (
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// The deadlines of single elements. Those of hashes and sets are no more than an
// element row; what members of sorted sets need besides is in zset_ttl.go.

// allows reports whether a deadline may be replaced by at under the condition;
// 0 is none, which is later than any.
func (c Cond) allows(had, at int64) bool {
	later := func(deadline int64) int64 {
		if deadline == 0 {
			return math.MaxInt64
		}
		return deadline
	}
	switch {
	case c&NX != 0 && had != 0, c&XX != 0 && had == 0:
		return false
	case c&GT != 0:
		return later(at) > later(had)
	case c&LT != 0:
		return later(at) < later(had)
	}
	return true
}

// elementDeadline returns when the element is due, 0 for never.
func elementDeadline(t Txn, k Key, typ record.Type, member string) (int64, error) {
	if err := checkMember(member); err != nil {
		return 0, err
	}
	c, found, err := openOld(t, k.name, typ)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, base.ErrNotFound
	}
	deadline, found, err := c.peek(t, c.element(t, member), c.meta.NextDue != 0)
	if err == nil && (!found || deadline != 0 && deadline <= t.Now()) {
		err = base.ErrNotFound
	}
	return deadline, err
}

func elementTTL(k Key, typ record.Type, member string) (time.Duration, error) {
	return view(k.src, func(t Txn) (time.Duration, error) {
		deadline, err := elementDeadline(t, k, typ, member)
		return ttlOf(t.Now(), deadline), err
	})
}

func elementDeadlineTime(k Key, typ record.Type, member string) (time.Time, error) {
	return view(k.src, func(t Txn) (time.Time, error) {
		deadline, err := elementDeadline(t, k, typ, member)
		if err != nil || deadline == 0 {
			return time.Time{}, err
		}
		return time.UnixMilli(deadline), nil
	})
}

// expireElements gives the elements a deadline as far as cond allows, and returns
// for how many it did.
func expireElements(k Key, typ record.Type, deadline time.Time, cond Cond, members []string) (int, error) {
	at, err := deadlineAt(deadline)
	if err != nil {
		return 0, err
	}
	if cond.excludes(NX | XX | GT | LT) {
		return 0, base.ErrSyntax
	}
	return update(k.src, k.name, func(t Txn) (n int, err error) {
		err = eachFound(t, k, typ, members, func(c *collection, m string, had int64) error {
			if !cond.allows(had, at) {
				return nil
			}
			n++
			return c.setDeadline(t, m, had, at)
		})
		return n, err
	})
}

// persistElements takes the deadlines of the elements away, and returns how many
// had one.
func persistElements(k Key, typ record.Type, members []string) (int, error) {
	return update(k.src, k.name, func(t Txn) (n int, err error) {
		err = eachFound(t, k, typ, members, func(c *collection, m string, had int64) error {
			if had == 0 {
				return nil
			}
			n++
			return c.setDeadline(t, m, had, 0)
		})
		return n, err
	})
}

// eachFound calls each for those of the members that are there, with their
// deadlines, and keeps the collection.
func eachFound(t Txn, k Key, typ record.Type, members []string, each func(c *collection, member string, deadline int64) error) error {
	if err := checkMembers(members); err != nil {
		return err
	}
	c, found, err := openOldToWrite(t, k.name, typ)
	if !found {
		return err
	}
	for _, m := range members {
		deadline, found, err := c.find(t, m)
		if err == nil && found {
			err = each(&c, m, deadline)
		}
		if err != nil {
			return err
		}
	}
	return c.keep(t)
}

// setDeadline gives an element that has the deadline had another one, 0 for none,
// or removes it if that is over; the caller keeps.
func (c *collection) setDeadline(t Txn, member string, had, at int64) error {
	switch {
	case at == had:
		return nil
	case c.typ == record.TypeZSet:
		return setMemberDeadline(t, c, member, at)
	case at != 0 && at <= t.Now():
		c.shrank(1)
		return c.remove(t, member, had)
	}
	sc := t.Scratch()
	value, _, err := c.get(t, sc.val[:0], member)
	if err != nil {
		return err
	}
	sc.val = value[:0]
	return c.put(t, member, value, had, at)
}

// putUntil is putElement with a time to live of ttl from now, which an element
// that exists gets too.
func putUntil(t Txn, c *collection, member string, value []byte, ttl time.Duration) (added bool, err error) {
	had, exists, err := c.find(t, member)
	if err != nil {
		return false, err
	}
	if err := c.create(t); err != nil {
		return false, err
	}
	if err := c.put(t, member, value, had, deadlineIn(t.Now(), ttl)); err != nil {
		return false, err
	}
	if !exists {
		c.grew(len(member) + len(value))
	}
	return !exists, nil
}

// checkElementTTL refuses a time to live that is no time, or that a record cannot
// hold together with the value.
func checkElementTTL(ttl time.Duration, value []byte) error {
	if ttl <= 0 {
		return base.ErrBadTTL
	}
	if len(value) > base.MaxValueLen-record.DeadlineLen {
		return base.ErrValueTooLarge
	}
	return nil
}
