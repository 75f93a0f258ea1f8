package typed

import (
	"sync"

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
	// same key from conflicting; empty if several keys take part.
	Begin(write bool, key string) (Txn, error)
	// End ends it: err nil commits, anything else rolls back. e is what the call
	// returns: err if that is not nil. If again is true the transaction lost to
	// another one, nothing was changed, and the caller starts over with Begin.
	End(t Txn, err error) (again bool, e error)
}

// Txn is the engine as this package sees it: one transaction over rows, which
// reads its own writes. Rows and values passed in are borrowed during the call;
// a Txn copies what it keeps. Not safe for concurrent use.
type Txn interface {
	Now() int64     // the one clock reading, milliseconds since 1970
	Prefix() []byte // of the keyspace; empty for the default one; read only
	Uint64() uint64 // randomness
	Scratch() *Scratch

	// Get appends the value of the live row to dst, or returns ErrNotFound.
	Get(dst, row []byte) (value []byte, t base.Trailer, err error)
	// Peek is Get without the value.
	Peek(row []byte) (t base.Trailer, err error)
	// Head is Get of the first n bytes of the value, or of all if it is shorter.
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
}

// Cursor walks the rows of a Scan. Key and Value are borrowed until the next
// move. Close must be called, also after an error; twice is fine.
type Cursor interface {
	Next() bool
	Key() []byte
	Value() []byte
	Trailer() base.Trailer
	Err() error
	Close() error
}

// Scratch is the working memory of the calls of a transaction: row keys and
// values on their way in and out. A Txn owns one and keeps it when it is pooled.
// The zero Scratch is ready. A call may use it until it returns; a loop does not
// hold it while the user's body runs.
type Scratch struct {
	key    []byte // row key of a string or of metadata
	row    []byte // row key of an element
	lo, hi []byte // bounds of a scan
	val    []byte // a value read
	out    []byte // a value to be written
	vol    []byte // a volatile row's value, read or to be written
	place  []byte // a key of the score order
	place2 []byte // another

	pages  *rankPages    // of counted orders, while no collection has them in hand
	inline inlineScratch // inline collections that are open
	entry  []byte        // an element on its way into one
}

// scratchMax is how much of a buffer a pooled transaction keeps.
const scratchMax = 64 << 10

func (s *Scratch) shrink() {
	if cap(s.val) > scratchMax {
		s.val = nil
	}
	if cap(s.out) > scratchMax {
		s.out = nil
	}
	if cap(s.vol) > scratchMax {
		s.vol = nil
	}
	if cap(s.entry) > scratchMax {
		s.entry = nil
	}
	s.inline.shrink()
}

func begin(src Source, write bool, key string) (Txn, error) {
	if src == nil {
		return nil, base.ErrClosed // a zero handle
	}
	return src.Begin(write, key)
}

// view runs body in a transaction that reads. body does not escape, so a call
// allocates nothing for it.
func view[T any](src Source, body func(Txn) (T, error)) (T, error) {
	var none T
	t, err := begin(src, false, "")
	if err != nil {
		return none, err
	}
	v, err := body(t)
	t.Scratch().shrink()
	if _, err = src.End(t, err); err != nil {
		return none, err
	}
	return v, nil
}

// update runs body in a transaction that writes, again for as long as it loses
// to others; body must not carry anything over from one run to the next.
func update[T any](src Source, key string, body func(Txn) (T, error)) (T, error) {
	var none T
	for {
		t, err := begin(src, true, key)
		if err != nil {
			return none, err
		}
		v, err := body(t)
		t.Scratch().shrink()
		again, err := src.End(t, err)
		if again {
			continue
		}
		if err != nil {
			return none, err
		}
		return v, nil
	}
}

// loopScratch is for inline collections that loops walk.
var loopScratch = sync.Pool{New: func() any { return new(inlineScratch) }}

// stream runs body in a transaction that reads and lives as long as the user's
// loop: it ends when the loop ends, breaks or panics. body calls each for every
// item and returns as soon as that is false.
func stream[T any](src Source, yield func(T, error) bool, body func(t Txn, each func(T) bool) error) {
	stopped := false
	err := func() (err error) {
		t, err := begin(src, false, "")
		if err != nil {
			return err
		}
		defer func() {
			if _, e := src.End(t, err); err == nil {
				err = e
			}
		}()
		// The body of the user's loop may be other calls of the transaction.
		sc := t.Scratch()
		others, own := sc.inline, loopScratch.Get().(*inlineScratch)
		sc.inline = *own
		defer func() {
			sc.inline.shrink()
			*own, sc.inline = sc.inline, others
			loopScratch.Put(own)
		}()
		return body(t, func(v T) bool {
			mine := sc.inline
			sc.inline = others
			stopped = !yield(v, nil)
			others, sc.inline = sc.inline, mine
			return !stopped
		})
	}()
	if err != nil && !stopped {
		var none T
		yield(none, err)
	}
}
