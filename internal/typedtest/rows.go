package typedtest

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Row is a live row as a scan of everything finds it.
type Row struct {
	Key, Value []byte
	base.Trailer
}

// CheckRows recounts collections: each has its owner row, exactly the elements
// its metadata counts, a score row per member and buckets that count those, items
// where it says they are, a due row per deadline, none before its next due, and
// a timer for that and for its expiry; and no row is without a collection, except
// for those that dead
// allows: ids that were given up and whose rows are not removed yet. A live
// collection must not be among those. An inline collection has what it counts in
// its metadata. rows are all live rows at now.
func CheckRows(rows []Row, now int64, dead func(id uint64) bool) error {
	c := checker{now: now, ids: map[uint64]*tally{}, timers: map[string][]byte{}}
	for _, r := range rows {
		if err := c.add(r); err != nil {
			return err
		}
	}
	for id, t := range c.ids {
		if err := c.collection(id, t, dead); err != nil {
			return fmt.Errorf("collection %d: %w", id, err)
		}
	}
	return nil
}

type checker struct {
	now    int64
	ids    map[uint64]*tally
	timers map[string][]byte // timer row to its value
	due    map[uint64]bool   // ids with a timer that is due
}

// tally is what was found of one collection.
type tally struct {
	row      []byte // of the metadata; nil: none
	typ      record.Type
	expiry   int64
	meta     record.Meta
	prefix   []byte
	owner    []byte
	elements map[string][]byte
	scores   map[string][]byte // member to score
	items    []uint64
	places   map[string][]byte    // score and member to the deadline in the row
	pages    map[uint8][][]bucket // by level
	volatile map[string]bool      // deadline and name of an element, as in its due row
	due      map[string]bool
}

func (c *checker) tally(id uint64) *tally {
	if c.ids[id] == nil {
		c.ids[id] = &tally{elements: map[string][]byte{}, scores: map[string][]byte{}, places: map[string][]byte{}, volatile: map[string]bool{}, due: map[string]bool{}}
	}
	return c.ids[id]
}

func (c *checker) add(r Row) error {
	if expiry, id, ok := keyenc.ParseTimerRow(r.Key); ok {
		c.timers[string(r.Key)] = r.Value
		if expiry <= c.now {
			if c.due == nil {
				c.due = map[uint64]bool{}
			}
			c.due[id] = true
		}
		return nil
	}
	prefix, rest, ok := keyenc.KeyspaceOf(r.Key)
	if !ok {
		return nil // the engine's own
	}
	if rest[0] == keyenc.SpaceElements {
		return c.addElement(r, rest)
	}
	typ := record.Type(r.Attr.Type())
	if typ == record.TypeString {
		return nil
	}
	m, err := record.DecodeMeta(r.Value)
	if err != nil || !typ.IsCollection() {
		return fmt.Errorf("row %q of type %v: %v", r.Key, typ, err)
	}
	if m.Encoding == record.EncodingInline {
		return checkInline(r.Key, typ, m)
	}
	t := c.tally(m.ID)
	if t.row != nil {
		return fmt.Errorf("rows %q and %q share id %d", t.row, r.Key, m.ID)
	}
	t.row, t.typ, t.expiry, t.meta, t.prefix = r.Key, typ, r.Expiry, m, prefix
	return nil
}

func (c *checker) addElement(r Row, rest []byte) error {
	id, tag, name, ok := keyenc.ParseCollectionRow(rest)
	if !ok {
		return fmt.Errorf("row %q is of no collection", r.Key)
	}
	t := c.tally(id)
	switch tag {
	case keyenc.TagOwner:
		t.owner = r.Value
	case keyenc.TagElement:
		if record.Type(r.Attr.Type()) == record.TypeVolatile {
			if _, _, ok := record.CutDeadline(r.Value); !ok {
				return fmt.Errorf("row %q has no deadline: %x", r.Key, r.Value)
			}
			t.volatile[string(r.Value[:record.DeadlineLen])+string(name)] = true
			r.Value = r.Value[record.DeadlineLen:]
		}
		t.elements[string(name)] = r.Value
	case keyenc.TagDue:
		t.due[string(name)] = true
	case keyenc.TagScore:
		t.scores[string(name[keyenc.ScoreLen:])] = name[:keyenc.ScoreLen]
		t.places[string(name)] = r.Value
	case keyenc.TagBucket:
		return t.addPage(name, r.Value)
	case keyenc.TagItem:
		t.items = append(t.items, binary.BigEndian.Uint64(name))
	default:
		return fmt.Errorf("row %q has an unknown tag", r.Key)
	}
	return nil
}

func (c *checker) collection(id uint64, t *tally, dead func(uint64) bool) error {
	if t.row == nil {
		if dead(id) || c.due[id] {
			return nil
		}
		return fmt.Errorf("rows but no metadata: owner %q, %d elements, %d items", t.owner, len(t.elements), len(t.items))
	}
	if dead(id) {
		return fmt.Errorf("%q was given up but lives", t.row)
	}
	if !bytes.Equal(t.owner, t.row) {
		return fmt.Errorf("owner is %q, metadata at %q", t.owner, t.row)
	}
	for _, at := range []int64{t.expiry, t.meta.NextDue} {
		v, ok := c.timers[string(keyenc.AppendTimerRow(nil, at, id))]
		if at != 0 && (!ok || !bytes.Equal(v, t.prefix)) {
			return fmt.Errorf("%q expires, or its elements do, at %d and has no timer", t.row, at)
		}
	}
	if err := t.deadlines(); err != nil {
		return err
	}
	return t.count()
}

// deadlines compares the elements' deadlines with the order of deadlines and the
// metadata.
func (t *tally) deadlines() error {
	for name := range t.due {
		if len(name) < record.DeadlineLen || !t.volatile[name] {
			return fmt.Errorf("%q has a due row %q of no element", t.row, name)
		}
		deadline := int64(binary.BigEndian.Uint64([]byte(name)))
		if t.meta.NextDue == 0 || deadline < t.meta.NextDue {
			return fmt.Errorf("%q has an element due at %d, and says %d", t.row, deadline, t.meta.NextDue)
		}
	}
	if len(t.due) != len(t.volatile) {
		return fmt.Errorf("%q has %d elements with deadlines and %d due rows", t.row, len(t.volatile), len(t.due))
	}
	return nil
}

// count compares the metadata with the elements found.
func (t *tally) count() error {
	elements, scores, items := int(t.meta.Count), 0, 0
	switch t.typ {
	case record.TypeZSet:
		scores = elements
	case record.TypeList:
		elements, items = 0, elements
	}
	if t.meta.Count == 0 || len(t.elements) != elements || len(t.scores) != scores || len(t.items) != items {
		return fmt.Errorf("%v %q counts %d but has %d elements, %d scores, %d items",
			t.typ, t.row, t.meta.Count, len(t.elements), len(t.scores), len(t.items))
	}
	volatile := 0
	for m, s := range t.scores {
		if !bytes.Equal(t.elements[m], s) {
			return fmt.Errorf("member %q of %q has score %x and stands at %x", m, t.row, t.elements[m], s)
		}
		if deadline := t.places[string(s)+m]; len(deadline) > 0 && !t.volatile[string(deadline)+m] {
			return fmt.Errorf("member %q of %q is due at %x in the score order alone", m, t.row, deadline)
		} else if len(deadline) > 0 {
			volatile++
		}
	}
	if t.typ == record.TypeZSet {
		if volatile != len(t.volatile) {
			return fmt.Errorf("%q has %d deadlines, %d in the score order", t.row, len(t.volatile), volatile)
		}
		if err := t.counted(); err != nil {
			return err
		}
	}
	return t.countItems()
}
