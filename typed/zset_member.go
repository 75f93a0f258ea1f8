package typed

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A member of a sorted set has two rows, and a place in the counted order. A
// deadline stands in both rows, so that a walk of either order sees what is due.
//
//	02·id·element·member        [deadline ·] score
//	02·id·score·score·member    [deadline]
//	02·id·due·deadline·member
//	02·id·bucket·…              counts it: recount

// memberValue is what a member is scored, and when it is due.
type memberValue struct {
	score    float64
	deadline int64 // 0: never
}

var errScore = errors.New("score of a member is malformed")

// lookUpMember looks a member up; one that is due is not there.
func lookUpMember(t Txn, set *collection, member string) (v memberValue, exists bool, err error) {
	if set.meta.Count == 0 {
		return v, false, nil
	}
	sc := t.Scratch()
	value, deadline, err := set.get(t, sc.val[:0], member)
	v.deadline = deadline
	if err != nil {
		return v, false, absentOK(err)
	}
	sc.val = value[:0]
	score, ok := keyenc.DecodeScore(value)
	if !ok || len(value) != keyenc.ScoreLen {
		return v, false, corrupt(set.name, errScore)
	}
	v.score = score
	return v, true, nil
}

// findMember is lookUpMember for calls that write: a member that is due is
// evicted and accounted for.
func findMember(t Txn, set *collection, member string) (v memberValue, exists bool, err error) {
	v, exists, err = lookUpMember(t, set, member)
	if err != nil || exists || v.deadline == 0 {
		return v, exists, err
	}
	set.shrank(1)
	return memberValue{}, false, evictMember(t, set, member, v.deadline)
}

// addNew adds a member that is not in the set; the caller keeps.
func addNew(t Txn, set *collection, m Member, deadline int64) error {
	if err := set.create(t); err != nil {
		return err
	}
	if err := putMember(t, set, m, 0, deadline); err != nil {
		return err
	}
	set.grew(memberBytes(len(m.Name)))
	return set.recount(t, set.place(t, m.Score, m.Name), 1)
}

// memberBytes estimates what a member takes.
func memberBytes(name int) int { return 2*name + 2*keyenc.ScoreLen + rowOverhead }

// changeScore gives a member another score. Its deadline stays.
func changeScore(t Txn, set *collection, member string, old memberValue, score float64) error {
	if err := set.deleteRow(t, set.ranked(t, old.score, member)); err != nil {
		return err
	}
	if err := putMember(t, set, Member{member, score}, old.deadline, old.deadline); err != nil {
		return err
	}
	sc := t.Scratch()
	sc.place2 = appendPlace(sc.place2[:0], old.score, member)
	return set.recountMove(t, sc.place2, set.place(t, score, member))
}

// putMember writes the rows of a member that had the deadline had.
func putMember(t Txn, set *collection, m Member, had, deadline int64) error {
	sc := t.Scratch()
	sc.out = keyenc.AppendScore(sc.out[:0], m.Score)
	if err := set.put(t, m.Name, sc.out, had, deadline); err != nil {
		return err
	}
	if deadline == 0 {
		return set.putRow(t, set.ranked(t, m.Score, m.Name), record.TypeNone, nil)
	}
	sc.out = record.AppendDeadline(sc.out[:0], deadline)
	return set.putRow(t, set.ranked(t, m.Score, m.Name), record.TypeVolatile, sc.out)
}

// removeMember removes a member and accounts for it.
func removeMember(t Txn, set *collection, member string, v memberValue) error {
	if err := deleteMember(t, set, member, v); err != nil {
		return err
	}
	set.shrank(1)
	return set.recount(t, set.place(t, v.score, member), -1)
}

// deleteMember deletes the rows of a member; the caller accounts for it, also in
// the counted order.
func deleteMember(t Txn, set *collection, member string, v memberValue) error {
	if err := set.deleteRow(t, set.ranked(t, v.score, member)); err != nil {
		return err
	}
	return set.remove(t, member, v.deadline)
}

// evictMember removes a member that is due; the caller accounts for it, but not in
// the counted order.
func evictMember(t Txn, set *collection, member string, deadline int64) error {
	score, err := dueScore(t, set, member)
	if err != nil {
		return err
	}
	if err := deleteMember(t, set, member, memberValue{score, deadline}); err != nil {
		return err
	}
	return set.recount(t, set.place(t, score, member), -1)
}

// dueScore returns the score of a member that is due.
func dueScore(t Txn, set *collection, member string) (float64, error) {
	sc := t.Scratch()
	value, _, err := set.getRow(t, sc.vol[:0], set.element(t, member))
	if errors.Is(err, base.ErrNotFound) {
		err = corrupt(set.name, errDue)
	}
	if err != nil {
		return 0, err
	}
	sc.vol = value[:0]
	_, rest, ok := record.CutDeadline(value)
	score, scored := keyenc.DecodeScore(rest)
	if !ok || !scored {
		return 0, corrupt(set.name, errScore)
	}
	return score, nil
}

// ranked returns the row key of the member in the score order; good until the
// next row.
func (c *collection) ranked(t Txn, score float64, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendScoreRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.OrderScore(score), member)
	return sc.row
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
