package siltstone

import (
	"bytes"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
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
	defer db.states.Drop(c.view.State)
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
	// What is in one record cannot be mended from others; it is left as it is.
	r.report.Collections = append(r.report.Collections, c.inlineFaults...)
	mended := map[namedID]bool{}
	for _, f := range faults {
		m := &mending{c: c, prefix: []byte(f.who.prefix), id: f.who.id, row: f.row}
		took, err := m.run(mended[f.who])
		if err != nil {
			return err
		}
		mended[f.who] = mended[f.who] || took
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

	typ             record.Type
	elements, bytes uint64
	members         map[string]memberScore // of a sorted set
	stale           [][]byte               // score rows that are not those of members
	volatile        map[string]int64       // deadlines of elements that have one
	placed          map[string]bool        // elements that have their due rows
	items           itemSpan               // of a list
}

// mendBatch is how many operations are committed together.
const mendBatch = 1000

// run mends the collection, and reports whether it is now that of m.row. If two
// rows name it, that is the one that the owner row names too, or else the first;
// taken says that there was one before.
func (m *mending) run(taken bool) (took bool, err error) {
	lo, hi := keyenc.CollectionRange(m.prefix, m.id, m.id)
	if _, rest, ok := keyenc.KeyspaceOf(m.row); ok && rest[0] == keyenc.SpaceElements {
		return false, errors.Join(m.delete(m.row), m.commit())
	}
	if m.row == nil {
		return false, m.drop(lo, hi)
	}
	f, err := m.look(m.row)
	if err != nil {
		return false, err
	}
	meta, bad := record.DecodeMeta(f.Value)
	if !f.OK || bad != nil {
		return false, m.drop(lo, hi)
	}
	owner, err := m.owner()
	if err != nil {
		return false, err
	}
	if taken || owner != nil && !bytes.Equal(owner, m.row) {
		return false, errors.Join(m.delete(m.row), m.commit())
	}
	m.typ = record.Type(f.Attr.Type())
	if err := m.elementsOf(lo, hi); err != nil {
		return false, err
	}
	if m.elements == 0 {
		return false, m.drop(lo, hi)
	}
	return true, m.save(f, meta)
}

// save writes the rows that go by the elements.
func (m *mending) save(f readstate.Found, meta record.Meta) error {
	meta.Count, meta.Bytes, meta.NextDue = m.elements, m.bytes, m.nextDue()
	switch m.typ {
	case record.TypeList:
		meta.Body = m.items.body()
	case record.TypeZSet:
		meta.Body = nil // not counted: the next write counts it
	}
	return errors.Join(
		m.put(keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagOwner, ""), record.TypeNone, m.row),
		m.add(record.Op{Attr: f.Attr, Expiry: f.Expiry, Key: m.row, Value: record.AppendMeta(nil, meta)}),
		m.timer(f.Expiry),
		m.timer(meta.NextDue),
		m.commit())
}

// look reads a row as it was before.
func (m *mending) look(row []byte) (readstate.Found, error) {
	return m.c.view.State.Get(row, base.HashRow(row), m.c.view.Seq)
}

// owner returns the metadata row that the owner row names, if that one names the
// collection too; nil if not.
func (m *mending) owner() ([]byte, error) {
	f, err := m.look(keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagOwner, ""))
	if err != nil || !f.OK {
		return nil, err
	}
	prefix, rest, ok := keyenc.KeyspaceOf(f.Value)
	if !ok || rest[0] != keyenc.SpaceKeys || !bytes.Equal(prefix, m.prefix) {
		return nil, nil
	}
	row := bytes.Clone(f.Value)
	if f, err = m.look(row); err != nil || !f.OK || f.Expired(m.c.view.Now) {
		return nil, err
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.Value); !ok || id != m.id {
		return nil, nil
	}
	return row, nil
}

// timer puts the timer row of a time, 0 being none.
func (m *mending) timer(at int64) error {
	if at == 0 {
		return nil
	}
	return m.put(keyenc.AppendTimerRow(nil, at, m.id), record.TypeNone, m.prefix)
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

func (m *mending) put(row []byte, typ record.Type, value []byte) error {
	return m.add(record.Op{Attr: base.MakeAttr(base.KindPut, uint8(typ), false), Key: row, Value: value})
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
	c := commit.NewChange()
	defer c.Free()
	for _, o := range m.ops {
		c.AddOp(o)
	}
	m.ops = m.ops[:0]
	return m.c.db.commit(c, Buffered)
}
