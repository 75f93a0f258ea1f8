package typed

import (
	"iter"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// ZSet is a key that holds members ordered by score, members of the same score in
// bytewise order. Scores are all float64 but NaN; −0 is 0. Safe for concurrent
// use if what it comes from is.
type ZSet struct{ Key }

// Member is a member of a sorted set with its score.
type Member struct {
	Name  string
	Score float64
}

func (z ZSet) open(t collection.Txn) (collection.Collection, error) {
	return collection.Open(t, z.name, record.TypeZSet)
}

func (z ZSet) openOld(t collection.Txn) (collection.Collection, bool, error) {
	return collection.OpenOld(t, z.name, record.TypeZSet)
}

func (z ZSet) openToWrite(t collection.Txn) (collection.Collection, error) {
	return collection.OpenToWrite(t, z.name, record.TypeZSet)
}

func (z ZSet) openOldToWrite(t collection.Txn) (collection.Collection, bool, error) {
	return collection.OpenOldToWrite(t, z.name, record.TypeZSet)
}

// Add gives the member this score and reports whether it is new. NaN is ErrNaN.
// [ZADD]
func (z ZSet) Add(member string, score float64) (added bool, err error) {
	n, err := z.AddMany(0, Member{member, score})
	return n == 1, err
}

// AddMany gives each member its score as far as the conditions allow: CondNX only
// adds, CondXX only changes, CondGT and CondLT change a score only upwards or
// downwards but still add. It returns how many members are new, with CondCH how
// many are new or changed. CondNX with CondXX, CondGT or CondLT, and CondGT with
// CondLT, are ErrBadOption; a NaN among the scores is ErrNaN, and nothing is added.
// [ZADD]
func (z ZSet) AddMany(c Cond, members ...Member) (n int, err error) {
	if err := c.check(CondNX | CondXX | CondGT | CondLT | CondCH); err != nil {
		return 0, err
	}
	return collection.Update(z.src, z.name, func(t collection.Txn) (n int, err error) {
		if err := z.checkScored(members); err != nil {
			return 0, err
		}
		set, err := z.openToWrite(t)
		if err != nil {
			return 0, err
		}
		for _, m := range members {
			added, changed, err := addMember(t, &set, c, m)
			if err != nil {
				return 0, err
			}
			if added || changed && c&CondCH != 0 {
				n++
			}
		}
		return n, set.Keep(t)
	})
}

func (z ZSet) checkScored(members []Member) error {
	for _, m := range members {
		if err := collection.CheckMember(m.Name); err != nil {
			return err
		}
		if math.IsNaN(m.Score) {
			return base.Errorf(base.ErrNaN, "key %s: the score of member %s is not a number (NaN)", base.Quote(z.name), base.Quote(m.Name))
		}
	}
	return nil
}

// addMember gives one member its score if c allows; the caller keeps.
func addMember(t collection.Txn, set *collection.Collection, c Cond, m Member) (added, changed bool, err error) {
	old, exists, err := set.FindMember(t, m.Name)
	if err != nil {
		return false, false, err
	}
	if !exists {
		if c&CondXX != 0 {
			return false, false, nil
		}
		return true, false, set.AddMember(t, m.Name, m.Score, 0)
	}
	if m.Score == old.Score || !c.scores(old.Score, m.Score) {
		return false, false, nil
	}
	return false, true, set.ChangeScore(t, m.Name, old, m.Score)
}

// scores reports whether the score old of a member that exists may become score.
func (c Cond) scores(old, score float64) bool {
	return c&CondNX == 0 && (c&CondGT == 0 || score > old) && (c&CondLT == 0 || score < old)
}

// Incr adds by to the member's score, which is 0 if it is new, and returns the
// sum. ErrNaN if by or the sum is NaN, as of +Inf and −Inf. [ZINCRBY]
func (z ZSet) Incr(member string, by float64) (float64, error) {
	sum, _, err := z.IncrIf(0, member, by)
	return sum, err
}

// IncrIf is Incr as far as the conditions of AddMany allow: CondNX only adds a
// member, CondXX only changes one, CondGT and CondLT change a score only upwards or
// downwards. It reports whether it did; otherwise the sum is 0. [ZADD INCR]
func (z ZSet) IncrIf(c Cond, member string, by float64) (sum float64, done bool, err error) {
	if err := c.check(CondNX | CondXX | CondGT | CondLT); err != nil {
		return 0, false, err
	}
	sum, err = collection.Update(z.src, z.name, func(t collection.Txn) (float64, error) {
		done = false
		if err := collection.CheckMember(member); err != nil {
			return 0, err
		}
		set, err := z.openToWrite(t)
		if err != nil {
			return 0, err
		}
		old, exists, err := set.FindMember(t, member)
		if err != nil {
			return 0, err
		}
		sum := old.Score + by + 0 // −0 is 0
		switch {
		case !exists && c&CondXX != 0, exists && c&CondNX != 0:
			return 0, set.Keep(t)
		case math.IsNaN(sum): // before the two are compared, as in Redis
			return 0, set.Refused(t, base.Errorf(base.ErrNaN, "key %s: the score of member %s would not be a number (NaN)", base.Quote(z.name), base.Quote(member)))
		case exists && !c.scores(old.Score, sum):
			return 0, set.Keep(t)
		case !exists:
			err = set.AddMember(t, member, sum, 0)
		case sum != old.Score:
			err = set.ChangeScore(t, member, old, sum)
		}
		if err != nil {
			return 0, err
		}
		done = true
		return sum, set.Keep(t)
	})
	return sum, done && err == nil, err
}

// Score returns the member's score or ErrNotFound. [ZSCORE]
func (z ZSet) Score(member string) (float64, error) {
	return collection.View(z.src, func(t collection.Txn) (float64, error) {
		_, score, err := z.find(t, member)
		return score, err
	})
}

// Scores returns the scores of the members in the order given, NaN for those that
// are missing. [ZMSCORE]
func (z ZSet) Scores(members ...string) ([]float64, error) {
	return collection.View(z.src, func(t collection.Txn) ([]float64, error) {
		if err := collection.CheckMembers(members); err != nil {
			return nil, err
		}
		set, err := z.open(t)
		if err != nil {
			return nil, err
		}
		scores := make([]float64, len(members))
		for i, m := range members {
			v, exists, err := set.LookUpMember(t, m)
			if err != nil {
				return nil, err
			}
			if scores[i] = v.Score; !exists {
				scores[i] = math.NaN()
			}
		}
		return scores, nil
	})
}

// find opens the set and looks the member up; without it the error is
// ErrNotFound.
func (z ZSet) find(t collection.Txn, member string) (set collection.Collection, score float64, err error) {
	if err := collection.CheckMember(member); err != nil {
		return set, 0, err
	}
	if set, err = z.open(t); err != nil {
		return set, 0, err
	}
	v, exists, err := set.LookUpMember(t, member)
	if err == nil && !exists {
		err = base.ErrNotFound
	}
	return set, v.Score, err
}

// All yields the members in the order of their scores, as Range(ByRank(0, -1))
// does. [ZSCAN]
func (z ZSet) All() iter.Seq2[Member, error] { return z.Range(ByRank(0, -1)) }

// After yields the members above m in the order of their scores, and of their names
// where scores are the same. m need not exist: a loop that was broken off continues
// after the last member it met. A part of a range, or one in reverse, has ZRange.After.
// [ZSCAN]
func (z ZSet) After(m Member) iter.Seq2[Member, error] {
	return z.Range(ByScore(math.Inf(-1), math.Inf(1)).After(m))
}

// Len returns how many members there are, at the same cost for any number but of
// those that are due. [ZCARD]
func (z ZSet) Len() (int64, error) { return length(z.Key, record.TypeZSet) }

// Remove removes the members and returns how many there were. Without members
// left the key is gone. Drop removes all of them with the key; Delete of a store does
// so without a report. [ZREM]
func (z ZSet) Remove(members ...string) (removed int, err error) {
	return collection.Update(z.src, z.name, func(t collection.Txn) (n int, err error) {
		if err := collection.CheckMembers(members); err != nil {
			return 0, err
		}
		set, found, err := z.openOldToWrite(t)
		if !found {
			return 0, err
		}
		for _, m := range members {
			v, exists, err := set.FindMember(t, m)
			if err == nil && exists {
				n++
				err = set.RemoveMember(t, m, v)
			}
			if err != nil {
				return 0, err
			}
		}
		return n, set.Keep(t)
	})
}
