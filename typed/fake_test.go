package typed_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

// fakeDB is the smallest engine: a sorted slice that a commit replaces. It is its
// own Source of one-shots, and unkind to callers: it makes some of their
// transactions run again, and overwrites what a cursor lent.
type fakeDB struct {
	typedtest.API
	t      testing.TB
	rng    *rand.Rand
	now    int64
	nextID uint64
	prefix []byte
	rows   []typedtest.Row // ascending
	dead   map[uint64]bool
	locks  []string // the key of each one-shot that writes

	steps      int                // of cursors
	samples    int                // begun
	sampleEnds func(rows int) int // says after how many of them
	ranges     int                // DeleteRange calls
	cursors    int                // open
	txns       int                // one-shots begun and not ended
	unkind     bool
	scratch    []*collection.Scratch // of transactions that ended
	failIn     int                   // the so-manieth call of the engine from now on fails; 0: none
}

func newFake(t testing.TB, seed uint64) *fakeDB {
	db := &fakeDB{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000, dead: map[uint64]bool{}}
	db.sampleEnds = func(rows int) int { return min(20*rows, 500) }
	db.API = typedtest.Handles(db)
	t.Cleanup(func() {
		if db.cursors != 0 || db.txns != 0 {
			t.Errorf("%d cursors and %d transactions were left open", db.cursors, db.txns)
		}
	})
	return db
}

func (db *fakeDB) Now() int64       { return db.now }
func (db *fakeDB) Advance(ms int64) { db.now += ms }

func (db *fakeDB) newTxn() *fakeTxn {
	tx := &fakeTxn{db: db, base: db.rows, own: map[string]*typedtest.Row{}, now: db.now}
	if last := len(db.scratch) - 1; last >= 0 {
		tx.scratch, db.scratch = db.scratch[last], db.scratch[:last]
	} else {
		tx.scratch = new(collection.Scratch)
	}
	return tx
}

// ended keeps the working memory of a transaction for the next one.
func (db *fakeDB) ended(tx *fakeTxn) { db.scratch = append(db.scratch, tx.scratch) }

func (db *fakeDB) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	db.txns++
	tx := db.newTxn()
	tx.readOnly = !write
	if write {
		db.locks = append(db.locks, key)
	}
	return tx, nil
}

func (db *fakeDB) End(t collection.Txn, err error) (bool, error) {
	db.txns--
	tx := t.(*fakeTxn)
	db.ended(tx)
	if err != nil || tx.readOnly {
		return false, err
	}
	if db.unkind && db.rng.IntN(8) == 0 {
		return true, nil
	}
	tx.commit()
	return false, nil
}

func (db *fakeDB) Update(fn func(tx typedtest.API) error) error {
	tx := db.newTxn()
	defer db.ended(tx)
	if err := fn(typedtest.Handles(tx)); err != nil {
		return err
	}
	tx.commit()
	return nil
}

// check recounts the rows, and reaps what was given up now and then.
func (db *fakeDB) check() error {
	live := slices.DeleteFunc(slices.Clone(db.rows), func(r typedtest.Row) bool { return r.Expired(db.now) })
	if err := typedtest.CheckRows(live, db.now, func(id uint64) bool { return db.dead[id] }); err != nil {
		return err
	}
	if db.rng.IntN(20) == 0 {
		db.rows = slices.DeleteFunc(slices.Clone(db.rows), func(r typedtest.Row) bool {
			_, rest, _ := keyenc.KeyspaceOf(r.Key)
			id, _, _, ok := keyenc.ParseCollectionRow(rest)
			return ok && db.dead[id]
		})
		db.dead = map[uint64]bool{}
	}
	return nil
}

var errEngine = errors.New("the engine failed")

// fault is errEngine if it is time.
func (db *fakeDB) fault() error {
	if db.failIn > 0 {
		if db.failIn--; db.failIn == 0 {
			return errEngine
		}
	}
	return nil
}

// fakeTxn is a transaction: the state at its start and its own writes. It is the
// Source of its handles.
type fakeTxn struct {
	db       *fakeDB
	base     []typedtest.Row
	own      map[string]*typedtest.Row // nil: deleted
	ids      map[uint64]bool           // allocated here
	dead     []uint64
	now      int64
	until    []int64 // deadlines of what it read alive
	readOnly bool
	scratch  *collection.Scratch
}

func (tx *fakeTxn) Begin(bool, string, int) (collection.Txn, error) { return tx, nil }
func (tx *fakeTxn) End(_ collection.Txn, err error) (bool, error)   { return false, err }
func (tx *fakeTxn) Now() int64                                      { return tx.now }
func (tx *fakeTxn) Prefix() []byte                                  { return tx.db.prefix }
func (tx *fakeTxn) Uint64() uint64                                  { return tx.db.rng.Uint64() }
func (tx *fakeTxn) Scratch() *collection.Scratch                    { return tx.scratch }

func (tx *fakeTxn) NewID() (uint64, error) {
	if err := tx.db.fault(); err != nil {
		return 0, err
	}
	tx.db.nextID++
	if tx.ids == nil {
		tx.ids = map[uint64]bool{}
	}
	tx.ids[tx.db.nextID] = true
	return tx.db.nextID, nil
}

func (tx *fakeTxn) Dead(id uint64) {
	if !tx.ids[id] {
		tx.dead = append(tx.dead, id)
		return
	}
	lo, hi := keyenc.CollectionRange(tx.db.prefix, id, id)
	for k := range tx.own {
		if k >= string(lo) && k < string(hi) {
			delete(tx.own, k)
		}
	}
}

func (tx *fakeTxn) Removed(uint64) {}
func (tx *fakeTxn) Err() error     { return nil }
func (tx *fakeTxn) Writes() bool   { return !tx.readOnly }

// Frozen returns a transaction over a copy of the rows.
func (tx *fakeTxn) Frozen(sc *collection.Scratch) collection.Txn {
	frozen := *tx
	frozen.own, frozen.scratch, frozen.readOnly = maps.Clone(tx.own), sc, true
	return &frozen
}

func find(rows []typedtest.Row, key []byte) int {
	return sort.Search(len(rows), func(i int) bool { return bytes.Compare(rows[i].Key, key) >= 0 })
}

func (tx *fakeTxn) lookup(row []byte) *typedtest.Row {
	r, mine := tx.own[string(row)]
	if !mine {
		if i := find(tx.base, row); i < len(tx.base) && bytes.Equal(tx.base[i].Key, row) {
			r = &tx.base[i]
		}
	}
	if r == nil || r.Expired(tx.now) {
		return nil
	}
	return r
}

func (tx *fakeTxn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	if err := tx.db.fault(); err != nil {
		return dst, base.Trailer{}, err
	}
	if r := tx.lookup(row); r != nil {
		return append(dst, r.Value...), r.Trailer, nil
	}
	return dst, base.Trailer{}, base.ErrNotFound
}

func (tx *fakeTxn) Peek(row []byte) (base.Trailer, error) {
	if err := tx.db.fault(); err != nil {
		return base.Trailer{}, err
	}
	if r := tx.lookup(row); r != nil {
		return r.Trailer, nil
	}
	return base.Trailer{}, base.ErrNotFound
}

func (tx *fakeTxn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	v, tr, err := tx.Get(nil, row)
	return append(dst, v[:min(n, len(v))]...), tr, err
}

func (tx *fakeTxn) Until(row []byte, deadline int64) {
	if deadline <= tx.now {
		tx.db.t.Errorf("row %q is read alive until %d at %d", row, deadline, tx.now)
	}
	if _, own := tx.own[string(row)]; !own {
		tx.until = append(tx.until, deadline)
	}
}

func (tx *fakeTxn) write() error {
	if tx.readOnly {
		return base.ErrReadOnly
	}
	return tx.db.fault()
}

func (tx *fakeTxn) Put(row []byte, typ record.Type, expiry int64, value []byte) error {
	if err := tx.write(); err != nil {
		return err
	}
	if len(row) > base.MaxRowKeyLen {
		tx.db.t.Errorf("row key of %d bytes", len(row))
	}
	attr := base.MakeAttr(base.KindPut, uint8(typ), expiry != 0)
	tx.own[string(row)] = &typedtest.Row{
		Key: bytes.Clone(row), Value: bytes.Clone(value), Trailer: base.Trailer{Attr: attr, Expiry: expiry},
	}
	return nil
}

func (tx *fakeTxn) Delete(row []byte) error {
	if err := tx.write(); err != nil {
		return err
	}
	tx.own[string(row)] = nil
	return nil
}

func (tx *fakeTxn) DeleteRange(lo, hi []byte) error {
	if err := tx.write(); err != nil {
		return err
	}
	tx.db.ranges++
	for _, r := range tx.state(lo, hi) {
		tx.own[string(r.Key)] = nil
	}
	return nil
}

// state returns the rows in [lo, hi) as the transaction sees them, expired ones
// included.
func (tx *fakeTxn) state(lo, hi []byte) (rows []typedtest.Row) {
	for i := find(tx.base, lo); i < len(tx.base) && bytes.Compare(tx.base[i].Key, hi) < 0; i++ {
		if _, mine := tx.own[string(tx.base[i].Key)]; !mine {
			rows = append(rows, tx.base[i])
		}
	}
	for k, r := range tx.own {
		if r != nil && k >= string(lo) && k < string(hi) {
			rows = append(rows, *r)
		}
	}
	slices.SortFunc(rows, func(a, b typedtest.Row) int { return bytes.Compare(a.Key, b.Key) })
	return rows
}

func (tx *fakeTxn) commit() {
	db := tx.db
	rows := slices.DeleteFunc(slices.Clone(db.rows), func(r typedtest.Row) bool {
		_, mine := tx.own[string(r.Key)]
		return mine
	})
	for _, r := range tx.own {
		if r != nil {
			rows = append(rows, *r)
		}
	}
	slices.SortFunc(rows, func(a, b typedtest.Row) int { return bytes.Compare(a.Key, b.Key) })
	db.rows = rows
	for _, id := range tx.dead {
		db.dead[id] = true
	}
}

func (tx *fakeTxn) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	if bytes.Compare(lo, hi) >= 0 {
		tx.db.t.Errorf("scan from %q to %q", lo, hi)
	}
	if err := tx.db.fault(); err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(tx.state(lo, hi), func(r typedtest.Row) bool { return r.Expired(tx.now) })
	if o.Reverse {
		slices.Reverse(rows)
	}
	tx.db.cursors++
	return &fakeCursor{db: tx.db, rows: rows, keysOnly: o.KeysOnly}, nil
}

// Sample draws so many rows as sampleEnds says, and then ends, as the engine does.
func (tx *fakeTxn) Sample(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	cur, err := tx.Scan(lo, hi, o)
	if err != nil {
		return nil, err
	}
	tx.db.samples++
	c := cur.(*fakeCursor)
	rows := c.rows
	c.rows = nil
	for range tx.db.sampleEnds(len(rows)) {
		c.rows = append(c.rows, rows[tx.db.rng.IntN(len(rows))])
	}
	return c, nil
}

type fakeCursor struct {
	db       *fakeDB
	rows     []typedtest.Row
	row      typedtest.Row // lent: its bytes are overwritten by the next move
	head     []byte        // its value, also if that is not asked for
	keysOnly bool
	closed   bool
	err      error
}

func (c *fakeCursor) Next() bool {
	c.db.steps++
	for i := range c.row.Key {
		c.row.Key[i] = 0xAA
	}
	for i := range c.row.Value {
		c.row.Value[i] = 0xAA
	}
	if c.err == nil {
		c.err = c.db.fault()
	}
	if len(c.rows) == 0 || c.closed || c.err != nil {
		return false
	}
	c.row, c.rows = c.rows[0], c.rows[1:]
	c.row.Key, c.row.Value = bytes.Clone(c.row.Key), bytes.Clone(c.row.Value)
	c.head = c.row.Value
	if c.keysOnly {
		c.row.Value = nil
	}
	return true
}

func (c *fakeCursor) Key() []byte           { return c.row.Key }
func (c *fakeCursor) Value() []byte         { return c.row.Value }
func (c *fakeCursor) Trailer() base.Trailer { return c.row.Trailer }
func (c *fakeCursor) Err() error            { return c.err }
func (c *fakeCursor) Head(dst []byte, n int) ([]byte, error) {
	return append(dst, c.head[:min(n, len(c.head))]...), nil
}

func (c *fakeCursor) Close() error {
	if !c.closed {
		c.closed = true
		c.db.cursors--
	}
	return nil
}

var errRollback = errors.New("rolled back")
