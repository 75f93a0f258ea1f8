package siltstone

import (
	"bytes"
	"context"
	"iter"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/typed"
)

// KV is one item of a loop. Its slices are valid until the loop's next step. Value is
// nil for keys that hold a collection, and in the loops over keys alone.
type KV struct {
	Key, Value []byte
	Type       typed.Type
}

// Reader has the methods for reading that *DB, *Keyspace, *Tx and *Snapshot share.
type Reader interface {
	// Get returns a copy of the value of key, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// AppendGet appends the value of key to dst.
	AppendGet(dst, key []byte) ([]byte, error)
	// Has reports whether key exists, whatever its type.
	Has(key []byte) (bool, error)
	// TTL returns the time key has to live; NoTTL if it does not expire.
	TTL(key []byte) (time.Duration, error)
	// Scan loops over the keys of r in ascending order. An error is the last item.
	Scan(r Range) iter.Seq2[KV, error]
	// ScanBack loops over the keys of r in descending order.
	ScanBack(r Range) iter.Seq2[KV, error]
	// ScanKeys is Scan without reading the values: each Value is nil.
	ScanKeys(r Range) iter.Seq2[KV, error]
	// ScanKeysBack is ScanBack without reading the values.
	ScanKeysBack(r Range) iter.Seq2[KV, error]
	// NewIter returns an iterator, which the caller closes.
	NewIter(o *IterOptions) (*Iterator, error)
}

// Writer has the methods for writing that *DB, *Keyspace and *Tx share. All but
// Expire and Persist are blind: they read nothing and never conflict.
type Writer interface {
	// Put sets key to value. It overwrites a value of any type and clears a time to
	// live.
	Put(key, value []byte) error
	// PutTTL sets key to value for a time.
	PutTTL(key, value []byte, ttl time.Duration) error
	// Delete deletes key, whatever its type, and does not tell whether there was
	// anything. Drop of a typed handle tells; Remove of one removes elements.
	Delete(key []byte) error
	// DeleteRange deletes every key of r.
	DeleteRange(r Range) error
	// Expire sets the time to live of key; ErrNotFound if it does not exist, ErrBadTTL if
	// ttl is not positive.
	Expire(key []byte, ttl time.Duration) error
	// Persist takes the time to live from key and reports whether there was one; false,
	// too, if there is no such key.
	Persist(key []byte) (had bool, err error)
}

// Scan loops over the keys of r in ascending order, over the state at the
// loop's start. Breaking out releases everything; an error is the last item.
func (db *DB) Scan(r Range) iter.Seq2[KV, error] { return scan(db, IterOptions{Range: r}, false) }

// ScanBack loops over the keys of r in descending order, as Scan does.
func (db *DB) ScanBack(r Range) iter.Seq2[KV, error] { return scan(db, IterOptions{Range: r}, true) }

// ScanKeys loops over the keys of r in ascending order, as Scan does, and reads no
// values: each Value is nil.
func (db *DB) ScanKeys(r Range) iter.Seq2[KV, error] {
	return scan(db, IterOptions{Range: r, KeysOnly: true}, false)
}

// ScanKeysBack loops over the keys of r in descending order, as ScanKeys does.
func (db *DB) ScanKeysBack(r Range) iter.Seq2[KV, error] {
	return scan(db, IterOptions{Range: r, KeysOnly: true}, true)
}

// scan is the loop of every Reader.
func scan(from Reader, o IterOptions, back bool) iter.Seq2[KV, error] {
	return func(yield func(KV, error) bool) {
		it, err := from.NewIter(&o)
		if err != nil {
			yield(KV{}, err)
			return
		}
		defer it.Close()
		start, step := it.First, it.Next
		if back {
			start, step = it.Last, it.Prev
		}
		for ok := start(); ok; ok = step() {
			if !yield(KV{Key: it.Key(), Value: it.Value(), Type: it.Type()}, nil) {
				return
			}
		}
		if err := it.Err(); err != nil {
			yield(KV{}, err)
		}
	}
}

// Limit returns a loop over the first n items of a loop of this package, typed or
// codec: one page of it. It takes no more steps than it yields items; with n below 1
// it does not begin. An error is yielded as the loop yields it.
func Limit[T any](loop iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if n < 1 || loop == nil {
			return
		}
		left := n
		for v, err := range loop {
			left--
			if !yield(v, err) || left == 0 {
				return
			}
		}
	}
}

// Wait loops over changes of the keys. It first yields each key once, and from then on
// each that has changed since it was last yielded, in any way: a key that was written or
// deleted by whatever call, batch or transaction, that has expired, or of which an element
// was written. The body looks at the key, and misses nothing: what it does not see yet
// makes the loop yield the key again. Changes that come while the body runs are yielded
// once. The change is visible; it may not be durable yet.
//
// The loop sleeps meanwhile and holds no state. It goes on until the body breaks out or
// its last item, which is the error of ctx once that has ended, ErrClosed, or
// ErrPoisoned, since nothing is written any more. An element with a time to live of its own
// counts as changed when its row is removed, soon after its end. In a store that is open
// for reading the error is ErrReadOnly: it does not see what others write.
//
//	for key, err := range db.Wait(ctx, config) {
//		if err != nil {
//			return err
//		}
//		load(db.Get(key))
//	}
func (db *DB) Wait(ctx context.Context, keys ...[]byte) iter.Seq2[[]byte, error] {
	return db.wait(ctx, nil, keys)
}

func (db *DB) wait(ctx context.Context, ks *keyspace.Space, keys [][]byte) iter.Seq2[[]byte, error] {
	own := make([][]byte, len(keys))
	for i, key := range keys {
		own[i] = bytes.Clone(key)
	}
	return func(yield func([]byte, error) bool) {
		if err := db.mayWait(ctx); err != nil {
			yield(nil, err)
			return
		}
		db.txns.Watch(ctx, ks, own, yield)
	}
}

// mayWait returns why a call that waits does not begin.
func (db *DB) mayWait(ctx context.Context) error {
	switch {
	case db.unopened():
		return ErrClosed
	case ctx == nil:
		return errNilContext
	case ctx.Value(txKey{db.life}) != nil:
		return base.Errorf(ErrNested, "a call that waits, with the context of a running transaction: it would not see what others write")
	}
	return nil
}

// NewIter returns an iterator over the current state, positioned nowhere. The
// caller closes it. Nil options are all keys. The iterator's clock is read
// once, now: a key that expires later stays visible to it.
func (db *DB) NewIter(o *IterOptions) (*Iterator, error) { return db.newIter(nil, o) }

func (db *DB) newIter(ks *keyspace.Space, o *IterOptions) (*Iterator, error) {
	if db.unopened() {
		return nil, ErrClosed
	}
	rs := db.states.Hold()
	if rs == nil {
		return nil, ErrClosed
	}
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	it, err := db.newIterator(v, o, ks, (*dbIters)(db))
	if err != nil {
		db.states.Drop(rs)
	}
	return it, err
}

// newIterator returns an iterator over a view whose state is held; the owner's
// iterClosed drops it.
func (db *DB) newIterator(v rows.View, o *IterOptions, ks *keyspace.Space, owner iterOwner) (*Iterator, error) {
	if err := ks.ReadableAt(v.Seq); err != nil {
		return nil, err
	}
	prefix := ks.Prefix()
	if o == nil {
		o = &IterOptions{}
	}
	buf := rows.Take()
	lo, hi, grown, err := o.appendRows(buf.Bounds, prefix)
	buf.Bounds = grown
	if err != nil {
		buf.GiveBack()
		return nil, err
	}
	rows, err := buf.Init(db.rows, v, lo, hi, o.KeysOnly)
	if err != nil {
		return nil, err
	}
	it := &Iterator{rows: rows, state: v.State, prefix: len(prefix) + 1, owner: owner, seeks: &db.report.seeks, sampler: latency.NewSampler()}
	if _, own := owner.(*dbIters); own {
		it.open = &db.states.Current
	}
	db.handles.opened(holdIterator, it, v.State)
	return it, nil
}

// dbIters owns the iterators made by the store itself.
type dbIters DB

func (o *dbIters) alive() error {
	if o.states.Current.Load() == nil {
		return ErrClosed
	}
	return nil
}

func (o *dbIters) refresh(*rows.Iter) {}

func (o *dbIters) iterEnding(*rows.Iter) {}

func (o *dbIters) iterClosed(it *Iterator) {
	o.handles.closed(holdIterator, it)
	o.states.Drop(it.state)
}
