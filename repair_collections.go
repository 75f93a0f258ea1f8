package siltstone

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// collections makes every collection whose rows do not agree follow the elements
// that are left of it.
func (r *repair) collections(db *DB) error {
	c, err := db.newChecker(r.ctx)
	if err != nil {
		return err
	}
	defer db.states.drop(c.view.rs)
	type fault struct {
		who namedID
		row []byte
	}
	var faults []fault
	err = c.eachFault(func(who namedID, row []byte, err error) {
		faults = append(faults, fault{who, row})
		r.report.Collections = append(r.report.Collections, err)
	})
	if err != nil {
		return err
	}
	for _, f := range faults {
		m := &mending{c: c, prefix: []byte(f.who.prefix), id: f.who.id, row: f.row}
		if err := m.run(); err != nil {
			return err
		}
	}
	return nil
}

// mending makes one collection whole. It reads the store as it was before, so
// that its own writes do not get in its way.
type mending struct {
	c      *checker
	prefix []byte
	id     uint64
	row    []byte // of the metadata; nil: none
	ops    []record.Op

	members, scores map[string]uint64 // of a sorted set
	elements, bytes uint64
	first, end      uint64 // of a list
}

// mendBatch is how many operations are committed together.
const mendBatch = 1000

func (m *mending) run() error {
	lo, hi := keyenc.CollectionRange(m.prefix, m.id, m.id)
	if _, rest, ok := keyenc.KeyspaceOf(m.row); ok && rest[0] == keyenc.SpaceElements {
		return errors.Join(m.delete(m.row), m.commit())
	}
	var f found
	if m.row != nil {
		var err error
		if f, err = m.c.view.rs.get(m.row, hashRow(m.row), m.c.view.seq); err != nil {
			return err
		}
	}
	typ := record.Type(f.Attr.Type())
	meta, err := record.DecodeMeta(f.value)
	if !f.ok || err != nil {
		return m.drop(lo, hi)
	}
	if err := m.elementsOf(typ, lo, hi); err != nil {
		return err
	}
	if typ == record.TypeZSet {
		if err := m.pairs(); err != nil {
			return err
		}
	}
	if m.elements == 0 {
		return m.drop(lo, hi)
	}
	meta.Count, meta.Bytes = m.elements, m.bytes
	if typ == record.TypeList {
		meta.Body = append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, m.first), m.end), 0)
	}
	owner := keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagOwner, "")
	return errors.Join(
		m.add(record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: owner, Value: m.row}),
		m.add(record.Op{Attr: f.Attr, Expiry: f.Expiry, Key: m.row, Value: record.AppendMeta(nil, meta)}),
		m.commit())
}

// drop deletes what is left of a collection without elements or metadata.
func (m *mending) drop(lo, hi []byte) error {
	if m.row != nil {
		if err := m.delete(m.row); err != nil {
			return err
		}
	}
	return errors.Join(m.add(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi}), m.commit())
}

// elementsOf counts the elements in [lo, hi). The items of a list close up.
func (m *mending) elementsOf(typ record.Type, lo, hi []byte) error {
	it, err := m.c.db.newRowIter(m.c.view, lo, hi, false)
	if err != nil {
		return err
	}
	defer it.release()
	m.members, m.scores = map[string]uint64{}, map[string]uint64{}
	for ok := it.first(); ok; ok = it.next() {
		if err := m.c.tick(); err != nil {
			return err
		}
		_, rest, _ := keyenc.KeyspaceOf(it.key)
		_, tag, name, ok := keyenc.ParseCollectionRow(rest)
		switch {
		case !ok:
		case tag == keyenc.TagElement && typ == record.TypeZSet:
			if _, ok := keyenc.DecodeScore(it.value); ok && len(it.value) == keyenc.ScoreLen {
				m.members[string(name)] = binary.BigEndian.Uint64(it.value)
			}
		case tag == keyenc.TagScore && typ == record.TypeZSet:
			if _, ok := keyenc.DecodeScore(name); ok {
				m.scores[string(name[keyenc.ScoreLen:])] = binary.BigEndian.Uint64(name)
			}
		case tag == keyenc.TagItem && typ == record.TypeList:
			err = m.item(it.key, name, it.value)
		case tag == keyenc.TagElement && typ != record.TypeList:
			m.count(len(name) + len(it.value))
		}
		if err != nil {
			return err
		}
	}
	return it.err
}

// count counts an element as typed values do: 20 bytes for the row.
func (m *mending) count(size int) {
	m.elements++
	m.bytes += uint64(size) + 20
}

// item puts the next item of a list behind those before it.
func (m *mending) item(row, name, value []byte) error {
	index, ok := keyenc.DecodeItem(name)
	if !ok {
		return m.delete(slices.Clone(row))
	}
	if m.elements == 0 {
		m.first, m.end = index, index
	}
	to := m.end
	m.end += keyenc.ItemStride
	m.count(len(value))
	if to == index {
		return nil
	}
	put := record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: keyenc.AppendItemRow(nil, m.prefix, m.id, to), Value: slices.Clone(value)}
	return errors.Join(m.delete(slices.Clone(row)), m.add(put))
}

// pairs gives every member of a sorted set its score row, and every score row
// its member. Where the two differ the member's counts.
func (m *mending) pairs() error {
	var errs []error
	put := func(row, value []byte) {
		errs = append(errs, m.add(record.Op{Attr: base.MakeAttr(base.KindPut, 0, false), Key: row, Value: value}))
	}
	for member, score := range m.scores {
		have, ok := m.members[member]
		if !ok {
			m.members[member] = score
			put(keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagElement, member), binary.BigEndian.AppendUint64(nil, score))
		} else if have != score {
			errs = append(errs, m.delete(keyenc.AppendScoreRow(nil, m.prefix, m.id, score, member)))
		}
	}
	for member, score := range m.members {
		m.count(2*len(member) + 2*keyenc.ScoreLen)
		if have, ok := m.scores[member]; !ok || have != score {
			put(keyenc.AppendScoreRow(nil, m.prefix, m.id, score, member), nil)
		}
	}
	return errors.Join(errs...)
}

func (m *mending) delete(row []byte) error {
	return m.add(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: row})
}

// add adds one operation, whose slices it keeps.
func (m *mending) add(o record.Op) error {
	if m.ops = append(m.ops, o); len(m.ops) < mendBatch {
		return nil
	}
	return m.commit()
}

func (m *mending) commit() error {
	if len(m.ops) == 0 {
		return nil
	}
	c := newChange()
	defer c.free()
	for _, o := range m.ops {
		c.payload = record.AppendOp(c.payload, o)
	}
	m.ops = m.ops[:0]
	if err := c.index(); err != nil {
		return err
	}
	return m.c.db.commit(c, Buffered)
}
