package typed

import (
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
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
func elementDeadline(t collection.Txn, k Key, typ record.Type, member string) (int64, error) {
	if err := collection.CheckMember(member); err != nil {
		return 0, err
	}
	c, found, err := collection.OpenOld(t, k.name, typ)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, base.ErrNotFound
	}
	return c.Deadline(t, member)
}

func elementTTL(k Key, typ record.Type, member string) (time.Duration, error) {
	return collection.View(k.src, func(t collection.Txn) (time.Duration, error) {
		deadline, err := elementDeadline(t, k, typ, member)
		return ttlOf(t.Now(), deadline), err
	})
}

func elementDeadlineTime(k Key, typ record.Type, member string) (time.Time, error) {
	return collection.View(k.src, func(t collection.Txn) (time.Time, error) {
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
	return collection.Update(k.src, k.name, func(t collection.Txn) (n int, err error) {
		err = eachFound(t, k, typ, members, func(c *collection.Collection, m string, had int64) error {
			if !cond.allows(had, at) {
				return nil
			}
			n++
			return c.SetDeadline(t, m, had, at)
		})
		return n, err
	})
}

// persistElements takes the deadlines of the elements away, and returns how many
// had one.
func persistElements(k Key, typ record.Type, members []string) (int, error) {
	return collection.Update(k.src, k.name, func(t collection.Txn) (n int, err error) {
		err = eachFound(t, k, typ, members, func(c *collection.Collection, m string, had int64) error {
			if had == 0 {
				return nil
			}
			n++
			return c.SetDeadline(t, m, had, 0)
		})
		return n, err
	})
}

// eachFound calls each for those of the members that are there, with their
// deadlines, and keeps the collection.
func eachFound(t collection.Txn, k Key, typ record.Type, members []string, each func(c *collection.Collection, member string, deadline int64) error) error {
	if err := collection.CheckMembers(members); err != nil {
		return err
	}
	c, found, err := collection.OpenOldToWrite(t, k.name, typ)
	if !found {
		return err
	}
	for _, m := range members {
		deadline, found, err := c.Find(t, m)
		if err == nil && found {
			err = each(&c, m, deadline)
		}
		if err != nil {
			return err
		}
	}
	return c.Keep(t)
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
