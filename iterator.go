package siltstone

import (
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/latency"
	"github.com/siltstonedb/siltstone/typed"
)

// IterOptions are the settings of an iterator.
type IterOptions struct {
	Range
	// KeysOnly leaves values unread: Value returns nil.
	KeysOnly bool
}

// Iterator walks keys in bytewise order, forward and backward, over the state of the
// store, snapshot or transaction at the moment at which it was made. It shows every
// key with its type; the value of a key that holds a collection is nil. In a
// transaction it also shows the writes that were made before First, Last or a seek
// last positioned it.
//
// An Iterator keeps the files and memory of its state until it is closed, so close
// it. It is not safe for concurrent use. When the store is closed, or the transaction
// or snapshot ends, the iterator becomes invalid with ErrClosed or ErrTxDone.
type Iterator struct {
	rows   *rows.Iter
	state  *readstate.State // held
	prefix int              // bytes before the user's key in a row key
	owner  iterOwner
	open   *atomic.Pointer[readstate.State] // nil once the store is closed; only for iterators of the store itself
	err    error

	seeks   *latency.Histogram // of the store
	sampler latency.Sampler
	closed  bool
}

// iterOwner made an iterator: it is the store, a snapshot or a transaction.
type iterOwner interface {
	// alive returns the error that ends its iterators, or nil.
	alive() error
	// refresh updates the view before a positioning call.
	refresh(it *rows.Iter)
	// iterEnding is called before an iterator lets go of its rows.
	iterEnding(rows *rows.Iter)
	// iterClosed is called once when an iterator has ended.
	iterClosed(it *Iterator)
}

// First moves to the first key and reports whether there is one.
func (it *Iterator) First() bool {
	if !it.position() {
		return false
	}
	begin := it.sampler.Begin()
	ok := it.rows.First()
	it.seeks.End(begin)
	return it.moved(ok)
}

// Last moves to the last key and reports whether there is one.
func (it *Iterator) Last() bool {
	if !it.position() {
		return false
	}
	begin := it.sampler.Begin()
	ok := it.rows.Last()
	it.seeks.End(begin)
	return it.moved(ok)
}

// SeekGE moves to the first key at or behind key and reports whether there is
// one. A key before the lower bound seeks to the bound.
func (it *Iterator) SeekGE(key []byte) bool {
	if !it.position() {
		return false
	}
	begin := it.sampler.Begin()
	ok := it.rows.SeekGE(it.row(key))
	it.seeks.End(begin)
	return it.moved(ok)
}

// SeekLT moves to the last key before key and reports whether there is one.
func (it *Iterator) SeekLT(key []byte) bool {
	if !it.position() {
		return false
	}
	begin := it.sampler.Begin()
	ok := it.rows.SeekLT(it.row(key))
	it.seeks.End(begin)
	return it.moved(ok)
}

// row returns the row key of a user key in the iterator's keyspace.
func (it *Iterator) row(key []byte) []byte {
	prefix := it.rows.Lower()[:it.prefix-1]
	it.rows.Target = keyenc.AppendKeyRow(it.rows.Target[:0], prefix, key)
	return it.rows.Target
}

// Next moves to the next key and reports whether there is one. On an iterator
// that is not valid it does nothing.
func (it *Iterator) Next() bool {
	if it == nil {
		return false
	}
	if r := it.rows; it.open != nil && r != nil && r.Valid() && it.open.Load() != nil {
		if r.InBlock(false) {
			return it.moved(r.StepInBlock(1))
		}
		return it.moved(r.Next())
	}
	return it.Valid() && it.check() && it.moved(it.rows.Next())
}

// Prev moves to the previous key and reports whether there is one. On an
// iterator that is not valid it does nothing.
func (it *Iterator) Prev() bool {
	if it == nil {
		return false
	}
	if r := it.rows; it.open != nil && r != nil && r.Valid() && it.open.Load() != nil {
		if r.InBlock(true) {
			return it.moved(r.StepInBlock(-1))
		}
		return it.moved(r.Prev())
	}
	return it.Valid() && it.check() && it.moved(it.rows.Prev())
}

// Valid reports whether the iterator stands on a key.
func (it *Iterator) Valid() bool { return it != nil && it.rows != nil && it.rows.Valid() }

// Key returns the key, which is valid until the next move; nil if the iterator is
// not valid.
func (it *Iterator) Key() []byte {
	if !it.Valid() {
		return nil
	}
	return it.rows.Key()[it.prefix:]
}

// Value returns the value, which is valid until the next move. It is nil for keys
// that hold collections, with KeysOnly, and if the iterator is not valid.
func (it *Iterator) Value() []byte {
	if !it.Valid() || it.rows.Attr().Type() != uint8(typed.TypeString) {
		return nil
	}
	return it.rows.Value()
}

// Type returns the type of the value that the key holds.
func (it *Iterator) Type() typed.Type {
	if !it.Valid() {
		return typed.TypeNone
	}
	return typed.Type(it.rows.Attr().Type())
}

// Err returns the error that ended the walk, if one did.
func (it *Iterator) Err() error {
	if it == nil {
		return ErrClosed
	}
	return it.err
}

// Close releases the files and memory of the iterator and returns Err. Closing twice
// is no error.
func (it *Iterator) Close() error {
	if it == nil || it.closed {
		return it.Err()
	}
	it.closed = true
	if it.rows != nil {
		it.owner.iterEnding(it.rows)
		it.rows.Release()
		it.rows = nil
	}
	if it.owner != nil {
		it.owner.iterClosed(it)
	}
	return it.err
}

// check reports whether the iterator may still be used.
func (it *Iterator) check() bool {
	if it == nil {
		return false
	}
	if it.closed || it.owner == nil {
		if it.err != ErrTxDone { // it ended with its transaction
			it.err = ErrClosed
		}
		return false
	}
	if err := it.owner.alive(); err != nil {
		it.rows.Invalidate()
		it.err = err
		return false
	}
	return it.rows != nil
}

func (it *Iterator) position() bool {
	if !it.check() {
		return false
	}
	it.err = nil
	it.owner.refresh(it.rows)
	return true
}

func (it *Iterator) moved(ok bool) bool {
	if !ok && it.rows.Err() != nil {
		it.err = it.rows.Err()
	}
	return ok
}
