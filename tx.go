package siltstone

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Mode is the kind of a transaction that Begin begins.
type Mode uint8

const (
	// ReadOnlyMode transactions read one state. They never block, never conflict and
	// never delay a writer. A write in one is ErrReadOnly.
	ReadOnlyMode Mode = 1
	// ReadWriteMode transactions are serializable.
	ReadWriteMode Mode = 2
)

// Tx is a transaction. It reads the state at its beginning and its own writes, with
// one clock reading. Its writes become visible together when it commits, or not at
// all. It is not safe for concurrent use.
//
// A loop or iterator shows the transaction as it was when the loop began. Writes
// that are made meanwhile do not appear in it, so the body of a loop may delete the
// keys that it is given. Get sees all writes.
//
// A call that was refused (a wrong type, an empty key) changed nothing, and the
// transaction goes on. A call that failed (a read error, the end of the context, the
// closing of the store) also fails the commit, even if its error was ignored.
type Tx struct {
	*txState
	in      txn.In // the keyspace it addresses, for typed calls
	refused error  // why the keyspace cannot be used
}

// txState is shared by a transaction and the Tx values that In returned of it.
type txState struct {
	db  *DB
	t   txn.Txn
	ctx context.Context

	sampler latency.Sampler // of Get

	first Tx    // the one of the default keyspace
	named []*Tx // those of named keyspaces, by number

	durability Durability
	hooks      []func()
	iters      []*Iterator
	attempt    int
	managed    bool // Update or View ends it
	done       bool
}

// In returns the transaction addressing ks; nil is the default keyspace. It is the
// same transaction, with one view, one set of reads and one commit; either Tx may
// end it. If ks is dropped meanwhile the transaction still shows its keys, but if it
// writes its commit is ErrDropped or a conflict. If ks was dropped before the
// transaction began every call is ErrDropped. If ks belongs to another store every
// call is an error.
func (tx *Tx) In(ks *Keyspace) *Tx {
	switch {
	case tx.unbegun():
		return tx
	case ks == nil:
		return &tx.first
	case ks.space == nil:
		return &Tx{txState: tx.txState, in: txn.In{Txn: &tx.t}, refused: errForeign}
	}
	space := ks.space
	i, found := slices.BinarySearchFunc(tx.named, space.Number, func(t *Tx, n uint32) int { return cmp.Compare(t.in.Space.Number, n) })
	if found && tx.named[i].in.Space == space {
		return tx.named[i]
	}
	in := &Tx{txState: tx.txState, in: txn.In{Txn: &tx.t, Space: space}}
	if ks.db != tx.db {
		in.refused = errForeign
		return in
	}
	if in.refused = space.ReadableAt(tx.t.Seq()); in.refused == nil && !tx.done {
		tx.named = slices.Insert(tx.named, i, in)
		tx.t.Address(space)
	}
	return in
}

// unbegun reports whether tx is one that neither Begin, Update nor View made.
func (tx *Tx) unbegun() bool { return tx == nil || tx.txState == nil }

// alive returns the error that keeps the transaction from being used.
func (tx *Tx) alive() error {
	switch {
	case tx.unbegun(), tx.done:
		return ErrTxDone
	case tx.t.Failed() != nil:
		return tx.t.Failed()
	case tx.refused != nil:
		return tx.refused
	}
	return tx.db.life.ClosedErr()
}

// ks returns the keyspace the transaction addresses.
func (tx *Tx) ks() *keyspace.Space { return tx.in.Space }

// row appends the row of a user key to dst.
func (tx *Tx) row(dst, key []byte) ([]byte, error) {
	if err := tx.alive(); err != nil {
		return nil, err
	}
	if err := base.CheckKey(key); err != nil {
		return nil, err
	}
	return keyenc.AppendKeyRow(dst, tx.ks().Prefix(), key), nil
}

func (tx *Tx) look(key []byte, want readstate.Want) (readstate.Found, error) {
	var room [128]byte
	row, err := tx.row(room[:0], key)
	if err != nil {
		return readstate.Found{}, err
	}
	f, err := tx.t.Look(row, want)
	if err == nil && !f.OK {
		err = ErrNotFound
	}
	return f, err
}

// stat finds the live record of key and returns its trailer.
func (tx *Tx) stat(key []byte) (base.Trailer, error) {
	f, err := tx.look(key, readstate.WantKey)
	f.Loan.Return()
	return f.Trailer, err
}

// Get returns a copy of the value of key, or ErrNotFound.
func (tx *Tx) Get(key []byte) ([]byte, error) { return tx.AppendGet(nil, key) }

// AppendGet appends the value of key to dst and returns the result.
func (tx *Tx) AppendGet(dst, key []byte) ([]byte, error) {
	if tx.unbegun() {
		return dst, ErrTxDone
	}
	begin := tx.sampler.Begin()
	f, err := tx.look(key, readstate.WantValue)
	tx.db.report.gets.End(begin)
	defer f.Loan.Return()
	if err != nil {
		return dst, err
	}
	if t := record.Type(f.Attr.Type()); t != record.TypeString {
		return dst, record.WrongType(key, t, record.TypeString)
	}
	return append(dst, f.Value...), nil
}

// Has reports whether key exists, whatever its type.
func (tx *Tx) Has(key []byte) (bool, error) {
	_, err := tx.stat(key)
	if err == ErrNotFound {
		return false, nil
	}
	return err == nil, err
}

// TTL returns the time key has to live at the transaction's clock.
func (tx *Tx) TTL(key []byte) (time.Duration, error) {
	t, err := tx.stat(key)
	if err != nil {
		return 0, err
	}
	return timeToLive(t, tx.t.Now()), nil
}

// Put sets key to value. It overwrites a value of any type and clears a time to
// live.
func (tx *Tx) Put(key, value []byte) error { return tx.put(key, value, 0) }

// PutTTL sets key to value for the time ttl, counted from the transaction's
// clock; NoTTL makes it Put.
func (tx *Tx) PutTTL(key, value []byte, ttl time.Duration) error {
	if err := tx.alive(); err != nil {
		return err
	}
	if err := base.CheckTTL(ttl); err != nil {
		return err
	}
	return tx.put(key, value, commit.ExpiryAt(tx.t.Now(), commit.Milliseconds(ttl)))
}

func (tx *Tx) put(key, value []byte, expiry int64) error {
	var room [128]byte
	row, err := tx.row(room[:0], key)
	if err != nil {
		return err
	}
	if err := base.CheckValue(len(value)); err != nil {
		return err
	}
	if !tx.t.Writes() {
		return readOnlyTx("Put")
	}
	return tx.t.PutKey(row, record.TypeString, expiry, value)
}

// Delete deletes key, whatever its type. It reads nothing, so it does not say whether
// the key existed. Drop of tx.Key reads the key and says it; Remove of a typed handle
// removes elements.
func (tx *Tx) Delete(key []byte) error {
	var room [128]byte
	row, err := tx.row(room[:0], key)
	if err != nil {
		return err
	}
	if !tx.t.Writes() {
		return readOnlyTx("Delete")
	}
	return tx.t.DeleteKey(row)
}

// DeleteRange deletes every key of r, the transaction's own earlier writes
// included.
func (tx *Tx) DeleteRange(r Range) error {
	if err := tx.alive(); err != nil {
		return err
	}
	lo, hi, err := r.deleteRows(tx.ks().Prefix())
	if err != nil {
		return err
	}
	if !tx.t.Writes() {
		return readOnlyTx("DeleteRange")
	}
	return tx.t.DeleteKeys(lo, hi)
}

// readOnlyTx refuses a call in a transaction that only reads.
func readOnlyTx(call string) error {
	return base.Errorf(ErrReadOnly, "%s in a read-only transaction", call)
}

// Scan loops over the keys of r in ascending order; an error is the last item.
func (tx *Tx) Scan(r Range) iter.Seq2[KV, error] { return scan(tx, IterOptions{Range: r}, false) }

// ScanBack loops over the keys of r in descending order.
func (tx *Tx) ScanBack(r Range) iter.Seq2[KV, error] { return scan(tx, IterOptions{Range: r}, true) }

// ScanKeys loops over the keys of r in ascending order, as Scan does, and reads no
// values: each Value is nil.
func (tx *Tx) ScanKeys(r Range) iter.Seq2[KV, error] {
	return scan(tx, IterOptions{Range: r, KeysOnly: true}, false)
}

// ScanKeysBack loops over the keys of r in descending order, as ScanKeys does.
func (tx *Tx) ScanKeysBack(r Range) iter.Seq2[KV, error] {
	return scan(tx, IterOptions{Range: r, KeysOnly: true}, true)
}

// NewIter returns an iterator over the transaction's view. It ends with the
// transaction; closing it earlier frees its memory earlier.
func (tx *Tx) NewIter(o *IterOptions) (*Iterator, error) {
	if err := tx.alive(); err != nil {
		return nil, err
	}
	it, err := tx.db.newIterator(tx.t.View(), o, tx.ks(), (*txIters)(tx))
	if err != nil {
		return nil, err
	}
	tx.t.Adopt(it.rows)
	tx.iters = append(tx.iters, it)
	return it, nil
}

// txIters owns the iterators of a transaction.
type txIters Tx

func (o *txIters) alive() error {
	tx := (*Tx)(o)
	if err := tx.alive(); err != nil {
		return err
	}
	return tx.ctx.Err()
}

// refresh lets a positioning call see the writes made before it.
func (o *txIters) refresh(it *rows.Iter) {
	if v := o.t.View(); v.OwnSeq != it.OwnSeq || v.Own != it.Own {
		it.Refresh(v)
	}
}

func (o *txIters) iterEnding(r *rows.Iter) { o.t.Disown(r) }

func (o *txIters) iterClosed(it *Iterator) {
	o.db.handles.closed(holdIterator, it)
	if i := slices.Index(o.iters, it); i >= 0 {
		o.iters = slices.Delete(o.iters, i, i+1)
	}
}

// Now returns the transaction's one clock reading.
func (tx *Tx) Now() time.Time {
	if tx.unbegun() {
		return time.Time{}
	}
	return time.UnixMilli(tx.t.Now())
}

// RunAt sets the clock reading of the transaction to t, in whole milliseconds, and has
// it draw from seed what Random and Pop of typed values draw. So a transaction does the
// same wherever it meets the same keys, as a replica's must. It is the first call of a
// transaction; after a read or a write it is ErrBadOption, and so is a t before the
// transaction's own clock reading, since what had expired by then may be gone, and
// one after the year 36 million. The store's clock is to stay behind the readings of such
// transactions: see Options.Clock.
//
// Random and Pop then walk the collection, at the cost of its size: to draw by look-ups
// depends on how its rows lie in files.
func (tx *Tx) RunAt(t time.Time, seed uint64) error {
	if err := tx.alive(); err != nil {
		return err
	}
	return tx.t.RunAt(t.UnixMilli(), seed)
}

// Context returns the context of the transaction. An Update of the same store that is
// given it is ErrNested.
func (tx *Tx) Context() context.Context {
	if tx.unbegun() {
		return context.Background()
	}
	return tx.ctx
}

// Attempt returns the number of times that the closure of an Update has been run,
// this one included.
func (tx *Tx) Attempt() int {
	if tx.unbegun() {
		return 0
	}
	return tx.attempt
}

// SetDurability chooses the level the commit waits for. One that does not exist
// fails the commit.
func (tx *Tx) SetDurability(d Durability) {
	if !tx.unbegun() {
		tx.durability = d
	}
}

// OnCommit has fn called once after the transaction has been committed and has
// reached its durability level. No lock is held then, so fn may call the store. If
// the transaction is rolled back or fails, fn is not called. A nil fn is none.
func (tx *Tx) OnCommit(fn func()) {
	if !tx.unbegun() && fn != nil {
		tx.hooks = append(tx.hooks, fn)
	}
}

// Commit makes the writes visible, or returns why it could not. If something that
// the transaction read has changed the error is a *ConflictError, which is
// ErrConflict. Either way the transaction has ended. Commit returns when the writes,
// and everything that the transaction read, have reached the durability level.
// Inside Update or View it is ErrManaged, and the transaction goes on: they commit
// when their closure returns nil.
func (tx *Tx) Commit() error {
	switch {
	case tx.unbegun() || tx.done:
		return ErrTxDone
	case tx.managed:
		return ErrManaged
	}
	err := tx.commit(nil)
	if err == nil {
		for _, fn := range tx.hooks {
			fn()
		}
	}
	return err
}

// commit ends the transaction. turn is that of the attempt, if others wait for it.
func (tx *Tx) commit(turn *commit.Turn) error {
	defer tx.end()
	if err := tx.durability.check(); err != nil {
		return err
	}
	if tx.t.Failed() == nil {
		if err := tx.ctx.Err(); err != nil {
			return err
		}
		if err := tx.db.life.ClosedErr(); err != nil {
			return err
		}
	}
	return tx.db.describe(tx.t.Commit(tx.ctx, tx.db.level(tx.durability), turn), tx.spaces(), tx.t.Seq())
}

// spaces returns the named keyspaces the transaction was asked to address.
func (tx *Tx) spaces() (all []*keyspace.Space) {
	for _, in := range tx.named {
		all = append(all, in.in.Space)
	}
	return all
}

// Rollback ends the transaction without a trace. After Commit it does nothing.
// Inside Update or View it is ErrManaged, and the transaction goes on: they roll
// back when their closure returns an error.
func (tx *Tx) Rollback() error {
	if tx.unbegun() {
		return nil
	}
	if tx.managed && !tx.done {
		return ErrManaged
	}
	tx.rollback()
	return nil
}

func (tx *Tx) rollback() {
	if !tx.done {
		tx.end()
	}
}

// end frees the memory and the files that the transaction holds.
func (tx *Tx) end() {
	for len(tx.iters) > 0 {
		it := tx.iters[len(tx.iters)-1]
		it.err = ErrTxDone
		it.Close()
	}
	tx.done = true
	tx.t.End()
	tx.db.handles.closed(holdTransaction, &tx.first)
}
