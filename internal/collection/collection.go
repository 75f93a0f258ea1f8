package collection

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Collection is a collection as one call works on it: what its metadata row
// says, with the changes made so far. It borrows nothing, but that the body of an
// inline one is in scratch.
//
// The rows that belong together, and who keeps them so:
//
//	01·name          metadata: save
//	02·id·owner      → 01·name: Create, PutOwner
//	02·id·tag·…      elements: the types; those with deadlines: Put, Remove
//	00·e·expiry·id   timer, if it or an element expires: SetExpiry, save, Drop
//
// A small collection has the first of these alone: inline.go.
//
// A call that changes elements changes Count and Bytes with them and saves last;
// save ends the collection when Count is 0. Elements that are due count until
// they are purged: due.go.
type Collection struct {
	name   string
	typ    record.Type
	exists bool  // the metadata row is there and live
	ghost  bool  // one of another type is, whose elements are all due
	expiry int64 // milliseconds since 1970; 0: none

	meta record.Meta // without Body
	list listSpan    // of a list: its Body

	ranks record.Ranks // of a sorted set: its Body
	pages *rankPages   // that the call has come by; nil: none

	inline inlineBody // of an inline one: its Body
	moved  bool       // this call took it out of that form: there are no timers

	// what the metadata row says as it stands
	rowCount uint64
	rowDue   int64
	rowRanks record.Ranks
}

// Open reads the metadata row of name. One that is missing is a collection without
// elements; one of another type is ErrWrongType.
func Open(t Txn, name string, typ record.Type) (c Collection, err error) {
	if err := CheckName(name); err != nil {
		return c, err
	}
	c.name, c.typ = name, typ
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), name)
	value, trailer, err := t.Get(sc.Val[:0], sc.Key)
	if errors.Is(err, base.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	sc.Val = value[:0]
	if rowType := record.Type(trailer.Attr.Type()); rowType != typ {
		err := WrongType(t, sc.Key, rowType, typ)
		c.ghost = errors.Is(err, base.ErrNotFound)
		return c, AbsentOK(err)
	}
	m, err := record.DecodeMeta(value)
	if err != nil {
		return c, corrupt(name, err)
	}
	c.decoded(m)
	if c.isInline() {
		err := c.openInline(t, m)
		c.exists, c.expiry = err == nil, trailer.Expiry
		return c, err
	}
	if typ == record.TypeList {
		if c.list.ListBounds, err = record.DecodeListBounds(m.Body, m.Count); err != nil {
			return c, corrupt(name, err)
		}
	}
	if typ == record.TypeZSet {
		if c.ranks, err = record.DecodeRanks(m.Body); err != nil {
			return c, corrupt(name, err)
		}
		c.rowRanks = c.ranks
	}
	c.exists, c.expiry = true, trailer.Expiry
	if m.NextDue != 0 {
		c.watch(t, sc.Key)
	}
	return c, nil
}

// Exists reports whether there is such a collection.
func (c *Collection) Exists() bool { return c.exists }

// Count returns how many elements there are, counting those that are due.
func (c *Collection) Count() uint64 { return c.meta.Count }

// decoded takes over what the metadata row says.
func (c *Collection) decoded(m record.Meta) {
	c.meta, c.rowCount, c.rowDue = m, m.Count, m.NextDue
	c.meta.Body = nil
}

// OpenOld is Open for calls that have nothing to do if there is no
// such collection.
func OpenOld(t Txn, name string, typ record.Type) (c Collection, found bool, err error) {
	c, err = Open(t, name, typ)
	return c, c.exists && err == nil, err
}

// corrupt says what is wrong with the rows of the key. That they are of a later
// version is no damage.
func corrupt(name string, reason error) error {
	if errors.Is(reason, base.ErrFormatTooNew) {
		return reason
	}
	return base.Corruptf(fmt.Sprintf("key %.64q", name), -1, "%w", reason)
}

// errLostElement says that metadata counts an element that has no row.
var errLostElement = errors.New("an element that is counted has no row")

// LostElement says that the metadata counts an element that has no row.
func (c *Collection) LostElement() error { return corrupt(c.name, errLostElement) }

// Create gives the collection a form if it has none: inline, or an id and the id
// its owner row.
func (c *Collection) Create(t Txn) error {
	if c.made() {
		return nil
	}
	if c.ghost {
		sc := t.Scratch()
		sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), c.name)
		if _, _, err := Displace(t, sc.Key); err != nil {
			return err
		}
		c.ghost = false
	}
	if record.Inline.Elements > 0 {
		c.beginInline(t)
		return nil
	}
	id, err := t.NewID()
	if err != nil {
		return err
	}
	c.meta = record.Meta{Encoding: record.EncodingRows, ID: id}
	return PutOwner(t, id, c.name)
}

// PutOwner says that the rows of id belong to the metadata row of name.
func PutOwner(t Txn, id uint64, name string) error {
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), name)
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), id, keyenc.TagOwner, "")
	return t.Put(sc.row, record.TypeNone, 0, sc.Key)
}

// save writes the metadata row, or ends the collection if nothing is left in it.
func (c *Collection) save(t Txn) error {
	if c.meta.Count == 0 {
		return c.Drop(t)
	}
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), c.name)
	m := c.meta
	var body [max(record.ListBoundsLen, record.RanksLen)]byte
	switch {
	case c.isInline():
		m.Body, m.Bytes = c.inlineSaved(t), 0
	case c.typ == record.TypeList:
		m.Body = record.AppendListBounds(body[:0], c.list.ListBounds)
	case c.typ == record.TypeZSet:
		m.Body = record.AppendRanks(body[:0], c.ranks)
		c.rowRanks = c.ranks
		if err := c.writePages(t); err != nil {
			return err
		}
	}
	sc.Out = record.AppendMeta(sc.Out[:0], m)
	c.exists = true
	if err := t.Put(sc.Key, c.typ, c.expiry, sc.Out); err != nil {
		return err
	}
	if m.Count < c.rowCount {
		t.Removed(c.rowCount - m.Count)
	}
	was := c.timers()
	c.rowCount, c.rowDue, c.moved = m.Count, m.NextDue, false
	if c.isInline() {
		return nil
	}
	return moveTimers(t, m.ID, was, timers{c.expiry, m.NextDue})
}

// timers returns the timers there are.
func (c *Collection) timers() timers {
	if c.moved {
		return timers{}
	}
	return timers{c.expiry, c.rowDue}
}

// Keep saves if there is anything to say that the metadata row does not.
func (c *Collection) Keep(t Txn) error {
	if c.isInline() {
		if !c.inline.dirty {
			return nil
		}
		return c.save(t)
	}
	if c.typ == record.TypeZSet {
		if err := c.fitRanks(t); err != nil {
			return err
		}
		if err := c.writePages(t); err != nil {
			return err
		}
	}
	if c.meta.Count == c.rowCount && c.meta.NextDue == c.rowDue && c.ranks == c.rowRanks && !c.moved {
		return nil
	}
	return c.save(t)
}

// Refused returns why a call is refused that may have removed an element because
// it was due: that is kept, for a transaction goes on after a refusal.
func (c *Collection) Refused(t Txn, reason error) error {
	if err := c.Keep(t); err != nil {
		return err
	}
	return reason
}

// Drop ends the collection. Its elements are left to the engine.
func (c *Collection) Drop(t Txn) error {
	if !c.made() {
		return nil
	}
	id := c.meta.ID // 0: it has no other row
	if id != 0 {
		if err := dropTimers(t, id, c.timers()); err != nil {
			return err
		}
	}
	existed := c.exists
	c.exists, c.expiry, c.meta, c.rowCount, c.rowDue = false, 0, record.Meta{}, 0, 0
	c.ranks, c.rowRanks = record.Ranks{}, record.Ranks{}
	c.forgetPages(t)
	c.inline, c.moved = inlineBody{}, false
	if existed {
		sc := t.Scratch()
		sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), c.name)
		if err := t.Delete(sc.Key); err != nil {
			return err
		}
	}
	if id != 0 {
		t.Dead(id)
	}
	return nil
}

// Grew accounts for an element that was added, whose name and value have so many
// bytes.
func (c *Collection) Grew(size int) { c.grewBy(record.ElementBytes(size)) }

// grewBy is Grew of an element that takes so many bytes.
func (c *Collection) grewBy(bytes uint64) {
	c.meta.Count++
	c.meta.Bytes += bytes
}

// Shrank accounts for n elements that were removed, each taken to be of average
// size: their values need not be read for an estimate.
func (c *Collection) Shrank(n uint64) {
	if n >= c.meta.Count {
		c.meta.Count, c.meta.Bytes = 0, 0
		return
	}
	gone := uint64(float64(c.meta.Bytes) / float64(c.meta.Count) * float64(n))
	c.meta.Bytes -= min(gone, c.meta.Bytes)
	c.meta.Count -= n
}

// AppendSuccessor appends to dst the smallest key above every key that starts
// with prefix; the tag in a row's prefix is never 0xFF, so there is one.
func AppendSuccessor(dst, prefix []byte) []byte {
	n := len(prefix)
	for n > 0 && prefix[n-1] == 0xFF {
		n--
	}
	dst = append(dst, prefix[:n]...)
	if n > 0 {
		dst[len(dst)-1]++
	}
	return dst
}
