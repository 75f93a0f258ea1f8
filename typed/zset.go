package typed

import (
	"errors"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// ZSet is a key that holds members ordered by score, members of the same score in
// bytewise order. Scores are all float64 but NaN; −0 is 0. Safe for concurrent
// use if what it comes from is.
type ZSet struct{ Key }

// NewZSet returns a handle of the sorted set called name.
func NewZSet(src Source, name string) ZSet { return ZSet{Key{src, name}} }

// Member is a member of a sorted set with its score.
type Member struct {
	Name  string
	Score float64
}

func (z ZSet) open(t Txn) (collection, error) { return openCollection(t, z.name, record.TypeZSet) }

func (z ZSet) openOld(t Txn) (collection, bool, error) { return openOld(t, z.name, record.TypeZSet) }

// Add gives the member this score and reports whether it is new. NaN is ErrNaN.
// [ZADD]
func (z ZSet) Add(member string, score float64) (added bool, err error) {
	n, err := z.AddMany(0, Member{member, score})
	return n == 1, err
}

// AddMany gives each member its score as far as the conditions allow: NX only
// adds, XX only changes, GT and LT change a score only upwards or downwards but
// still add. It returns how many members are new, with CH how many are new or
// changed. NX with XX, GT or LT, and GT with LT, are ErrSyntax; a NaN among the
// scores is ErrNaN, and nothing is added. [ZADD]
func (z ZSet) AddMany(c Cond, members ...Member) (n int, err error) {
	if c.excludes(NX | XX | GT | LT | CH) {
		return 0, base.ErrSyntax
	}
	return update(z.src, z.name, func(t Txn) (n int, err error) {
		for _, m := range members {
			if err := checkMember(m.Name); err != nil {
				return 0, err
			}
			if math.IsNaN(m.Score) {
				return 0, base.ErrNaN
			}
		}
		set, err := z.open(t)
		if err != nil {
			return 0, err
		}
		for _, m := range members {
			added, changed, err := addMember(t, &set, c, m)
			if err != nil {
				return 0, err
			}
			if added || changed && c&CH != 0 {
				n++
			}
		}
		return n, keepMembers(t, &set)
	})
}

// addMember gives one member its score if c allows; the caller saves if one was
// added.
func addMember(t Txn, set *collection, c Cond, m Member) (added, changed bool, err error) {
	old, exists, err := score(t, set, m.Name)
	if err != nil {
		return false, false, err
	}
	if !exists {
		if c&XX != 0 {
			return false, false, nil
		}
		return true, false, putMember(t, set, m, 0, false)
	}
	if c&NX != 0 || m.Score == old || c&GT != 0 && m.Score < old || c&LT != 0 && m.Score > old {
		return false, false, nil
	}
	return false, true, putMember(t, set, m, old, true)
}

// score looks the member's score up.
func score(t Txn, set *collection, member string) (score float64, exists bool, err error) {
	if set.meta.Count == 0 {
		return 0, false, nil
	}
	sc := t.Scratch()
	value, _, err := t.Get(sc.val[:0], set.element(t, member))
	if errors.Is(err, base.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	sc.val = value[:0]
	score, ok := keyenc.DecodeScore(value)
	if !ok || len(value) != keyenc.ScoreLen {
		return 0, false, corrupt(set.name, errScore)
	}
	return score, true, nil
}

var errScore = errors.New("score of a member is malformed")

// putMember writes both rows of a member, and takes the old one out of the score
// order if it had another score. A new member is accounted for.
func putMember(t Txn, set *collection, m Member, old float64, exists bool) error {
	if err := set.create(t); err != nil {
		return err
	}
	sc := t.Scratch()
	if exists {
		if err := t.Delete(set.ranked(t, old, m.Name)); err != nil {
			return err
		}
	} else {
		set.grew(2*len(m.Name) + 2*keyenc.ScoreLen + rowOverhead)
	}
	sc.out = keyenc.AppendScore(sc.out[:0], m.Score)
	if err := t.Put(set.element(t, m.Name), record.TypeNone, 0, sc.out); err != nil {
		return err
	}
	if err := t.Put(set.ranked(t, m.Score, m.Name), record.TypeNone, 0, nil); err != nil {
		return err
	}
	switch {
	case set.ranks.levels == 0:
		return nil
	case exists:
		sc.place2 = appendPlace(sc.place2[:0], old, m.Name)
		return set.recountMove(t, sc.place2, set.place(t, m.Score, m.Name))
	}
	return set.recount(t, set.place(t, m.Score, m.Name), 1)
}

// keepMembers saves the metadata row if the calls before changed what it says.
func keepMembers(t Txn, set *collection) error {
	if err := set.fitRanks(t); err != nil {
		return err
	}
	return set.keep(t)
}

// place returns the key of a member in the score order; good until the next one.
func (c *collection) place(t Txn, score float64, member string) []byte {
	sc := t.Scratch()
	sc.place = appendPlace(sc.place[:0], score, member)
	return sc.place
}

func appendPlace(dst []byte, score float64, member string) []byte {
	return append(keyenc.AppendScore(dst, score), member...)
}

// ranked returns the row key of the member in the score order; good until the
// next row.
func (c *collection) ranked(t Txn, score float64, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendScoreRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.OrderScore(score), member)
	return sc.row
}

// deleteMember deletes both rows of a member; the caller accounts for it.
func deleteMember(t Txn, set *collection, member string, score float64) error {
	if err := t.Delete(set.ranked(t, score, member)); err != nil {
		return err
	}
	return t.Delete(set.element(t, member))
}

// evictMember removes the rows of a member that is due; the caller accounts for
// it.
func evictMember(t Txn, set *collection, member string, deadline int64) error {
	sc := t.Scratch()
	value, _, err := t.Get(sc.vol[:0], set.element(t, member))
	if err != nil {
		return err
	}
	sc.vol = value[:0]
	_, rest, ok := record.CutDeadline(value)
	score, scored := keyenc.DecodeScore(rest)
	if !ok || !scored {
		return corrupt(set.name, errScore)
	}
	if err := t.Delete(set.ranked(t, score, member)); err != nil {
		return err
	}
	return set.remove(t, member, deadline)
}

// Incr adds by to the member's score, which is 0 if it is new, and returns the
// sum. ErrNaN if by or the sum is NaN, as of +Inf and −Inf. [ZINCRBY]
func (z ZSet) Incr(member string, by float64) (float64, error) {
	return update(z.src, z.name, func(t Txn) (float64, error) {
		if err := checkMember(member); err != nil {
			return 0, err
		}
		set, err := z.open(t)
		if err != nil {
			return 0, err
		}
		old, exists, err := score(t, &set, member)
		if err != nil {
			return 0, err
		}
		sum := old + by
		if math.IsNaN(sum) {
			return 0, base.ErrNaN
		}
		if exists && sum == old {
			return sum, nil
		}
		if err := putMember(t, &set, Member{member, sum}, old, exists); err != nil {
			return 0, err
		}
		return sum, keepMembers(t, &set)
	})
}

// Score returns the member's score or ErrNotFound. [ZSCORE]
func (z ZSet) Score(member string) (float64, error) {
	return view(z.src, func(t Txn) (float64, error) {
		_, score, err := z.find(t, member)
		return score, err
	})
}

// find opens the set and looks the member up; without it the error is
// ErrNotFound.
func (z ZSet) find(t Txn, member string) (set collection, old float64, err error) {
	if err := checkMember(member); err != nil {
		return set, 0, err
	}
	if set, err = z.open(t); err != nil {
		return set, 0, err
	}
	old, exists, err := score(t, &set, member)
	if err == nil && !exists {
		err = base.ErrNotFound
	}
	return set, old, err
}

// Len returns how many members there are, at the same cost for any number. [ZCARD]
func (z ZSet) Len() (int64, error) { return length(z.Key, record.TypeZSet) }

// Remove removes the members and returns how many there were. Without members
// left the key is gone. [ZREM]
func (z ZSet) Remove(members ...string) (removed int, err error) {
	return update(z.src, z.name, func(t Txn) (n int, err error) {
		if err := checkMembers(members); err != nil {
			return 0, err
		}
		set, found, err := z.openOld(t)
		if !found {
			return 0, err
		}
		for _, m := range members {
			old, exists, err := score(t, &set, m)
			if err != nil {
				return 0, err
			}
			if !exists {
				continue
			}
			if err := deleteMember(t, &set, m, old); err != nil {
				return 0, err
			}
			if err := set.recount(t, set.place(t, old, m), -1); err != nil {
				return 0, err
			}
			n++
		}
		set.shrank(uint64(n))
		return n, keepMembers(t, &set)
	})
}

// PopMin removes up to n members with the lowest scores and returns them, lowest
// first. A negative n is ErrOutOfRange. [ZPOPMIN]
func (z ZSet) PopMin(n int) ([]Member, error) { return z.pop(n, ByRank(0, int64(n)-1)) }

// PopMax removes up to n members with the highest scores and returns them, highest
// first. A negative n is ErrOutOfRange. [ZPOPMAX]
func (z ZSet) PopMax(n int) ([]Member, error) { return z.pop(n, ByRank(0, int64(n)-1).Reverse()) }

func (z ZSet) pop(n int, r ZRange) ([]Member, error) {
	return update(z.src, z.name, func(t Txn) ([]Member, error) {
		if n < 0 {
			return nil, base.ErrOutOfRange
		}
		set, found, err := z.openOld(t)
		if !found || n == 0 {
			return nil, err
		}
		var names nameArena
		var popped []Member
		gone := departures{set: &set}
		err = eachMember(t, &set, r, func(name []byte, score float64) (bool, error) {
			m := Member{names.name(name), score}
			popped = append(popped, m)
			if err := deleteMember(t, &set, m.Name, score); err != nil {
				return false, err
			}
			return true, gone.leave(t, set.place(t, score, m.Name))
		})
		if err != nil {
			return nil, err
		}
		if err := gone.flush(t); err != nil {
			return nil, err
		}
		set.shrank(uint64(len(popped)))
		return popped, keepMembers(t, &set)
	})
}
