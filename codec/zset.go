package codec

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// ZSet is a sorted set whose members are of T: ordered by score, members of the
// same score in the order of T. It embeds the key, so that Expire, Drop and the
// like are at hand. It is a value; safe for concurrent use if what it comes from
// is.
type ZSet[T any] struct {
	typed.Key
	members elements[T]
}

// ZSetOf returns the sorted set z as a ZSet of T. All that use it need the same
// codec; nothing in it tells which it is.
func ZSetOf[T any](z typed.ZSet, k KeyCodec[T]) ZSet[T] { return ZSet[T]{z.Key, elementsOf(k)} }

// Member is a member of a ZSet with its score.
type Member[T any] struct {
	Name  T
	Score float64
}

// Handle returns the sorted set itself.
func (z ZSet[T]) Handle() typed.ZSet { return typed.ZSet{Key: z.Key} }

// Add gives the member this score and reports whether it is new. NaN is ErrNaN.
func (z ZSet[T]) Add(member T, score float64) (added bool, err error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return false, err
	}
	return z.Handle().Add(string(sc.name), score)
}

// AddMany gives each member its score as far as the conditions allow, which are
// those of typed.ZSet.AddMany, and returns how many members are new, with typed.CondCH
// how many are new or changed.
func (z ZSet[T]) AddMany(c typed.Cond, members ...Member[T]) (n int, err error) {
	named, err := z.named(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().AddMany(c, named...)
}

// named returns the members with their names.
func (z ZSet[T]) named(members []Member[T]) ([]typed.Member, error) {
	sc := getScratch()
	defer sc.put()
	names, err := z.members.encodeAll(sc, len(members), func(i int) T { return members[i].Name })
	if err != nil {
		return nil, err
	}
	named := make([]typed.Member, len(members))
	for i, m := range members {
		named[i] = typed.Member{Name: names[i], Score: m.Score}
	}
	return named, nil
}

// Incr adds by to the member's score, 0 if it is new, and returns the sum. A sum
// that is NaN is ErrNaN.
func (z ZSet[T]) Incr(member T, by float64) (float64, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return 0, err
	}
	return z.Handle().Incr(string(sc.name), by)
}

// Score returns the member's score or ErrNotFound.
func (z ZSet[T]) Score(member T) (float64, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return 0, err
	}
	return z.Handle().Score(string(sc.name))
}

// Rank returns how many members stand before this one, from the lowest score on,
// or ErrNotFound. The cost is that of typed.ZSet.Rank.
func (z ZSet[T]) Rank(member T) (int64, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return 0, err
	}
	return z.Handle().Rank(string(sc.name))
}

// RevRank returns how many members stand before this one, from the highest score
// on, or ErrNotFound.
func (z ZSet[T]) RevRank(member T) (int64, error) {
	sc := getScratch()
	defer sc.put()
	if err := z.members.encode(sc, member); err != nil {
		return 0, err
	}
	return z.Handle().RevRank(string(sc.name))
}

// Len returns how many members there are, at the same cost for any number.
func (z ZSet[T]) Len() (int64, error) { return z.Handle().Len() }

// ByLex chooses the members from min to max in the order of T, both included,
// whatever their scores.
func (z ZSet[T]) ByLex(min, max T) typed.ZRange {
	return typed.ByLex(z.bound(min), z.bound(max))
}

// ByLexFrom is ByLex without an upper end.
func (z ZSet[T]) ByLexFrom(min T) typed.ZRange { return typed.ByLexFrom(z.bound(min)) }

// ByLexTo is ByLex without a lower end.
func (z ZSet[T]) ByLexTo(max T) typed.ZRange { return typed.ByLexTo(z.bound(max)) }

// ByScoreAfter chooses the scores from min to max, both included, of what a walk meets
// after last, which need not exist: one that ended there continues, in reverse too.
func (z ZSet[T]) ByScoreAfter(min, max float64, last Member[T]) typed.ZRange {
	return typed.ByScore(min, max).After(typed.Member{Name: z.bound(last.Name), Score: last.Score})
}

// After yields the members above last in the order of their scores, as
// typed.ZSet.After does.
func (z ZSet[T]) After(last Member[T]) iter.Seq2[Member[T], error] {
	return z.Range(z.ByScoreAfter(math.Inf(-1), math.Inf(1), last))
}

// bound returns the name of the member. Without a codec no call gets to use it.
func (z ZSet[T]) bound(v T) string {
	if z.members.codec == nil {
		return ""
	}
	return string(z.members.codec.AppendKey(nil, v))
}

// ByPrefix chooses the members that have the prefix, in the order of T, whatever
// their scores.
func (z ZSet[T]) ByPrefix(p Prefix[T]) typed.ZRange {
	above := p.bytes
	for len(above) > 0 && above[len(above)-1] == 0xFF {
		above = above[:len(above)-1]
	}
	if above == "" {
		return typed.ByLexFrom(p.bytes)
	}
	last := len(above) - 1
	return typed.ByLex(p.bytes, above[:last]+string([]byte{above[last] + 1})).OpenMax()
}

// Range yields the members that r chooses, in the order it says: typed.ByRank and
// typed.ByScore, or ByLex, ByLexFrom and ByPrefix of this set.
func (z ZSet[T]) Range(r typed.ZRange) iter.Seq2[Member[T], error] {
	return walk(z.Handle().Range(r), func(sc *scratch, m typed.Member) (Member[T], error) {
		v, err := z.members.decode(sc, z.Name(), m.Name)
		if err != nil {
			return Member[T]{}, err
		}
		return Member[T]{v, m.Score}, nil
	})
}

// Count returns how many members Range(r) yields, by walking them, except for
// ranks.
func (z ZSet[T]) Count(r typed.ZRange) (int64, error) {
	if z.members.codec == nil {
		return 0, errNoCodec
	}
	return z.Handle().Count(r)
}

// Remove removes the members and returns how many there were. Without members left
// the key is gone. Drop removes all of them with the key; Delete of a store does so
// without a report.
func (z ZSet[T]) Remove(members ...T) (removed int, err error) {
	names, err := z.members.names(members)
	if err != nil {
		return 0, err
	}
	return z.Handle().Remove(names...)
}

// RemoveRange removes the members that Range(r) yields and returns how many. They
// are not decoded.
func (z ZSet[T]) RemoveRange(r typed.ZRange) (removed int, err error) {
	if z.members.codec == nil {
		return 0, errNoCodec
	}
	return z.Handle().RemoveRange(r)
}

// PopMin removes up to n members with the lowest scores and returns them, lowest
// first. A member that cannot be decoded is removed too: the others are returned
// with an error that joins a *DecodeError for each such one. A negative n is
// ErrBadOption.
func (z ZSet[T]) PopMin(n int) ([]Member[T], error) {
	if z.members.codec == nil {
		return nil, errNoCodec
	}
	popped, err := z.Handle().PopMin(n)
	return z.popped(popped, err)
}

// WaitMin removes the member with the lowest score and returns it, as soon as the store's
// clock has reached until of that score, as typed.ZSet.WaitMin does. A member that cannot
// be decoded is removed too: the error is a *DecodeError.
func (z ZSet[T]) WaitMin(ctx context.Context, until func(score float64) time.Time) (Member[T], error) {
	if z.members.codec == nil {
		return Member[T]{}, errNoCodec
	}
	m, err := z.Handle().WaitMin(ctx, until)
	if err != nil {
		return Member[T]{}, err
	}
	all, err := z.popped([]typed.Member{m}, nil)
	if err != nil {
		return Member[T]{}, err
	}
	return all[0], nil
}

// PopMax removes up to n members with the highest scores and returns them, highest
// first, as PopMin does.
func (z ZSet[T]) PopMax(n int) ([]Member[T], error) {
	if z.members.codec == nil {
		return nil, errNoCodec
	}
	popped, err := z.Handle().PopMax(n)
	return z.popped(popped, err)
}

func (z ZSet[T]) popped(members []typed.Member, err error) ([]Member[T], error) {
	if err != nil || len(members) == 0 {
		return nil, err
	}
	sc := getScratch()
	defer sc.put()
	decoded := make([]Member[T], 0, len(members))
	var failed []error
	for _, m := range members {
		v, err := z.members.decode(sc, z.Name(), m.Name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		decoded = append(decoded, Member[T]{v, m.Score})
	}
	return decoded, errors.Join(failed...)
}
