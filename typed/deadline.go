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
	case c&CondNX != 0 && had != 0, c&CondXX != 0 && had == 0:
		return false
	case c&CondGT != 0:
		return later(at) > later(had)
	case c&CondLT != 0:
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
func expireElements(k Key, typ record.Type, m moment, cond Cond, members []string) (int, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if err := cond.check(CondNX | CondXX | CondGT | CondLT); err != nil {
		return 0, err
	}
	return collection.Update(k.src, k.name, func(t collection.Txn) (n int, err error) {
		c, found, err := foundToWrite(t, k, typ, members)
		if !found {
			return 0, err
		}
		at := m.deadline(t.Now())
		if typ == record.TypeHash && at > t.Now() {
			if err := checkLengths(t, &c, at, cond, members); err != nil {
				return 0, err
			}
		}
		return setDeadlines(t, &c, members, func(had int64) (int64, bool) { return at, cond.allows(had, at) })
	})
}

// checkLengths refuses a deadline for values that are too long for one, before the
// first of the members gets it.
func checkLengths(t collection.Txn, c *collection.Collection, at int64, cond Cond, members []string) error {
	sc := t.Scratch()
	for _, m := range members {
		value, had, err := c.Get(t, sc.Val[:0], m)
		if collection.AbsentOK(err) != nil {
			return err
		}
		sc.Val = value[:0]
		if err == nil && cond.allows(had, at) && len(value) > base.MaxValueLen-record.DeadlineLen {
			return collection.VolatileTooLarge(len(value))
		}
	}
	return nil
}

// persistElements takes the deadlines of the elements away, and returns how many
// had one.
func persistElements(k Key, typ record.Type, members []string) (int, error) {
	return collection.Update(k.src, k.name, func(t collection.Txn) (int, error) {
		c, found, err := foundToWrite(t, k, typ, members)
		if !found {
			return 0, err
		}
		return setDeadlines(t, &c, members, func(had int64) (int64, bool) { return 0, had != 0 })
	})
}

// foundToWrite opens the collection whose members are given.
func foundToWrite(t collection.Txn, k Key, typ record.Type, members []string) (c collection.Collection, found bool, err error) {
	if err := collection.CheckMembers(members); err != nil {
		return c, false, err
	}
	return collection.OpenOldToWrite(t, k.name, typ)
}

// setDeadlines asks for each of the members that is there, with its deadline, which
// one it is to get, and keeps the collection. It returns how many got one.
func setDeadlines(t collection.Txn, c *collection.Collection, members []string, choose func(had int64) (at int64, set bool)) (n int, err error) {
	for _, m := range members {
		had, found, err := c.Find(t, m)
		if err != nil {
			return 0, err
		}
		if !found {
			continue
		}
		at, set := choose(had)
		if !set {
			continue
		}
		n++
		if err := c.SetDeadline(t, m, had, at); err != nil {
			return 0, err
		}
	}
	return n, c.Keep(t)
}

// checkElementTTL refuses a time to live that is no time, or that a record cannot
// hold together with the value.
func checkElementTTL(ttl time.Duration, value []byte) error {
	if err := base.CheckTTL(ttl); err != nil {
		return err
	}
	if len(value) > base.MaxValueLen-record.DeadlineLen {
		return collection.VolatileTooLarge(len(value))
	}
	return nil
}
