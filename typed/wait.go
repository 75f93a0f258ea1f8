package typed

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
)

// The calls that wait for an element. Those of one key are served in the order in which
// they began, whichever end they take from; a call that does not wait, such as
// List.PopFront, is in no line. About one of the calls that wait is woken for each
// element, and none polls. Nothing is held meanwhile, neither a snapshot nor a lock.
//
// An element is taken in a transaction of its own, which is as durable as any other call
// when it returns. The end of the context ends the waiting alone: a call that has begun
// to take an element returns it. So an element is either returned to one caller or still
// in its key. A program that crashes after that has taken it with it: move it to another
// list, with DB.Wait and List.MoveTo, if it is to be found again.

// WaitFront removes the first value and returns it, which is yours, as soon as there is
// one. It returns the error of ctx if that ends first, ErrClosed when the store is
// closed, ErrDropped when the keyspace is dropped, and ErrWrongType when the key comes to
// hold another type. In a transaction and on a snapshot it is an error. [BLPOP]
func (l List) WaitFront(ctx context.Context) ([]byte, error) { return l.waitOne(ctx, EndFront) }

// WaitBack is WaitFront of the last value. [BRPOP]
func (l List) WaitBack(ctx context.Context) ([]byte, error) { return l.waitOne(ctx, EndBack) }

func (l List) waitOne(ctx context.Context, end End) ([]byte, error) {
	return collection.Wait(ctx, l.src, l.name, func(src collection.Source) ([]byte, collection.Due, error) {
		v, err := List{Key{src, l.name}}.popOne(end)
		return v, collection.Due{}, err
	})
}

// WaitMin removes the member with the lowest score and returns it, as soon as the store's
// clock has reached until of that score. With UnixSeconds or UnixMilli scores are times,
// and the sorted set is a queue of what is to be done later. Nil is no time: the member is
// returned as soon as there is one, and the sorted set is a queue by priority.
//
// It wakes when a commit writes the set, and when the time of the lowest score has come. A
// clock that is set forward, which no timer follows, is noticed within about a second.
// until is called in the caller's goroutine; of two scores the higher must not be reached
// first. Calls that wait with different ones on one set are served in their order all the
// same: the first decides.
//
// It returns errors as List.WaitFront does. [BZPOPMIN]
func (z ZSet) WaitMin(ctx context.Context, until func(score float64) time.Time) (Member, error) {
	return collection.Wait(ctx, z.src, z.name, func(src collection.Source) (m Member, d collection.Due, err error) {
		z, score := ZSet{Key{src, z.name}}, math.Inf(1)
		for again := until != nil; ; again = true {
			if again {
				if score, d, err = z.reached(until); err != nil {
					return m, d, err
				}
			}
			// Somebody who does not wait may have been faster.
			if m, err = z.popUpTo(score); !errors.Is(err, base.ErrNotFound) {
				return m, collection.Due{}, err
			}
		}
	})
}

// reached returns the lowest score if its time has come, or until is nil. Otherwise it returns ErrNotFound
// and what may bring a score whose time has.
func (z ZSet) reached(until func(float64) time.Time) (score float64, d collection.Due, err error) {
	l, err := collection.View(z.src, z.lowest)
	if err != nil {
		return 0, d, err
	}
	if !l.found {
		return 0, collection.Due{ID: l.id}, base.ErrNotFound
	}
	var at int64
	if until != nil {
		if at, err = deadlineAt(until(l.score)); err != nil {
			at = collection.MaxExpiry // beyond what the clock counts
		}
	}
	if at > l.now {
		return 0, collection.Due{At: at, ID: l.id}, base.ErrNotFound
	}
	return l.score, collection.Due{}, nil
}

// lowest is the lowest score of a sorted set at a moment.
type lowest struct {
	score float64
	found bool   // there is one
	id    uint64 // of the set's rows
	now   int64
}

func (z ZSet) lowest(t collection.Txn) (l lowest, err error) {
	set, found, err := z.openOld(t)
	if !found {
		return l, err
	}
	l.id, l.now = set.ID(), t.Now()
	err = eachMember(t, &set, ByRank(0, 0), func(_ []byte, v collection.MemberValue) (bool, error) {
		l.score, l.found = v.Score, true
		return false, nil
	})
	return l, err
}

// popUpTo removes the member with the lowest score and returns it if the score is at most
// the given one; otherwise it returns ErrNotFound.
func (z ZSet) popUpTo(most float64) (Member, error) {
	return collection.Update(z.src, z.name, func(t collection.Txn) (m Member, err error) {
		set, found, err := z.openOldToWrite(t)
		if err != nil {
			return m, err
		}
		taken := false
		if found {
			err = eachMember(t, &set, ByRank(0, 0), func(name []byte, v collection.MemberValue) (bool, error) {
				if taken = v.Score <= most; !taken {
					return false, nil
				}
				m = Member{string(name), v.Score}
				return false, set.RemoveMember(t, m.Name, v)
			})
		}
		switch {
		case err != nil:
			return m, err
		case !taken:
			return m, base.ErrNotFound
		}
		return m, set.Keep(t)
	})
}

// UnixSeconds and UnixMilli are for ZSet.WaitMin: the time that a score says, counted in
// seconds or milliseconds since 1970. Fractions count; what lies beyond the range of the
// times that a store knows is the nearest of them.
func UnixSeconds(score float64) time.Time { return unix(score * 1000) }

// UnixMilli is UnixSeconds of a score in milliseconds.
func UnixMilli(score float64) time.Time { return unix(score) }

func unix(ms float64) time.Time {
	const most = 1 << 52 // as float64 has a fraction below
	ms = max(-most, min(ms, most))
	whole := math.Floor(ms)
	return time.UnixMilli(int64(whole)).Add(time.Duration((ms - whole) * float64(time.Millisecond)))
}
