package typed

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// storeMembers makes the key the sorted set of the members that fill puts, each
// once.
func (z ZSet) storeMembers(fill func(t collection.Txn, put func(name []byte, score float64) (bool, error)) error) (int64, error) {
	return collection.Update(z.src, "", func(t collection.Txn) (int64, error) {
		return collection.Replace(t, z.name, record.TypeZSet, func(result *collection.Collection) error {
			return fill(t, func(name []byte, score float64) (bool, error) {
				return true, result.AddUncounted(t, string(name), score)
			})
		})
	})
}

// scoredSource is a sorted set, or a set, whose members are met in the order of
// their names: by a walk, or by look-ups if it is much larger than what is asked.
type scoredSource struct {
	set    collection.Collection
	scored bool   // a sorted set
	live   uint64 // members
	weight float64
	walk   setWalk // not opened: by look-up, or there is nothing
}

// openScored opens a sorted set, or a set, that is a source.
func openScored(t collection.Txn, name string) (c collection.Collection, scored bool, err error) {
	c, err = collection.Open(t, name, record.TypeZSet)
	if errors.Is(err, base.ErrWrongType) {
		c, err = collection.Open(t, name, record.TypeSet)
		return c, false, err
	}
	return c, true, err
}

// begin puts the walk on the first member.
func (s *scoredSource) begin(t collection.Txn) (err error) {
	if !s.set.Exists() {
		return nil
	}
	s.walk.Elements, err = s.set.Scan(t, collection.Part{}, collection.ScanOptions{KeysOnly: !s.scored})
	if err != nil {
		return err
	}
	return s.step()
}

func (s *scoredSource) step() error {
	if s.walk.step() {
		return nil
	}
	return s.walk.Err()
}

// score returns the weighted score of the member the walk is on.
func (s *scoredSource) score() (float64, error) { return s.weighted(s.walk.Value) }

// weighted returns the weighted score in the value of an element; NaN for an
// infinite one times 0.
func (s *scoredSource) weighted(value []byte) (float64, error) {
	if !s.scored {
		return s.weight, nil
	}
	score, err := s.set.Score(value)
	return s.weight * score, err
}

// find returns the weighted score of a member, asked for in order.
func (s *scoredSource) find(t collection.Txn, member []byte) (score float64, found bool, err error) {
	if s.set.Exists() && !s.walk.Opened() {
		v, exists, err := []byte(nil), false, error(nil)
		if !s.scored {
			exists, err = s.set.Has(t, string(member))
		} else {
			sc := t.Scratch()
			v, _, err = s.set.Get(t, sc.Val[:0], string(member))
			exists, err = err == nil, collection.AbsentOK(err)
		}
		if err != nil || !exists {
			return 0, false, err
		}
		score, err = s.weighted(v)
		return score, true, err
	}
	for s.walk.at != nil && bytes.Compare(s.walk.at, member) < 0 {
		if err := s.step(); err != nil {
			return 0, false, err
		}
	}
	if s.walk.at == nil || !bytes.Equal(s.walk.at, member) {
		return 0, false, nil
	}
	score, err = s.score()
	return score, true, err
}

// combineScored calls each for every member of the result, in the order of names,
// until it returns false or an error. All sources are opened, and refused, before
// the first call.
func combineScored(t collection.Txn, op setOp, o ZOptions, names []string, each func(name []byte, score float64) (bool, error)) error {
	if err := o.check(len(names)); err != nil {
		return err
	}
	sources := make([]scoredSource, len(names))
	for i, name := range names {
		set, scored, err := openScored(t, name)
		if err != nil {
			return err
		}
		live, err := set.Live(t)
		if err != nil {
			return err
		}
		sources[i] = scoredSource{set: set, scored: scored, live: live, weight: o.weight(i)}
	}
	defer func() {
		for i := range sources {
			sources[i].walk.Close()
		}
	}()
	if op != opDiff {
		// Sums of fractions depend on their order, and this is that of Redis.
		slices.SortStableFunc(sources, func(a, b scoredSource) int { return cmp.Compare(a.live, b.live) })
	}
	if op == opUnion {
		return uniteScored(t, o.Aggregate, sources, each)
	}
	asked := sources[0].set.Count()
	for i := range sources {
		if sources[i].set.Count()/lookUpFactor > asked && i > 0 {
			continue
		}
		if err := sources[i].begin(t); err != nil {
			return err
		}
	}
	return siftScored(t, op, o.Aggregate, sources, each)
}

// siftScored calls each for the members of the first source that all, or none, of
// the others have.
func siftScored(t collection.Txn, op setOp, a Aggregate, sources []scoredSource, each func([]byte, float64) (bool, error)) error {
	w := &sources[0]
	for w.walk.at != nil {
		score, err := w.score()
		if err != nil {
			return err
		}
		score = number(score)
		passed := true
		for i := 1; i < len(sources) && passed; i++ {
			v, found, err := sources[i].find(t, w.walk.at)
			if err != nil {
				return err
			}
			if passed = found == (op == opInter); found {
				score = a.join(score, v)
			}
		}
		if passed {
			if more, err := each(w.walk.at, score); err != nil || !more {
				return err
			}
		}
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// uniteScored walks all sources side by side.
func uniteScored(t collection.Txn, a Aggregate, sources []scoredSource, each func([]byte, float64) (bool, error)) error {
	for i := range sources {
		if err := sources[i].begin(t); err != nil {
			return err
		}
	}
	var member []byte
	for {
		first := -1
		for i := range sources {
			at := sources[i].walk.at
			if at != nil && (first < 0 || bytes.Compare(at, sources[first].walk.at) < 0) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		member = append(member[:0], sources[first].walk.at...)
		score := 0.0
		for i := first; i < len(sources); i++ {
			v, found, err := sources[i].find(t, member)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if v = number(v); i > first {
				v = a.join(score, v)
			}
			score = v
			if err := sources[i].step(); err != nil {
				return err
			}
		}
		if more, err := each(member, score); err != nil || !more {
			return err
		}
	}
}
