package feed

import (
	"bytes"
	"encoding/binary"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/typed"
)

// metadata emits the changes of a metadata row that is put. c has its key.
func (d *decoder) metadata(o record.Op, c changes.Change, typ record.Type) error {
	m, err := record.DecodeMeta(o.Value)
	if err != nil {
		return err
	}
	c.Type = typed.Type(typ)
	was, known := d.was[string(o.Key)]
	same := known && was.typ == typ && was.id == m.ID
	had := int64(0)
	switch {
	case m.Encoding == record.EncodingInline:
		if !same || typ == record.TypeList {
			c.Kind = changes.KindReplace
			d.emit(c)
			was.body = nil
		} else {
			had = was.expiry
		}
		if err := d.inline(c, typ, was.body, m.Body); err != nil {
			return err
		}
	case same:
		had = was.expiry
	}
	if had != o.Expiry {
		c.Kind, c.ExpiresAt = changes.KindExpire, moment(o.Expiry)
		d.emit(c)
	}
	if d.was == nil {
		d.was = map[string]metadata{}
	}
	d.was[string(o.Key)] = metadata{typ: typ, id: m.ID, expiry: o.Expiry, body: m.Body}
	return nil
}

// inlineElement is an element of an inline collection.
type inlineElement struct{ name, value []byte }

// mostCompared is how many comparisons of elements are made for one change of an inline
// collection. This version writes none that needs more.
const mostCompared = 1 << 16

// inline emits what is another in one body than in the other: first what is there, so
// that the collection is never empty between.
func (d *decoder) inline(c changes.Change, typ record.Type, was, is []byte) error {
	old, err := inlineElements(typ, was)
	if err != nil {
		return err
	}
	now, err := inlineElements(typ, is)
	if err != nil {
		return err
	}
	if len(old)*len(now) > mostCompared {
		c.Kind, old = changes.KindReplace, nil
		d.emit(c)
	}
	c.Kind = changes.KindSetElement
	for i, e := range now {
		if at := find(old, e.name); typ != record.TypeList && at >= 0 && bytes.Equal(old[at].value, e.value) {
			continue
		}
		if err := d.setElement(c, typ, e, keyenc.ItemMiddle+uint64(i)*keyenc.ItemStride); err != nil {
			return err
		}
	}
	c.Kind = changes.KindRemoveElement
	for _, e := range old {
		if typ != record.TypeList && find(now, e.name) < 0 {
			c.Element = e.name
			d.emit(c)
		}
	}
	return nil
}

// setElement emits an element that is set. c has its key.
func (d *decoder) setElement(c changes.Change, typ record.Type, e inlineElement, index uint64) error {
	switch typ {
	case record.TypeList:
		c.Index, c.Value = index, e.value
	case record.TypeZSet:
		score, ok := keyenc.DecodeScore(e.value)
		if !ok || len(e.value) != keyenc.ScoreLen {
			return errMeta
		}
		c.Element, c.Score = e.name, score
	case record.TypeHash:
		c.Element, c.Value = e.name, e.value
	default:
		c.Element = e.name
	}
	d.emit(c)
	return nil
}

// inlineElements returns the elements of a body. The value of a member of a sorted set
// is its score.
func inlineElements(typ record.Type, body []byte) (all []inlineElement, err error) {
	for len(body) > 0 {
		key, value, rest, ok := record.NextInline(typ, body)
		if !ok {
			return nil, errMeta
		}
		if body = rest; typ == record.TypeZSet {
			key, value = key[keyenc.ScoreLen:], key[:keyenc.ScoreLen]
		}
		all = append(all, inlineElement{key, value})
	}
	return all, nil
}

// find returns where the element called name stands; −1 if there is none. There are
// few, unless a later version wrote them.
func find(all []inlineElement, name []byte) int {
	for i := range all {
		if bytes.Equal(all[i].name, name) {
			return i
		}
	}
	return -1
}

// element emits the change of a row of a collection. rest is its key without the
// prefix.
func (d *decoder) element(o record.Op, rest []byte) error {
	id, tag, name, ok := keyenc.ParseCollectionRow(rest)
	if !ok {
		return errRow
	}
	put := o.Attr.Kind() == base.KindPut
	own := d.owners[id]
	due := d.due
	d.due = nil
	switch {
	case tag == keyenc.TagOwner && put:
		return d.owner(own, o.Value)
	case tag == keyenc.TagDue && !put && len(name) >= record.DeadlineLen:
		d.dueID, d.dueAt, d.due = id, int64(binary.BigEndian.Uint64(name)), name[record.DeadlineLen:]
		return nil
	case own == nil || own.row == nil || own.typ == 0 || tag != keyenc.TagElement && tag != keyenc.TagItem:
		return nil
	}
	prefix, key, ok := keyenc.KeyspaceOf(own.row)
	if !ok || key[0] != keyenc.SpaceKeys {
		return errRow
	}
	space, ok := d.space(prefix)
	if !ok {
		return nil
	}
	c := changes.Change{Kind: changes.KindSetElement, Type: typed.Type(own.typ), Keyspace: space, Key: key[1:]}
	index := uint64(0)
	if tag == keyenc.TagItem {
		if index, ok = keyenc.DecodeItem(name); !ok || own.typ != record.TypeList {
			return errRow
		}
	}
	if put {
		deadline, value, ok := record.ElementValue(record.Type(o.Attr.Type()), o.Value)
		if !ok {
			return errRow
		}
		c.ExpiresAt = moment(deadline)
		return d.setElement(c, own.typ, inlineElement{name, value}, index)
	}
	c.Kind = changes.KindRemoveElement
	if c.Index = index; tag == keyenc.TagElement {
		c.Element = name
		// A call that removes an element deletes its due row behind the element.
		if due != nil && d.dueID == id && d.dueAt <= d.clock && bytes.Equal(due, name) {
			c.Kind = changes.KindPurgeElement
		}
	}
	d.emit(c)
	return nil
}

// owner notes that a collection belongs to a key row, and emits that it begins there.
func (d *decoder) owner(own *owner, row []byte) error {
	if own == nil || own.typ == 0 {
		return nil // it does not outlive the commit
	}
	prefix, key, ok := keyenc.KeyspaceOf(row)
	if !ok || key[0] != keyenc.SpaceKeys {
		return errRow
	}
	begins := own.born && own.row == nil
	own.row = row
	if space, ok := d.space(prefix); ok && begins {
		d.emit(changes.Change{Kind: changes.KindReplace, Type: typed.Type(own.typ), Keyspace: space, Key: key[1:]})
	}
	return nil
}

// items emits the change of a range delete over rows of a collection. One over the rows
// of whole collections frees those that are dead.
func (d *decoder) items(lo, hi []byte) error {
	prefix, rest, _ := keyenc.KeyspaceOf(lo)
	id, tag, from, ok := keyenc.ParseCollectionRow(rest)
	if !ok || tag != keyenc.TagItem {
		return nil
	}
	_, rest, ok = keyenc.KeyspaceOf(hi)
	if !ok {
		return errRow
	}
	idHi, tagHi, to, ok := keyenc.ParseCollectionRow(rest)
	first, ok1 := keyenc.DecodeItem(from)
	end, ok2 := keyenc.DecodeItem(to)
	if !ok || !ok1 || !ok2 || idHi != id || tagHi != tag {
		return errRow
	}
	own := d.owners[id]
	space, known := d.space(prefix)
	if own == nil || own.row == nil || !known {
		return nil
	}
	_, key, ok := keyenc.KeyspaceOf(own.row)
	if !ok {
		return errRow
	}
	d.emit(changes.Change{Kind: changes.KindRemoveItems, Type: typed.TypeList, Keyspace: space, Key: key[1:], Index: first, End: end})
	return nil
}
