package repair

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// memberScore is the remains of a member of a sorted set.
type memberScore struct {
	score    uint64
	deadline int64 // 0: none
	seq      base.SeqNum
	element  bool // it has its element row
	placed   bool // it has its score row
}

// elementsOf goes over the rows in [lo, hi): it counts the elements and makes the
// rows that go by them agree. Of two rows that disagree the element row counts.
//
//	element   stays, unless it is malformed
//	score     goes if the member has another one; is put where it is missing, and
//	          gives its member back if the element row is missing
//	bucket    goes: the order is not counted any more
//	due       goes if no element has that deadline; is put where it is missing
//	item      stays where it is
func (m *collectionRepair) elementsOf(lo, hi []byte) error {
	it, err := rows.New(m.store.Rows, m.store.View, lo, hi, false)
	if err != nil {
		return err
	}
	defer it.Release()
	m.members, m.volatile, m.placed = map[string]memberScore{}, map[string]int64{}, map[string]bool{}
	for ok, n := it.First(), 1; ok; ok, n = it.Next(), n+1 {
		if n%1000 == 0 && m.ctx.Err() != nil {
			return m.ctx.Err()
		}
		_, rest, _ := keyenc.KeyspaceOf(it.Key())
		_, tag, name, ok := keyenc.ParseCollectionRow(rest)
		if ok && !m.keeps(tag, name, it.Value(), it.Trailer()) {
			if err := m.delete(slices.Clone(it.Key())); err != nil {
				return err
			}
		}
	}
	if it.Err() != nil {
		return it.Err()
	}
	return errors.Join(m.pairs(), m.dues())
}

// keeps counts a row and reports whether it stays.
func (m *collectionRepair) keeps(tag byte, name, value []byte, t base.Trailer) bool {
	switch {
	case tag == keyenc.TagBucket:
		return false
	case tag == keyenc.TagDue:
		return m.keepsDue(name)
	case tag == keyenc.TagItem && m.typ == record.TypeList:
		index, ok := keyenc.DecodeItem(name)
		if ok = ok && m.items.add(index); ok {
			m.count(len(value))
		}
		return ok
	case tag == keyenc.TagScore && m.typ == record.TypeZSet:
		return m.keepsScore(name, value, t)
	case tag == keyenc.TagElement && m.typ != record.TypeList:
		return m.keepsElement(name, value, t)
	}
	return true
}

// keepsElement is keeps for an element row, which come first.
func (m *collectionRepair) keepsElement(name, value []byte, t base.Trailer) bool {
	deadline, rest, ok := record.ElementValue(record.Type(t.Attr.Type()), value)
	if !ok {
		return false
	}
	if m.typ == record.TypeZSet {
		if _, ok := keyenc.DecodeScore(rest); !ok || len(rest) != keyenc.ScoreLen {
			return false
		}
		m.members[string(name)] = memberScore{score: binary.BigEndian.Uint64(rest), deadline: deadline, element: true}
		return true // counted with its score
	}
	m.count(len(name) + len(value))
	if deadline != 0 {
		m.volatile[string(name)] = deadline
	}
	return true
}

// keepsScore is keeps for a score row: the elements are all known. Of two scores
// of a member that is missing the newer counts.
func (m *collectionRepair) keepsScore(name, value []byte, t base.Trailer) bool {
	deadline, _, valid := record.ElementValue(record.Type(t.Attr.Type()), value)
	if _, ok := keyenc.DecodeScore(name); !ok || !valid {
		return false
	}
	score, member := binary.BigEndian.Uint64(name), string(name[keyenc.ScoreLen:])
	had, ok := m.members[member]
	if had.element {
		if had.score != score {
			return false
		}
		had.placed = had.deadline == deadline // else it is put again
		m.members[member] = had
		return true
	}
	if ok && had.seq > t.Seq {
		return false
	}
	m.members[member] = memberScore{score: score, deadline: deadline, seq: t.Seq, placed: true}
	if ok {
		m.stale = append(m.stale, keyenc.AppendScoreRow(nil, m.prefix, m.id, had.score, member))
	}
	return true
}

// keepsDue is keeps for a due row: of the elements those with a deadline are
// known, but for sorted sets, whose pairs are made now.
func (m *collectionRepair) keepsDue(name []byte) bool {
	if len(name) < record.DeadlineLen {
		return false
	}
	deadline, member := int64(binary.BigEndian.Uint64(name)), string(name[record.DeadlineLen:])
	has := m.volatile[member]
	if m.typ == record.TypeZSet {
		has = m.members[member].deadline
	}
	if has != deadline || deadline == 0 {
		return false
	}
	m.placed[member] = true
	return true
}

// count counts an element whose name and value have so many bytes.
func (m *collectionRepair) count(size int) { m.countBytes(record.ElementBytes(size)) }

// countBytes counts an element that takes so many bytes.
func (m *collectionRepair) countBytes(bytes uint64) {
	m.elements++
	m.bytes += bytes
}

// pairs gives every member of a sorted set its score row, and every score row
// its member.
func (m *collectionRepair) pairs() error {
	var errs []error
	for _, row := range m.stale {
		errs = append(errs, m.delete(row))
	}
	for member, v := range m.members {
		m.countBytes(record.MemberBytes(len(member)))
		var until []byte
		typ := record.TypeNone
		if v.deadline != 0 {
			until, typ = record.AppendDeadline(nil, v.deadline), record.TypeVolatile
			m.volatile[member] = v.deadline
		}
		if !v.element {
			row := keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagElement, member)
			errs = append(errs, m.put(row, typ, binary.BigEndian.AppendUint64(bytes.Clone(until), v.score)))
		}
		if !v.placed {
			errs = append(errs, m.put(keyenc.AppendScoreRow(nil, m.prefix, m.id, v.score, member), typ, until))
		}
	}
	return errors.Join(errs...)
}

// dues gives every element with a deadline its due row.
func (m *collectionRepair) dues() error {
	var errs []error
	for member, deadline := range m.volatile {
		if !m.placed[member] {
			errs = append(errs, m.put(keyenc.AppendDueRow(nil, m.prefix, m.id, deadline, member), record.TypeNone, nil))
		}
	}
	return errors.Join(errs...)
}

// nextDue returns the earliest deadline, 0 if there is none.
func (m *collectionRepair) nextDue() (next int64) {
	for _, deadline := range m.volatile {
		if next == 0 || deadline < next {
			next = deadline
		}
	}
	return next
}

// itemSpan is where the items of a list are that were seen so far. They come in
// the order of their indexes.
type itemSpan struct {
	first, last uint64
	any, gaps   bool
}

// add notes an item; false if no list has one there.
func (s *itemSpan) add(index uint64) bool {
	if index > math.MaxUint64-2*keyenc.ItemStride {
		return false
	}
	if !s.any {
		s.first, s.any = index, true
	} else if index-s.last != keyenc.ItemStride {
		s.gaps = true
	}
	s.last = index
	return true
}

// body returns the list's metadata: items stay at their indexes.
func (s *itemSpan) body() []byte {
	b := record.ListBounds{First: s.first, End: s.last + keyenc.ItemStride, Gaps: s.gaps}
	if s.gaps {
		b.End = s.last + 1
	}
	return record.AppendListBounds(nil, b)
}
