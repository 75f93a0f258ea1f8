package repair

import (
	"bytes"
	"context"
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/check"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// mendCollections makes every collection whose rows do not agree follow the
// elements that are left of it.
func mendCollections(ctx context.Context, s *check.Store, b *batch, done *Mended) error {
	type fault struct {
		who check.Collection
		row []byte
	}
	var faults []fault
	inline, err := check.Collections(ctx, *s, func(who check.Collection, row []byte, err error) {
		faults = append(faults, fault{who, row})
		done.Collections = append(done.Collections, err)
	})
	if err != nil {
		return err
	}
	// A fault within one record cannot be mended from others; the record stays.
	done.Collections = append(done.Collections, inline...)
	mended := map[check.Collection]bool{}
	for _, f := range faults {
		m := &collectionRepair{batch: b, ctx: ctx, store: s, prefix: []byte(f.who.Prefix), id: f.who.ID, row: f.row}
		took, err := m.run(mended[f.who])
		if err != nil {
			return err
		}
		mended[f.who] = mended[f.who] || took
	}
	return nil
}

// collectionRepair makes one collection whole. It reads the store as it was
// before, so that its own writes do not get in its way.
type collectionRepair struct {
	*batch
	ctx    context.Context
	store  *check.Store
	prefix []byte
	id     uint64
	row    []byte // of the metadata; nil: none

	typ             record.Type
	elements, bytes uint64
	members         map[string]memberScore // of a sorted set
	stale           [][]byte               // score rows that are not those of members
	volatile        map[string]int64       // deadlines of elements that have one
	placed          map[string]bool        // elements that have their due rows
	items           itemSpan               // of a list
}

// run mends the collection, and reports whether it is now that of m.row. If two
// rows name it, that is the one that the owner row names too, or else the first;
// taken says that there was one before.
func (m *collectionRepair) run(taken bool) (took bool, err error) {
	lo, hi := keyenc.CollectionRange(m.prefix, m.id, m.id)
	if _, rest, ok := keyenc.KeyspaceOf(m.row); ok && rest[0] == keyenc.SpaceElements {
		return false, errors.Join(m.delete(m.row), m.flush())
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
		return false, errors.Join(m.delete(m.row), m.flush())
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
func (m *collectionRepair) save(f readstate.Found, meta record.Meta) error {
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
		m.flush())
}

// look reads a row as it was before.
func (m *collectionRepair) look(row []byte) (readstate.Found, error) {
	return m.store.View.State.Get(row, base.HashRow(row), m.store.View.Seq)
}

// owner returns the metadata row that the owner row names, if that one names the
// collection too; nil if not.
func (m *collectionRepair) owner() ([]byte, error) {
	f, err := m.look(keyenc.AppendElementRow(nil, m.prefix, m.id, keyenc.TagOwner, ""))
	if err != nil || !f.OK {
		return nil, err
	}
	prefix, rest, ok := keyenc.KeyspaceOf(f.Value)
	if !ok || rest[0] != keyenc.SpaceKeys || !bytes.Equal(prefix, m.prefix) {
		return nil, nil
	}
	row := bytes.Clone(f.Value)
	if f, err = m.look(row); err != nil || !f.OK || f.Expired(m.store.View.Now) {
		return nil, err
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.Value); !ok || id != m.id {
		return nil, nil
	}
	return row, nil
}

// timer puts the timer row of a time, 0 being none.
func (m *collectionRepair) timer(at int64) error {
	if at == 0 {
		return nil
	}
	return m.put(keyenc.AppendTimerRow(nil, at, m.id), record.TypeNone, m.prefix)
}

// drop deletes the last rows of a collection without elements or metadata.
func (m *collectionRepair) drop(lo, hi []byte) error {
	if m.row != nil {
		if err := m.delete(m.row); err != nil {
			return err
		}
	}
	return errors.Join(m.deleteRange(lo, hi), m.flush())
}
