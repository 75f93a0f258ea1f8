package collection

import (
	"errors"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
)

// KeyRow returns the row of a key; good until the next key row.
func KeyRow(t Txn, name string) []byte {
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), name)
	return sc.Key
}

// metaHead is enough of a metadata row's value for all but a list's body.
const metaHead = 64

// PeekKey is Peek of a key row: a collection whose elements are all due is not
// there. It reads no more than the metadata unless some may be.
func PeekKey(t Txn, row []byte) (base.Trailer, error) {
	sc := t.Scratch()
	value, trailer, err := t.Head(sc.vol[:0], row, metaHead)
	if err != nil {
		return trailer, err
	}
	sc.vol = value[:0]
	typ := record.Type(trailer.Attr.Type())
	if !typ.IsCollection() || typ == record.TypeList {
		return trailer, nil
	}
	// A damaged metadata row is for the call that opens it to refuse.
	m, err := record.DecodeMeta(value)
	if err != nil || m.NextDue == 0 || m.Encoding == record.EncodingInline {
		return trailer, nil
	}
	c := Collection{name: string(row[len(t.Prefix())+1:]), typ: typ, exists: true}
	c.decoded(m)
	c.watch(t, row)
	if alive, err := c.anyLive(t); err != nil || alive {
		return trailer, err
	}
	return base.Trailer{}, base.ErrNotFound
}

// KeyExists reports whether the key with the given row is there.
func KeyExists(t Txn, row []byte) (bool, error) {
	_, err := PeekKey(t, row)
	return err == nil, AbsentOK(err)
}

// WrongType is the error of a call that met a row of type typ and wants a key of
// another: ErrNotFound if it is of a collection whose elements are all due.
func WrongType(t Txn, row []byte, typ, wants record.Type) error {
	if typ.IsCollection() {
		if _, err := PeekKey(t, row); err != nil {
			return err
		}
	}
	return record.WrongType(row[len(t.Prefix())+1:], typ, wants)
}

// KeyTest tells a walk of keys which collections are there: one whose elements are
// all due is not. That costs nothing in a store without deadlines of elements.
type KeyTest struct {
	due   bool // some collection's timer is due: any may have no live element
	ahead bool // one lies ahead: any may have elements that will be due at a commit
}

// NewKeyTest asks for timers. Timers that are due do not last. The transaction need
// not rest on them, since they follow from metadata: a collection that gets one
// later has its row written, which the walk rests on.
func NewKeyTest(t Txn) (test KeyTest, err error) {
	lo, now := keyenc.TimerRange(t.Now())
	if test.due, err = anyRow(t, lo, now); err != nil || !t.Writes() {
		return test, err
	}
	_, end := keyenc.TimerRange(MaxExpiry)
	test.ahead, err = anyRow(t, now, end)
	return test, err
}

func anyRow(t Txn, lo, hi []byte) (bool, error) {
	cur, err := t.Scan(lo, hi, ScanOptions{KeysOnly: true, Blind: true})
	if err != nil {
		return false, err
	}
	defer cur.Close()
	return cur.Next(), cur.Err()
}

// Shows reports whether the key whose row the walk is on is there, and has a
// commit lose once it may not be.
func (test KeyTest) Shows(t Txn, cur Cursor) (bool, error) {
	typ := record.Type(cur.Trailer().Attr.Type())
	switch {
	case !typ.IsCollection():
		return true, nil
	case test.due:
		return KeyExists(t, cur.Key())
	case !test.ahead || typ == record.TypeList:
		return true, nil
	}
	sc := t.Scratch()
	value, err := cur.Head(sc.vol[:0], metaHead)
	if err != nil {
		return false, err
	}
	sc.vol = value[:0]
	// A damaged metadata row is for the call that opens it to refuse.
	if m, err := record.DecodeMeta(value); err == nil && m.NextDue > t.Now() {
		t.Until(cur.Key(), m.NextDue)
	}
	return true, nil
}

// MaxExpiry is the last deadline a record can carry, milliseconds since 1970.
const MaxExpiry = 1 << 62

// SetExpiry gives the key the deadline at (0: none), or drops it if at is over.
// It returns the deadline the key had. Cost: the record is written anew.
func SetExpiry(t Txn, name string, at int64) (had int64, err error) {
	if err := CheckName(name); err != nil {
		return 0, err
	}
	sc := t.Scratch()
	sc.Key = keyenc.AppendNameRow(sc.Key[:0], t.Prefix(), name)
	if at != 0 && at <= t.Now() {
		existed, err := DropRow(t, sc.Key)
		if err == nil && !existed {
			err = base.ErrNotFound
		}
		return 0, err
	}
	if _, err := PeekKey(t, sc.Key); err != nil {
		return 0, err
	}
	value, trailer, err := t.Get(sc.Val[:0], sc.Key)
	if err != nil {
		return 0, err
	}
	sc.Val = value[:0]
	had = trailer.Expiry
	if had == at {
		return had, nil
	}
	typ := record.Type(trailer.Attr.Type())
	if err := t.Put(sc.Key, typ, at, value); err != nil {
		return had, err
	}
	id, ok := record.CollectionID(typ, value)
	if !ok {
		return had, nil
	}
	due := nextDue(value)
	return had, moveTimers(t, id, timers{had, due}, timers{at, due})
}

// nextDue returns the next due of the collection with this metadata.
func nextDue(value []byte) int64 {
	m, err := record.DecodeMeta(value)
	if err != nil {
		return 0
	}
	return m.NextDue
}

// Displace makes room for a new value of the key row: if a collection is there,
// it is given up, its metadata row not yet overwritten. The trailer is that of
// the old record, of type none if there was no live one, which includes
// a collection whose elements are all due: the row of that is deleted here.
func Displace(t Txn, row []byte) (base.Trailer, bool, error) {
	old, err := t.Peek(row)
	if errors.Is(err, base.ErrNotFound) {
		return base.Trailer{}, false, nil
	}
	if err != nil {
		return old, false, err
	}
	typ := record.Type(old.Attr.Type())
	if !typ.IsCollection() {
		return old, true, nil
	}
	_, live := PeekKey(t, row)
	if AbsentOK(live) != nil {
		return old, false, live
	}
	sc := t.Scratch()
	value, _, err := t.Get(sc.Val[:0], row)
	if err != nil {
		return old, false, err
	}
	sc.Val = value[:0]
	// A damaged metadata row names no collection and can still be overwritten.
	if id, ok := record.CollectionID(typ, value); ok {
		if err := dropTimers(t, id, timers{old.Expiry, nextDue(value)}); err != nil {
			return old, false, err
		}
		t.Dead(id)
	}
	if live != nil {
		return base.Trailer{}, false, t.Delete(row)
	}
	return old, true, nil
}

// DropRow removes the key with the given row, whatever it holds.
func DropRow(t Txn, row []byte) (existed bool, err error) {
	if _, existed, err = Displace(t, row); err != nil || !existed {
		return false, err
	}
	return true, t.Delete(row)
}
