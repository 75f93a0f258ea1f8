package siltstone

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/commit"
	"github.com/siltstonedb/siltstone/internal/keyenc"
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
	ks     *Keyspace // of a one-shot call; nil: the default one
	view   readView
	writes bool
	pos    commit.Position // everything the transaction can see is before it
	err    error           // first failure: the transaction cannot commit

	change *change            // own writes, in order; nil while there are none
	reads  readset.Set        // only if it writes
	fresh  []uint64           // collection ids it allocated
	dead   []manifest.IDRange // collections it ended
	spaces []*Keyspace        // named keyspaces it was asked to address

	scratch collection.Scratch
	cursors []*cursor // open ones

	// how the state is held
	point  *readPoint // registered, for transactions that live long
	stripe int        // pinned, for one-shot calls
	pinned bool
	held   bool        // like a registered one, but it is not
	lock   *sync.Mutex // of its key, held by a one-shot write
}

// txnIn is a transaction as calls in one of its keyspaces see it: they may be
// interleaved with calls in others.
type txnIn struct {
	*txn
	ks *Keyspace
}

var (
	_ collection.Txn = (*txn)(nil)
	_ collection.Txn = (*txnIn)(nil)
)

// Prefix implements collection.Txn.
func (t *txnIn) Prefix() []byte { return t.ks.prefix() }

// Dead implements collection.Txn.
func (t *txnIn) Dead(id uint64) { t.deadIn(t.ks.id(), id) }

// smallBuffer is how many own writes are searched one by one; more get an index.
const smallBuffer = 16

// bufferLimit bounds the index of a transaction's own writes: all of memory, as
// far as it is concerned.
const bufferLimit = math.MaxInt32

func (t *txn) Now() int64 {
	if t.view.now == 0 {
		t.view.now = t.db.clock.now()
		t.reads.Clock = t.view.now
	}
	return t.view.now
}

func (t *txn) Prefix() []byte               { return t.ks.prefix() }
func (t *txn) Uint64() uint64               { return rand.Uint64() }
func (t *txn) Scratch() *collection.Scratch { return &t.scratch }

// look finds the live record of row: own writes first, then the state.
func (t *txn) look(row []byte) (found, error) {
	if t.err != nil {
		return found{}, t.err
	}
	hash := hashRow(row)
	if f, ok := t.ownWrite(row, hash); ok {
		f.ok = f.ok && !t.expired(f.Trailer)
		return f, nil
	}
	f, err := t.view.rs.get(row, hash, t.view.seq)
	if err != nil {
		return f, t.fail(t.db.readError(err))
	}
	f.ok = f.ok && !t.expired(f.Trailer)
	if t.writes {
		t.reads.AddPoint(hash, row)
		if f.ok {
			t.reads.AddExpiry(row, f.Expiry)
		}
	}
	return f, nil
}

func (t *txn) expired(tr base.Trailer) bool { return tr.Expiry != 0 && tr.Expired(t.Now()) }

// ownWrite returns what the transaction's own writes say of row, if they say
// anything.
func (t *txn) ownWrite(row []byte, hash uint64) (f found, ok bool) {
	if t.change == nil {
		return f, false
	}
	if len(t.change.ops) > smallBuffer {
		mine := t.index()
		v, tr, hit := mine.Get(hash, row, base.SeqMax)
		cover := mine.CoverSeq(row, base.SeqMax)
		done := f.settle(v, tr, hit, cover)
		return f, done
	}
	for i := len(t.change.ops) - 1; i >= 0; i-- {
		p := &t.change.ops[i]
		switch {
		case p.op.Attr.Kind() == base.KindRangeDelete:
			if bytes.Compare(p.op.Key, row) <= 0 && bytes.Compare(row, p.op.Value) < 0 {
				return found{}, true
			}
		case p.hash == hash && bytes.Equal(p.op.Key, row):
			f = found{Trailer: p.trailer(ownBase + 1 + base.SeqNum(i)), value: p.op.Value}
			f.ok = p.op.Attr.Kind() == base.KindPut
			return f, true
		}
	}
	return f, false
}

// index returns the table of the own writes, brought up to date.
func (t *txn) index() *memtable.Table {
	if t.view.mine == nil {
		t.view.mine = memtable.New(bufferLimit)
		t.view.own = ownBase
	}
	for i := int(t.view.own - ownBase); i < len(t.change.ops); i++ {
		// The payload may grow and move, but what an op points to stays as it is.
		t.change.ops[i].insertInto(t.view.mine, ownBase+1+base.SeqNum(i), true)
	}
	t.view.own = ownBase + base.SeqNum(len(t.change.ops))
	return t.view.mine
}

// Get implements collection.Txn.
func (t *txn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	f, err := t.look(row)
	defer f.loan.Return()
	if err == nil && !f.ok {
		err = ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.value...), f.Trailer, nil
}

// Peek implements collection.Txn.
func (t *txn) Peek(row []byte) (base.Trailer, error) {
	f, err := t.look(row)
	f.loan.Return()
	if err == nil && !f.ok {
		err = ErrNotFound
	}
	return f.Trailer, err
}

// Head implements collection.Txn.
func (t *txn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	f, err := t.look(row)
	defer f.loan.Return()
	if err == nil && !f.ok {
		err = ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.value[:min(n, len(f.value))]...), f.Trailer, nil
}

// Until implements collection.Txn.
func (t *txn) Until(row []byte, deadline int64) {
	if !t.writes {
		return
	}
	if _, own := t.ownWrite(row, hashRow(row)); !own {
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
	id, err := t.db.newID()
	if err != nil {
		return 0, t.fail(err)
	}
	t.fresh = append(t.fresh, id)
	return id, nil
}

// Dead implements collection.Txn. Rows of a collection that was born in this
// transaction never leave it.
func (t *txn) Dead(id uint64) { t.deadIn(t.ks.id(), id) }

// deadIn is Dead in a numbered keyspace.
func (t *txn) deadIn(keyspace uint32, id uint64) {
	i := slices.Index(t.fresh, id)
	if i < 0 {
		t.dead = append(t.dead, manifest.IDRange{Keyspace: keyspace, First: id, Last: id})
		return
	}
	t.fresh = slices.Delete(t.fresh, i, i+1)
	lo, hi := keyenc.CollectionRange(keyspacePrefix(keyspace), id, id)
	c := t.change
	old := c.ops
	c.ops = slices.DeleteFunc(c.ops, func(p preparedOp) bool {
		return bytes.Compare(p.op.Key, lo) >= 0 && bytes.Compare(p.op.Key, hi) < 0
	})
	if len(c.ops) == len(old) {
		return
	}
	c.rebuild()
	t.view.mine, t.view.own = nil, 0
}

// Removed implements collection.Txn. The metadata row was put, so there is a buffer.
func (t *txn) Removed(n uint64) { t.change.removed += n }

// orphan ends a collection born in this transaction whose metadata row is about
// to be overwritten blindly.
func (t *txn) orphan(row []byte) {
	if len(t.fresh) == 0 {
		return
	}
	f, ok := t.ownWrite(row, hashRow(row))
	if !ok || !f.ok {
		return
	}
	if id, ok := record.CollectionID(record.Type(f.Attr.Type()), f.value); ok && slices.Contains(t.fresh, id) {
		prefix, _, _ := keyenc.KeyspaceOf(row)
		t.deadIn(keyspaceNumber(prefix), id)
	}
}

// fail remembers the first failure: the transaction cannot commit any more.
func (t *txn) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

// currentView is the view with all own writes so far.
func (t *txn) currentView() readView {
	if t.change != nil && len(t.change.ops) > 0 {
		t.index()
	}
	return t.view
}

// Err implements collection.Txn.
func (t *txn) Err() error {
	if t.view.rs == nil {
		return ErrTxDone
	}
	return t.err
}

// Writes implements collection.Txn.
func (t *txn) Writes() bool { return t.writes }

// Scan implements collection.Txn.
func (t *txn) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.Now()
	return t.scan(t.currentView(), lo, hi, o)
}

// scan is Scan of the rows that the view shows.
func (t *txn) scan(v readView, lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.pinned {
		// A loop may take as long as its body likes: hold the state, so that Close
		// need not wait for it.
		t.view.rs.holders.Add(1)
		t.db.states.unpin(t.view.rs, t.stripe)
		t.pinned, t.held = false, true
	}
	c := &cursor{t: t, reverse: o.Reverse}
	c.lo, c.hi = append(c.bounds[:0:32], lo...), bytes.Clone(hi)
	it, err := t.db.newRowIter(v, c.lo, c.hi, o.KeysOnly)
	if err != nil {
		return nil, t.fail(t.db.readError(err))
	}
	if t.writes && !o.Blind {
		it.reads = &t.reads
	}
	c.it = it
	t.cursors = append(t.cursors, c)
	return c, nil
}

// cursor adapts a rowIter to collection.Cursor.
type cursor struct {
	t       *txn
	it      *rowIter
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
		ok = c.it.last()
	case !c.started:
		ok = c.it.first()
	case c.reverse:
		ok = c.it.valid && c.it.prev()
	default:
		ok = c.it.valid && c.it.next()
	}
	c.started = true
	if c.it.err != nil {
		c.err = c.t.fail(c.it.err)
	}
	return ok
}

func (c *cursor) Key() []byte           { return c.it.key }
func (c *cursor) Value() []byte         { return c.it.value }
func (c *cursor) Trailer() base.Trailer { return c.it.rowTrailer() }
func (c *cursor) Err() error            { return c.err }

// Head implements collection.Cursor. What the walk shows it rests on already.
func (c *cursor) Head(dst []byte, n int) ([]byte, error) {
	f, _, err := c.it.readView.find(c.it.key, hashRow(c.it.key))
	if err != nil {
		err = c.t.fail(c.t.db.readError(err))
	}
	dst, _, err = f.appendTo(dst, n, err)
	return dst, err
}

func (c *cursor) Close() error {
	if c.it != nil {
		c.it.release()
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
	t.view.mine = nil
	db, rs := t.db, t.view.rs
	if t.point != nil {
		db.points.release(t.point)
		db.states.drop(rs)
		t.point = nil
	}
	if t.pinned {
		db.states.unpin(rs, t.stripe)
		t.pinned = false
	}
	if t.held {
		db.states.drop(rs)
		t.held = false
	}
	if t.lock != nil {
		t.lock.Unlock()
		t.lock = nil
	}
	t.view.rs = nil
}
