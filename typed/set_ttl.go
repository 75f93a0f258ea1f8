package typed

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// AddTTL adds the members and gives them, also those that were there, a time to
// live of ttl from now, rounded up to a millisecond; it returns how many are new.
// A member is gone when that is over, and the set with its last member. Add leaves
// the time to live of a member alone. A ttl of 0 or less is ErrBadTTL, NoTTL is
// none.
func (s Set) AddTTL(ttl time.Duration, members ...string) (added int, err error) {
	return collection.Update(s.src, s.name, func(t collection.Txn) (n int, err error) {
		if err := collection.CheckMembers(members); err != nil {
			return 0, err
		}
		if err := checkElementTTL(ttl, nil); err != nil {
			return 0, err
		}
		c, err := collection.OpenToWrite(t, s.name, record.TypeSet)
		if err != nil || len(members) == 0 {
			return 0, err
		}
		deadline := deadlineIn(t.Now(), ttl)
		for _, m := range members {
			added, err := c.SetUntil(t, m, nil, deadline)
			if err != nil {
				return 0, err
			}
			if added {
				n++
			}
		}
		return n, c.Keep(t)
	})
}

// MemberTTL returns how long the member still lives, NoTTL if it has no time to
// live of its own, or ErrNotFound. It is never 0 or negative, and says nothing of
// the set's.
func (s Set) MemberTTL(member string) (time.Duration, error) {
	return elementTTL(s.Key, record.TypeSet, member)
}

// MemberDeadline returns when the member is gone, from the first moment of that
// millisecond; the zero time if never, or ErrNotFound.
func (s Set) MemberDeadline(member string) (time.Time, error) {
	return elementDeadlineTime(s.Key, record.TypeSet, member)
}

// ExpireMembers lets the members live for ttl as Hash.ExpireFields does, and returns
// for how many it did.
func (s Set) ExpireMembers(ttl time.Duration, c Cond, members ...string) (int, error) {
	return expireElements(s.Key, record.TypeSet, moment{in: ttl}, c, members)
}

// ExpireMembersAt is ExpireMembers with a deadline: a past one removes the members, the zero time is
// none.
func (s Set) ExpireMembersAt(deadline time.Time, c Cond, members ...string) (int, error) {
	return expireElements(s.Key, record.TypeSet, moment{at: deadline, fixed: true}, c, members)
}

// PersistMembers takes the times to live of the members away and returns how many
// had one.
func (s Set) PersistMembers(members ...string) (int, error) {
	return persistElements(s.Key, record.TypeSet, members)
}
