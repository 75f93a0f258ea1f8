package collection

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Source begins and ends the transaction a call runs in. A transaction returns
// itself; a store returns a pooled one, and commits it at the end. Users never
// implement it. It must be as safe for concurrent use as the handles made from
// it are to be.
type Source interface {
	// Begin begins a transaction. If it writes, key is the key that the call
	// reads, changes and writes back, so that the source can keep calls on the
	// same key from conflicting; empty if several keys take part. attempt counts the
	// attempts of the call from 1, so that one that has lost can be helped.
	Begin(write bool, key string, attempt int) (Txn, error)
	// End ends it: err nil commits, anything else rolls back. e is what the call
	// returns: err if that is not nil. If again is true the transaction lost to
	// another one, nothing was changed, and the caller starts over with Begin.
	End(t Txn, err error) (again bool, e error)
}

// Txn is the engine as this package sees it: one transaction over rows, which
// reads its own writes. Rows and values passed in are borrowed during the call;
// a Txn copies what it keeps. Not safe for concurrent use.
type Txn interface {
	// Err returns why the transaction cannot go on: it failed, or it has ended.
	Err() error
	// Writes reports whether the transaction may write, and so is to rest on what it
	// reads.
	Writes() bool
	// Frozen returns the transaction as it stands at this moment, for a loop whose
	// body may be other calls of the transaction: reads see what was written before
	// and nothing that is written later, and sc is the working memory. It cannot
	// write. A transaction that only one call can use may return itself.
	Frozen(sc *Scratch) Txn

	Now() int64     // the one clock reading, milliseconds since 1970
	Prefix() []byte // of the keyspace; empty for the default one; read only
	Uint64() uint64 // randomness
	Scratch() *Scratch

	// Get appends the value of the live row to dst, or returns ErrNotFound.
	Get(dst, row []byte) (value []byte, t base.Trailer, err error)
	// Peek is Get without the value.
	Peek(row []byte) (t base.Trailer, err error)
	// Head is Get of the first n bytes of the value, or of all if it is shorter. Of a
	// large string's row, which has no metadata, there may be none.
	Head(dst, row []byte, n int) (value []byte, t base.Trailer, err error)
	// Until says that the transaction rests on what it read of row, which stops
	// being true at the deadline: a commit after that loses, unless the row is its
	// own write.
	Until(row []byte, deadline int64)
	// Put writes a row; expiry 0 is none.
	Put(row []byte, typ record.Type, expiry int64, value []byte) error
	Delete(row []byte) error
	// DeleteRange deletes the rows in [lo, hi), also those this transaction put.
	DeleteRange(lo, hi []byte) error
	// Scan walks the live rows in [lo, hi) of the state at this moment, earlier
	// writes of the transaction included and later ones not. The cursor stands
	// before the first row.
	Scan(lo, hi []byte, o ScanOptions) (Cursor, error)
	// Sample is Scan of rows drawn at random, each time any of them with the same
	// chance; one may come again. The transaction rests on those that it shows as if
	// they were read one by one, and on nothing else. Next costs about a look-up while
	// most of the range is live. The cursor ends when a walk is likely to be cheaper:
	// that says nothing of the rows there are. Reverse and Blind mean nothing.
	Sample(lo, hi []byte, o ScanOptions) (Cursor, error)

	// NewID returns an id no collection ever had.
	NewID() (uint64, error)
	// Dead says that this transaction took the metadata row of collection id
	// away: after the commit its rows are to be removed. If the transaction
	// itself allocated the id, its buffered rows go at once.
	Dead(id uint64)
	// Removed says that a collection loses n elements by what was written.
	Removed(n uint64)
}

// ScanOptions say how a Scan walks.
type ScanOptions struct {
	Reverse  bool // from the last row to the first
	KeysOnly bool // Value is not asked for
	// Blind is for rows that say nothing but what follows from others that are read:
	// the transaction does not rest on them.
	Blind bool
}

// Cursor walks the rows of a Scan. Key and Value are borrowed until the next
// move. Close must be called, also after an error; twice is fine.
type Cursor interface {
	Next() bool
	Key() []byte
	Value() []byte
	// Head appends the first n bytes of the value, also if it was not asked for.
	Head(dst []byte, n int) ([]byte, error)
	Trailer() base.Trailer
	Err() error
	Close() error
}
