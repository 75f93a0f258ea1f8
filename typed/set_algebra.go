package typed

import (
	"iter"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// The algebra of sets walks its sources side by side in bytewise order and
// yields members as it meets them, so it needs a cursor per source and no memory
// for the sets, however large.

// Union yields the members that are in this set or any of the others, in bytewise
// order. A missing set is empty, here and below. [SUNION]
func (s Set) Union(others ...string) iter.Seq2[string, error] {
	return s.streamed(opUnion, others)
}

// Inter yields the members that are in this set and all of the others. It walks
// the smallest and looks members up in those that are much larger. [SINTER]
func (s Set) Inter(others ...string) iter.Seq2[string, error] {
	return s.streamed(opInter, others)
}

// InterLen returns how many members Inter would yield, but counts to limit at
// most; 0 is no limit, a negative one is ErrBadOption. [SINTERCARD]
func (s Set) InterLen(limit int64, others ...string) (n int64, err error) {
	if limit < 0 {
		return 0, badCount("limit", limit)
	}
	return collection.View(s.src, func(t collection.Txn) (n int64, err error) {
		sources := append([]string{s.name}, others...)
		err = combine(t, opInter, sources, func([]byte) (bool, error) {
			n++
			return n != limit, nil
		})
		return n, err
	})
}

// Diff yields the members that are in this set and none of the others. [SDIFF]
func (s Set) Diff(others ...string) iter.Seq2[string, error] {
	return s.streamed(opDiff, others)
}

// StoreUnion makes this key the union of the sources and returns how many members
// that has. What the key held before, of whatever type, is dropped, and so is its
// time to live; an empty result leaves no key, and the members of the result have no
// times to live. The key may be a source itself.
// Unlike in Union, the set it is called on is not a source unless it is named; no
// source at all is ErrBadOption. [SUNIONSTORE]
func (s Set) StoreUnion(sources ...string) (n int64, err error) { return s.store(opUnion, sources) }

// StoreInter is StoreUnion with the members that are in all of the sources.
// [SINTERSTORE]
func (s Set) StoreInter(sources ...string) (n int64, err error) { return s.store(opInter, sources) }

// StoreDiff is StoreUnion with the members of the first source that are in none
// of the others. [SDIFFSTORE]
func (s Set) StoreDiff(sources ...string) (n int64, err error) { return s.store(opDiff, sources) }

type setOp uint8

const (
	opUnion setOp = iota
	opInter
	opDiff
)

func (s Set) streamed(op setOp, others []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		collection.Stream(s.src, yield, func(t collection.Txn, each func(string) bool) error {
			sources := append([]string{s.name}, others...)
			var names nameArena
			return combine(t, op, sources, func(m []byte) (bool, error) {
				return each(names.name(m)), nil
			})
		})
	}
}

func (s Set) store(op setOp, sources []string) (int64, error) {
	return collection.Update(s.src, "", func(t collection.Txn) (int64, error) {
		if err := collection.CheckName(s.name); err != nil {
			return 0, err
		}
		if len(sources) == 0 {
			return 0, errNoSources(s.name)
		}
		return collection.Replace(t, s.name, record.TypeSet, func(result *collection.Collection) error {
			return combine(t, op, sources, func(m []byte) (bool, error) {
				return true, result.AddName(t, m)
			})
		})
	})
}

// combine calls each for every member of the result, in order, until it returns
// false or an error. All sources are opened, and refused, before the first call.
func combine(t collection.Txn, op setOp, sources []string, each func(member []byte) (bool, error)) error {
	sets := make([]collection.Collection, len(sources))
	for i, name := range sources {
		var err error
		if sets[i], err = collection.Open(t, name, record.TypeSet); err != nil {
			return err
		}
	}
	if len(sets) == 0 {
		return nil
	}
	if op == opUnion {
		return unite(t, sets, each)
	}
	if op == opInter {
		// The smallest set is the one to walk.
		for i := range sets {
			if sets[i].Count() < sets[0].Count() {
				sets[0], sets[i] = sets[i], sets[0]
			}
		}
	}
	return sift(t, &sets[0], sets[1:], op == opInter, each)
}

// sift calls each for the members of walked that all (keep), or none, of the
// others have.
func sift(t collection.Txn, walked *collection.Collection, others []collection.Collection, keep bool, each func([]byte) (bool, error)) error {
	if !walked.Exists() {
		return nil
	}
	w, err := openWalk(t, walked)
	if err != nil {
		return err
	}
	defer w.Close()
	tests := make([]membership, 0, len(others))
	defer func() {
		for i := range tests {
			tests[i].close()
		}
	}()
	for i := range others {
		m, err := openMembership(t, &others[i], walked.Count())
		tests = append(tests, m) // to be closed also after an error
		if err != nil {
			return err
		}
	}
	for w.step() {
		passed, err := passes(t, tests, w.at, keep)
		if err != nil {
			return err
		}
		if !passed {
			continue
		}
		if more, err := each(w.at); err != nil || !more {
			return err
		}
	}
	return w.Err()
}

func passes(t collection.Txn, tests []membership, member []byte, want bool) (bool, error) {
	for i := range tests {
		if has, err := tests[i].has(t, member); err != nil || has != want {
			return false, err
		}
	}
	return true, nil
}
