package txn

import (
	"bytes"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/memtable"
)

// Look finds the live record of row: own writes first, then the state. The caller
// returns the loan once it has copied the value. It may not be wanted.
func (t *Txn) Look(row []byte, want readstate.Want) (readstate.Found, error) {
	if t.err != nil {
		return readstate.Found{}, t.err
	}
	hash := base.HashRow(row)
	if f, ok := t.ownWrite(row, hash); ok {
		f.OK = f.OK && !t.expired(f.Trailer)
		return f, nil
	}
	f, err := t.view.State.Look(row, hash, t.view.Seq, want)
	if err != nil {
		return f, t.fail(t.engine.states.ReadError(err))
	}
	f.OK = f.OK && !t.expired(f.Trailer)
	if t.writes {
		t.reads.AddPoint(hash, row)
		if f.OK {
			t.reads.AddExpiry(row, f.Expiry)
		}
	}
	return f, nil
}

func (t *Txn) expired(tr base.Trailer) bool { return tr.Expiry != 0 && tr.Expired(t.now()) }

// ownWrite returns the answer about row of the transaction's own writes, if they have
// one.
func (t *Txn) ownWrite(row []byte, hash uint64) (f readstate.Found, ok bool) {
	c := t.change
	if c == nil {
		return f, false
	}
	if c.Len() > smallBuffer {
		own := t.index()
		v, tr, hit := own.Get(hash, row, base.SeqMax)
		cover := own.CoverSeq(row, base.SeqMax)
		done := f.Settle(v, tr, hit, cover)
		return f, done
	}
	for i := c.Len() - 1; i >= 0; i-- {
		if h := c.Hash(i); h != hash && h != 0 {
			continue
		}
		switch o := c.Op(i); {
		case o.Attr.Kind() == base.KindRangeDelete:
			if bytes.Compare(o.Key, row) <= 0 && bytes.Compare(row, o.Value) < 0 {
				return readstate.Found{}, true
			}
		case bytes.Equal(o.Key, row):
			f = readstate.Found{Trailer: base.Trailer{Seq: rows.OwnBase + 1 + base.SeqNum(i), Expiry: o.Expiry, Attr: o.Attr}, Value: o.Value}
			f.OK = o.Attr.Kind() == base.KindPut
			return f, true
		}
	}
	return f, false
}

// index returns the table of the own writes, brought up to date. It points to large
// values where the change has them, since these do not move.
func (t *Txn) index() *memtable.Table {
	if t.view.OwnSeq == rows.OwnBase+base.SeqNum(t.change.Len()) && t.view.Own != nil {
		return t.view.Own
	}
	if t.view.Own == nil {
		t.view.Own = memtable.New(bufferLimit)
		t.view.OwnSeq = rows.OwnBase
		t.view.OwnGaps = t.own.gaps.begin()
	}
	if t.view.OwnGaps != nil {
		t.own.gaps.note(t.change, int(t.view.OwnSeq-rows.OwnBase))
	}
	t.change.InsertInto(t.view.Own, int(t.view.OwnSeq-rows.OwnBase), t.view.OwnSeq+1, true)
	t.view.OwnSeq = rows.OwnBase + base.SeqNum(t.change.Len())
	t.own.indexed = t.own.large
	t.grown()
	return t.view.Own
}

// Get implements collection.Txn.
func (t *Txn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	f, err := t.Look(row, readstate.WantValue)
	return appendFound(&f, dst, len(f.Value), err)
}

// Peek implements collection.Txn.
func (t *Txn) Peek(row []byte) (base.Trailer, error) {
	f, err := t.Look(row, readstate.WantKey)
	_, trailer, err := appendFound(&f, nil, 0, err)
	return trailer, err
}

// Head implements collection.Txn.
func (t *Txn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	f, err := t.Look(row, wantHead(row))
	return appendFound(&f, dst, n, err)
}

// wantHead returns what Head wants of a row: metadata is never large, while the value
// of an element, which begins with its deadline, may be.
func wantHead(row []byte) readstate.Want {
	if _, rest, ok := keyenc.KeyspaceOf(row); ok && rest[0] == keyenc.SpaceKeys {
		return readstate.WantSmall
	}
	return readstate.WantValue
}

// Until implements collection.Txn.
func (t *Txn) Until(row []byte, deadline int64) {
	if !t.writes {
		return
	}
	if _, own := t.ownWrite(row, base.HashRow(row)); !own {
		t.reads.AddExpiry(row, deadline)
	}
}

// View returns the view with all own writes so far.
func (t *Txn) View() rows.View {
	t.now()
	if t.Changed() {
		t.index()
	}
	return t.view
}

// Adopt makes the walks of it count as reads of the transaction, until Disown.
func (t *Txn) Adopt(it *rows.Iter) {
	if t.writes {
		it.Reads = &t.reads
		t.walks = append(t.walks, it)
	}
}

// Disown says that an iterator is about to be released.
func (t *Txn) Disown(it *rows.Iter) {
	if i := slices.Index(t.walks, it); i >= 0 {
		t.walks = slices.Delete(t.walks, i, i+1)
	}
}

// Scan implements collection.Txn.
func (t *Txn) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.err != nil {
		return nil, t.err
	}
	return t.scan(t.View(), lo, hi, o)
}

// scan is Scan of the rows that the view shows.
func (t *Txn) scan(v rows.View, lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.hold()
	c := &cursor{t: t, reverse: o.Reverse}
	c.lo, c.hi = append(c.bounds[:0:32], lo...), bytes.Clone(hi)
	it, err := rows.New(t.engine.rows, v, c.lo, c.hi, o.KeysOnly)
	if err != nil {
		return nil, t.fail(t.engine.states.ReadError(err))
	}
	if !o.Blind {
		t.Adopt(it)
	}
	c.it = it
	t.cursors = append(t.cursors, c)
	return c, nil
}

// hold makes a pinned state a held one. A loop may take as long as its body likes,
// which may close the store: Close does not wait for held states.
func (t *Txn) hold() {
	if t.pinned {
		t.view.State.Holders.Add(1)
		t.engine.states.Unpin(t.view.State, t.stripe)
		t.pinned, t.holds = false, true
	}
}

// cursor adapts a rows.Iter to collection.Cursor.
type cursor struct {
	t       *Txn
	it      *rows.Iter
	lo, hi  []byte
	bounds  [32]byte
	reverse bool
	started bool
	err     error
}

func (c *cursor) Next() bool {
	if c.it == nil || c.err != nil {
		return false
	}
	if c.t.err != nil {
		c.err = c.t.err
		return false
	}
	ok := false
	switch {
	case !c.started && c.reverse:
		ok = c.it.Last()
	case !c.started:
		ok = c.it.First()
	case c.reverse:
		ok = c.it.Valid() && c.it.Prev()
	default:
		ok = c.it.Valid() && c.it.Next()
	}
	c.started = true
	if err := c.it.Err(); err != nil {
		c.err = c.t.fail(err)
	}
	return ok
}

func (c *cursor) Key() []byte           { return c.it.Key() }
func (c *cursor) Value() []byte         { return c.it.Value() }
func (c *cursor) Trailer() base.Trailer { return c.it.Trailer() }
func (c *cursor) Err() error            { return c.err }

// Head implements collection.Cursor. It adds no read: the walk has read the row.
func (c *cursor) Head(dst []byte, n int) ([]byte, error) {
	return c.t.head(&c.it.View, c.it.Key(), dst, n)
}

// head appends the first n bytes of a row that was read as the view shows it.
func (t *Txn) head(v *rows.View, row, dst []byte, n int) ([]byte, error) {
	f, _, err := v.Find(row, base.HashRow(row), readstate.WantValue)
	if err != nil {
		err = t.fail(t.engine.states.ReadError(err))
	}
	dst, _, err = appendFound(&f, dst, n, err)
	return dst, err
}

func (c *cursor) Close() error {
	if c.it != nil {
		c.t.Disown(c.it)
		c.it.Release()
		c.it = nil
		if i := slices.Index(c.t.cursors, c); i >= 0 {
			c.t.cursors = slices.Delete(c.t.cursors, i, i+1)
		}
	}
	return c.err
}
