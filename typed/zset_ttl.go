package typed

import (
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// AddTTL gives each member its score and, also if it was there, a time to live of
// ttl from now, rounded up to a millisecond; it returns how many are new. A member
// is gone when that is over, and the set with its last member. Add and Incr leave
// the time to live of a member alone. A ttl of 0 or less is ErrBadTTL, NoTTL is
// none; a NaN among the scores is ErrNaN.
func (z ZSet) AddTTL(ttl time.Duration, members ...Member) (added int, err error) {
	return collection.Update(z.src, z.name, func(t collection.Txn) (n int, err error) {
		if err := z.checkScored(members); err != nil {
			return 0, err
		}
		if err := checkElementTTL(ttl, nil); err != nil {
			return 0, err
		}
		set, err := z.openToWrite(t)
		if err != nil {
			return 0, err
		}
		deadline := deadlineIn(t.Now(), ttl)
		for _, m := range members {
			old, exists, err := set.FindMember(t, m.Name)
			switch {
			case err != nil:
			case !exists:
				n++
				err = set.AddMember(t, m.Name, m.Score, deadline)
			default:
				err = set.SetMember(t, m.Name, m.Score, old, deadline)
			}
			if err != nil {
				return 0, err
			}
		}
		return n, set.Keep(t)
	})
}

// MemberTTL returns how long the member still lives, NoTTL if it has no time to
// live of its own, or ErrNotFound. It is never 0 or negative, and says nothing of
// the set's.
func (z ZSet) MemberTTL(member string) (time.Duration, error) {
	return elementTTL(z.Key, record.TypeZSet, member)
}

// MemberDeadline returns when the member is gone, from the first moment of that
// millisecond; the zero time if never, or ErrNotFound.
func (z ZSet) MemberDeadline(member string) (time.Time, error) {
	return elementDeadlineTime(z.Key, record.TypeZSet, member)
}

// ExpireMembers lets the members live for ttl as Hash.ExpireFields does, and returns
// for how many it did.
func (z ZSet) ExpireMembers(ttl time.Duration, c Cond, members ...string) (int, error) {
	return expireElements(z.Key, record.TypeZSet, moment{in: ttl}, c, members)
}

// ExpireMembersAt is ExpireMembers with a deadline: a past one removes the members, the zero time is
// none.
func (z ZSet) ExpireMembersAt(deadline time.Time, c Cond, members ...string) (int, error) {
	return expireElements(z.Key, record.TypeZSet, moment{at: deadline, fixed: true}, c, members)
}

// PersistMembers takes the times to live of the members away and returns how many
// had one.
func (z ZSet) PersistMembers(members ...string) (int, error) {
	return persistElements(z.Key, record.TypeZSet, members)
}
