package typed

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// collection is a collection as one call works on it: what its metadata row
// says, with the changes made so far. It borrows nothing.
//
// The rows that belong together, and who keeps them so:
//
//	01·name          metadata: save
//	02·id·owner      → 01·name: create, Rename
//	02·id·tag·…      elements: the types
//	00·e·expiry·id   timer, if it expires: setExpiry, drop
//
// A call that changes elements changes Count and Bytes with them and saves last;
// save ends the collection when Count is 0.
type collection struct {
	name   string
	typ    record.Type
	exists bool  // the metadata row is there and live
	expiry int64 // milliseconds since 1970; 0: none

	meta record.Meta // without Body
	list listSpan    // of a list: its Body

	rowCount        uint64
	ranks, rowRanks ranks // of a sorted set: its Body, now and in the metadata row
}

// rowOverhead is what an element row takes beside its name and value, in the
// estimate of a collection's bytes.
const rowOverhead = 20

// openCollection reads the metadata row of name. One that is missing is a
// collection without elements; one of another type is ErrWrongType.
func openCollection(t Txn, name string, typ record.Type) (c collection, err error) {
	if err := checkName(name); err != nil {
		return c, err
	}
	c.name, c.typ = name, typ
	sc := t.Scratch()
	sc.key = keyenc.AppendNameRow(sc.key[:0], t.Prefix(), name)
	value, trailer, err := t.Get(sc.val[:0], sc.key)
	if errors.Is(err, base.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	sc.val = value[:0]
	if record.Type(trailer.Attr.Type()) != typ {
		return c, base.ErrWrongType
	}
	if c.meta, err = record.DecodeMeta(value); err != nil {
		return c, corrupt(name, err)
	}
	if c.meta.Encoding != record.EncodingRows {
		return c, base.ErrFormatTooNew
	}
	if typ == record.TypeList {
		if c.list, err = decodeListSpan(c.meta.Body, c.meta.Count); err != nil {
			return c, corrupt(name, err)
		}
	}
	if typ == record.TypeZSet {
		if c.ranks, err = decodeRanks(c.meta.Body); err != nil {
			return c, corrupt(name, err)
		}
		c.rowRanks = c.ranks
	}
	c.meta.Body, c.rowCount = nil, c.meta.Count
	c.exists, c.expiry = true, trailer.Expiry
	return c, nil
}

// openOld is openCollection for calls that have nothing to do if there is no
// such collection.
func openOld(t Txn, name string, typ record.Type) (c collection, found bool, err error) {
	c, err = openCollection(t, name, typ)
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

// create gives the collection an id, and the id its owner row, if it has none.
func (c *collection) create(t Txn) error {
	if c.meta.ID != 0 {
		return nil
	}
	id, err := t.NewID()
	if err != nil {
		return err
	}
	c.meta = record.Meta{Encoding: record.EncodingRows, ID: id}
	return putOwner(t, id, c.name)
}

// putOwner says that the rows of id belong to the metadata row of name.
func putOwner(t Txn, id uint64, name string) error {
	sc := t.Scratch()
	sc.key = keyenc.AppendNameRow(sc.key[:0], t.Prefix(), name)
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), id, keyenc.TagOwner, "")
	return t.Put(sc.row, record.TypeNone, 0, sc.key)
}

// save writes the metadata row, or ends the collection if nothing is left in it.
func (c *collection) save(t Txn) error {
	if c.meta.Count == 0 {
		return c.drop(t)
	}
	sc := t.Scratch()
	sc.key = keyenc.AppendNameRow(sc.key[:0], t.Prefix(), c.name)
	m := c.meta
	var body [max(listSpanLen, ranksLen)]byte
	switch c.typ {
	case record.TypeList:
		m.Body = c.list.append(body[:0])
	case record.TypeZSet:
		m.Body = c.ranks.append(body[:0])
		c.rowRanks = c.ranks
	}
	sc.out = record.AppendMeta(sc.out[:0], m)
	c.exists = true
	return t.Put(sc.key, c.typ, c.expiry, sc.out)
}

// keep saves if there is anything to say that the metadata row does not.
func (c *collection) keep(t Txn) error {
	if c.meta.Count == c.rowCount && c.ranks == c.rowRanks {
		return nil
	}
	return c.save(t)
}

// drop ends the collection. Its elements are left to the engine.
func (c *collection) drop(t Txn) error {
	if c.meta.ID == 0 {
		return nil
	}
	id := c.meta.ID
	if c.expiry != 0 {
		if err := deleteTimer(t, c.expiry, id); err != nil {
			return err
		}
	}
	existed := c.exists
	c.exists, c.expiry, c.meta = false, 0, record.Meta{}
	c.ranks, c.rowRanks = ranks{}, ranks{}
	if existed {
		sc := t.Scratch()
		sc.key = keyenc.AppendNameRow(sc.key[:0], t.Prefix(), c.name)
		if err := t.Delete(sc.key); err != nil {
			return err
		}
	}
	t.Dead(id)
	return nil
}

// grew accounts for an element that was added.
func (c *collection) grew(bytes int) {
	c.meta.Count++
	c.meta.Bytes += uint64(bytes) + rowOverhead
}

// shrank accounts for n elements that were removed, each taken to be of average
// size: their values need not be read for an estimate.
func (c *collection) shrank(n uint64) {
	if n >= c.meta.Count {
		c.meta.Count, c.meta.Bytes = 0, 0
		return
	}
	gone := uint64(float64(c.meta.Bytes) / float64(c.meta.Count) * float64(n))
	c.meta.Bytes -= min(gone, c.meta.Bytes)
	c.meta.Count -= n
}

// element returns the row key of the element; good until the next row.
func (c *collection) element(t Txn, member string) []byte {
	sc := t.Scratch()
	sc.row = keyenc.AppendElementRow(sc.row[:0], t.Prefix(), c.meta.ID, keyenc.TagElement, member)
	return sc.row
}

// has reports whether the element's row is there.
func (c *collection) has(t Txn, member string) (bool, error) {
	return present(t, c.element(t, member))
}

func present(t Txn, row []byte) (bool, error) {
	if _, err := t.Peek(row); err != nil {
		if errors.Is(err, base.ErrNotFound) {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// scan walks the elements whose names start with prefix, in order of their names.
// The returned number is where a row key's name starts.
func (c *collection) scan(t Txn, prefix string, o ScanOptions) (Cursor, int, error) {
	sc := t.Scratch()
	p := t.Prefix()
	sc.lo = keyenc.AppendElementRow(sc.lo[:0], p, c.meta.ID, keyenc.TagElement, prefix)
	sc.hi = appendSuccessor(sc.hi[:0], sc.lo)
	cur, err := t.Scan(sc.lo, sc.hi, o)
	return cur, keyenc.CollectionHeaderLen(p), err
}

// appendSuccessor appends to dst the smallest key above every key that starts
// with prefix; the tag in a row's prefix is never 0xFF, so there is one.
func appendSuccessor(dst, prefix []byte) []byte {
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

// uniform returns an evenly distributed number below n, which is not 0.
func uniform(t Txn, n uint64) uint64 {
	limit := -n % n // 2⁶⁴ mod n: the numbers below it would come up once too often
	for {
		if v := t.Uint64(); v >= limit {
			return v % n
		}
	}
}
