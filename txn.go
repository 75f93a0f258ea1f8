package siltstone

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/commitlog"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/readset"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/memtable"
)

// txn is a transaction as the engine runs it: reads at one point of one pinned
// state, writes in a buffer of its own, and the set of what was read. Public
// transactions and one-shot calls on typed values both stand on it. It works on
// rows. Not safe for concurrent use.
type txn struct {
	db     *DB
	ks     *keyspace.Space // of a one-shot call; nil: the default one
	view   rows.View
	writes bool
	pos    commitlog.Position // everything the transaction can see is before it
	err    error              // first failure: the transaction cannot commit

	change *change            // own writes, in order; nil while there are none
	reads  readset.Set        // only if it writes
	fresh  []uint64           // collection ids it allocated
	dead   []manifest.IDRange // collections it ended
	spaces []*keyspace.Space  // named keyspaces it was asked to address

	scratch collection.Scratch
	cursors []*cursor // open ones

	// how the state is held
	point  *readstate.Point // registered, for transactions that live long
	stripe int              // pinned, for one-shot calls
	pinned bool
	held   bool        // like a registered one, but it is not
	lock   *sync.Mutex // of its key, held by a one-shot write
}

// txnIn is a transaction as calls in one of its keyspaces see it: they may be
// interleaved with calls in others.
type txnIn struct {
	*txn
	ks *keyspace.Space
}

var (
	_ collection.Txn = (*txn)(nil)
	_ collection.Txn = (*txnIn)(nil)
)

// Prefix implements collection.Txn.
func (t *txnIn) Prefix() []byte { return t.ks.Prefix() }

// Dead implements collection.Txn.
func (t *txnIn) Dead(id uint64) { t.deadIn(t.ks.ID(), id) }

// smallBuffer is how many own writes are searched one by one; more get an index.
const smallBuffer = 16

// bufferLimit bounds the index of a transaction's own writes: all of memory, as
// far as it is concerned.
const bufferLimit = math.MaxInt32

func (t *txn) Now() int64 {
	if t.view.Now == 0 {
		t.view.Now = t.db.clock.Now()
		t.reads.Clock = t.view.Now
	}
	return t.view.Now
}

func (t *txn) Prefix() []byte               { return t.ks.Prefix() }
func (t *txn) Uint64() uint64               { return rand.Uint64() }
func (t *txn) Scratch() *collection.Scratch { return &t.scratch }

// look finds the live record of row: own writes first, then the state.
func (t *txn) look(row []byte) (readstate.Found, error) {
	if t.err != nil {
		return readstate.Found{}, t.err
	}
	hash := base.HashRow(row)
	if f, ok := t.ownWrite(row, hash); ok {
		f.OK = f.OK && !t.expired(f.Trailer)
		return f, nil
	}
	f, err := t.view.State.Get(row, hash, t.view.Seq)
	if err != nil {
		return f, t.fail(t.db.states.ReadError(err))
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

func (t *txn) expired(tr base.Trailer) bool { return tr.Expiry != 0 && tr.Expired(t.Now()) }

// ownWrite returns what the transaction's own writes say of row, if they say
// anything.
func (t *txn) ownWrite(row []byte, hash uint64) (f readstate.Found, ok bool) {
	if t.change == nil {
		return f, false
	}
	if len(t.change.ops) > smallBuffer {
		mine := t.index()
		v, tr, hit := mine.Get(hash, row, base.SeqMax)
		cover := mine.CoverSeq(row, base.SeqMax)
		done := f.Settle(v, tr, hit, cover)
		return f, done
	}
	for i := len(t.change.ops) - 1; i >= 0; i-- {
		p := &t.change.ops[i]
		switch {
		case p.op.Attr.Kind() == base.KindRangeDelete:
			if bytes.Compare(p.op.Key, row) <= 0 && bytes.Compare(row, p.op.Value) < 0 {
				return readstate.Found{}, true
			}
		case p.hash == hash && bytes.Equal(p.op.Key, row):
			f = readstate.Found{Trailer: p.trailer(rows.OwnBase + 1 + base.SeqNum(i)), Value: p.op.Value}
			f.OK = p.op.Attr.Kind() == base.KindPut
			return f, true
		}
	}
	return f, false
}

// index returns the table of the own writes, brought up to date.
func (t *txn) index() *memtable.Table {
	if t.view.Own == nil {
		t.view.Own = memtable.New(bufferLimit)
		t.view.OwnSeq = rows.OwnBase
	}
	for i := int(t.view.OwnSeq - rows.OwnBase); i < len(t.change.ops); i++ {
		// The payload may grow and move, but what an op points to stays as it is.
		t.change.ops[i].insertInto(t.view.Own, rows.OwnBase+1+base.SeqNum(i), true)
	}
	t.view.OwnSeq = rows.OwnBase + base.SeqNum(len(t.change.ops))
	return t.view.Own
}

// Get implements collection.Txn.
func (t *txn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	f, err := t.look(row)
	defer f.Loan.Return()
	if err == nil && !f.OK {
		err = ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.Value...), f.Trailer, nil
}

// Peek implements collection.Txn.
func (t *txn) Peek(row []byte) (base.Trailer, error) {
	f, err := t.look(row)
	f.Loan.Return()
	if err == nil && !f.OK {
		err = ErrNotFound
	}
	return f.Trailer, err
}

// Head implements collection.Txn.
func (t *txn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	f, err := t.look(row)
	defer f.Loan.Return()
	if err == nil && !f.OK {
		err = ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.Value[:min(n, len(f.Value))]...), f.Trailer, nil
}

// Until implements collection.Txn.
func (t *txn) Until(row []byte, deadline int64) {
	if !t.writes {
		return
	}
	if _, own := t.ownWrite(row, base.HashRow(row)); !own {
		t.reads.AddExpiry(row, deadline)
	}
}

// Put implements collection.Txn.
func (t *txn) Put(row []byte, typ record.Type, expiry int64, value []byte) error {
	c, err := t.buffer()
	if err != nil {
		return err
	}
	from := len(c.payload)
	c.payload = record.AppendOp(c.payload, record.Op{
		Attr: base.MakeAttr(base.KindPut, uint8(typ), expiry != 0), Expiry: expiry, Key: row, Value: value,
	})
	return c.add(from)
}

// Delete implements collection.Txn.
func (t *txn) Delete(row []byte) error {
	return t.write(record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: row})
}

// DeleteRange implements collection.Txn.
func (t *txn) DeleteRange(lo, hi []byte) error {
	if bytes.Compare(lo, hi) >= 0 {
		return nil
	}
	return t.write(record.Op{Attr: base.MakeAttr(base.KindRangeDelete, 0, false), Key: lo, Value: hi})
}

func (t *txn) write(o record.Op) error {
	c, err := t.buffer()
	if err != nil {
		return err
	}
	return c.addOp(o)
}

// buffer returns the write buffer.
func (t *txn) buffer() (*change, error) {
	switch {
	case t.err != nil:
		return nil, t.err
	case !t.writes:
		return nil, ErrReadOnly
	}
	if t.change == nil {
		t.change = newChange()
	}
	return t.change, nil
}

// NewID implements collection.Txn.
func (t *txn) NewID() (uint64, error) {
	if _, err := t.buffer(); err != nil {
		return 0, err
	}
	id, err := t.db.set.NewID()
	if err != nil {
		return 0, t.fail(err)
	}
	t.fresh = append(t.fresh, id)
	return id, nil
}

// Dead implements collection.Txn. Rows of a collection that was born in this
// transaction never leave it.
func (t *txn) Dead(id uint64) { t.deadIn(t.ks.ID(), id) }

// deadIn is Dead in a numbered keyspace.
func (t *txn) deadIn(number uint32, id uint64) {
	i := slices.Index(t.fresh, id)
	if i < 0 {
		t.dead = append(t.dead, manifest.IDRange{Keyspace: number, First: id, Last: id})
		return
	}
	t.fresh = slices.Delete(t.fresh, i, i+1)
	lo, hi := keyenc.CollectionRange(keyspace.Prefix(number), id, id)
	c := t.change
	old := c.ops
	c.ops = slices.DeleteFunc(c.ops, func(p preparedOp) bool {
		return bytes.Compare(p.op.Key, lo) >= 0 && bytes.Compare(p.op.Key, hi) < 0
	})
	if len(c.ops) == len(old) {
		return
	}
	c.rebuild()
	t.view.Own, t.view.OwnSeq = nil, 0
}

// Removed implements collection.Txn. The metadata row was put, so there is a buffer.
func (t *txn) Removed(n uint64) { t.change.removed += n }

// orphan ends a collection born in this transaction whose metadata row is about
// to be overwritten blindly.
func (t *txn) orphan(row []byte) {
	if len(t.fresh) == 0 {
		return
	}
	f, ok := t.ownWrite(row, base.HashRow(row))
	if !ok || !f.OK {
		return
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.Value); ok && slices.Contains(t.fresh, id) {
		prefix, _, _ := keyenc.KeyspaceOf(row)
		t.deadIn(keyspace.Number(prefix), id)
	}
}

// fail remembers the first failure: the transaction cannot commit any more.
func (t *txn) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

// rows returns an iterator over the live rows of [lo, hi) as the transaction
// sees them now.
func (t *txn) rows(lo, hi []byte, keysOnly bool) (*rows.Iter, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.Now()
	it, err := rows.New(t.db.rows, t.currentView(), lo, hi, keysOnly)
	if err != nil {
		return nil, t.fail(t.db.states.ReadError(err))
	}
	if t.writes {
		it.Reads = &t.reads
	}
	return it, nil
}

// currentView is the view with all own writes so far.
func (t *txn) currentView() rows.View {
	if t.change != nil && len(t.change.ops) > 0 {
		t.index()
	}
	return t.view
}

// Scan implements collection.Txn.
func (t *txn) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.pinned {
		// A loop may take as long as its body likes: hold the state, so that Close
		// need not wait for it.
		t.view.State.Holders.Add(1)
		t.db.states.Unpin(t.view.State, t.stripe)
		t.pinned, t.held = false, true
	}
	c := &cursor{t: t, reverse: o.Reverse}
	c.lo, c.hi = append(c.bounds[:0:32], lo...), bytes.Clone(hi)
	it, err := t.rows(c.lo, c.hi, o.KeysOnly)
	if err != nil {
		return nil, err
	}
	c.it = it
	t.cursors = append(t.cursors, c)
	return c, nil
}

// cursor adapts a rowIter to collection.Cursor.
type cursor struct {
	t       *txn
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
	if c.it.Err() != nil {
		c.err = c.t.fail(c.it.Err())
	}
	return ok
}

func (c *cursor) Key() []byte           { return c.it.Key() }
func (c *cursor) Value() []byte         { return c.it.Value() }
func (c *cursor) Trailer() base.Trailer { return c.it.Trailer() }
func (c *cursor) Err() error            { return c.err }

func (c *cursor) Close() error {
	if c.it != nil {
		c.it.Release()
		c.it = nil
		if i := slices.Index(c.t.cursors, c); i >= 0 {
			c.t.cursors = slices.Delete(c.t.cursors, i, i+1)
		}
	}
	return c.err
}

// orphanRange is orphan for every key row in [lo, hi).
func (t *txn) orphanRange(lo, hi []byte) {
	if len(t.fresh) == 0 {
		return
	}
	var rows [][]byte
	for i := range t.change.ops {
		o := &t.change.ops[i].op
		if record.Type(o.Attr.Type()).IsCollection() && bytes.Compare(o.Key, lo) >= 0 && bytes.Compare(o.Key, hi) < 0 {
			rows = append(rows, o.Key)
		}
	}
	for _, row := range rows {
		t.orphan(row)
	}
}

// end lets go of everything the transaction holds.
func (t *txn) end() {
	for len(t.cursors) > 0 {
		t.cursors[len(t.cursors)-1].Close()
	}
	if t.change != nil {
		t.change.free()
		t.change = nil
	}
	t.view.Own = nil
	db, rs := t.db, t.view.State
	if t.point != nil {
		db.points.Release(t.point)
		db.states.Drop(rs)
		t.point = nil
	}
	if t.pinned {
		db.states.Unpin(rs, t.stripe)
		t.pinned = false
	}
	if t.held {
		db.states.Drop(rs)
		t.held = false
	}
	if t.lock != nil {
		t.lock.Unlock()
		t.lock = nil
	}
	t.view.State = nil
}
