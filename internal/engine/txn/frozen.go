package txn

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// frozen is a transaction as it stood when a loop began: reads see the writes from
// before that moment and none of the loop's body. It cannot write, and lives as long
// as the transaction.
type frozen struct {
	*Txn
	space   *keyspace.Space
	view    rows.View
	scratch *collection.Scratch // its own, because the body makes other calls
}

// Frozen implements collection.Txn.
func (t *Txn) Frozen(sc *collection.Scratch) collection.Txn {
	t.hold()
	if t.ofCall {
		return t // no body of a loop can write through it
	}
	return t.frozenIn(t.ks, sc)
}

// Frozen implements collection.Txn.
func (t *In) Frozen(sc *collection.Scratch) collection.Txn { return t.frozenIn(t.Space, sc) }

func (t *Txn) frozenIn(ks *keyspace.Space, sc *collection.Scratch) *frozen {
	return &frozen{Txn: t, space: ks, view: t.View(), scratch: sc}
}

func (f *frozen) Prefix() []byte                               { return f.space.Prefix() }
func (f *frozen) Scratch() *collection.Scratch                 { return f.scratch }
func (f *frozen) Frozen(*collection.Scratch) collection.Txn    { return f }
func (f *frozen) Put([]byte, record.Type, int64, []byte) error { return base.ErrReadOnly }
func (f *frozen) Delete([]byte) error                          { return base.ErrReadOnly }
func (f *frozen) DeleteRange([]byte, []byte) error             { return base.ErrReadOnly }
func (f *frozen) NewID() (uint64, error)                       { return 0, base.ErrReadOnly }
func (f *frozen) Dead(uint64)                                  {}
func (f *frozen) Removed(uint64)                               {}

// look is Txn.Look at the moment the loop began.
func (f *frozen) look(row []byte, want readstate.Want) (readstate.Found, error) {
	if f.err != nil {
		return readstate.Found{}, f.err
	}
	hash := base.HashRow(row)
	r, own, err := f.view.Find(row, hash, want)
	if err != nil {
		return r, f.fail(f.engine.states.ReadError(err))
	}
	r.OK = r.OK && !f.expired(r.Trailer)
	if f.writes && !own {
		f.reads.AddPoint(hash, row)
		if r.OK {
			f.reads.AddExpiry(row, r.Expiry)
		}
	}
	return r, nil
}

// Get implements collection.Txn.
func (f *frozen) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	r, err := f.look(row, readstate.WantValue)
	return appendFound(&r, dst, len(r.Value), err)
}

// Peek implements collection.Txn.
func (f *frozen) Peek(row []byte) (base.Trailer, error) {
	r, err := f.look(row, readstate.WantKey)
	_, trailer, err := appendFound(&r, nil, 0, err)
	return trailer, err
}

// Head implements collection.Txn.
func (f *frozen) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	r, err := f.look(row, wantHead(row))
	return appendFound(&r, dst, n, err)
}

// Until implements collection.Txn. Whether the row was the transaction's own write
// goes by the moment at which it was read.
func (f *frozen) Until(row []byte, deadline int64) {
	if !f.writes {
		return
	}
	if _, own := f.view.FindOwn(row, base.HashRow(row)); !own {
		f.reads.AddExpiry(row, deadline)
	}
}

// Scan implements collection.Txn.
func (f *frozen) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	return f.scan(f.view, lo, hi, o)
}

// appendFound appends the first n bytes of the value to dst, and returns the loan of
// the value. Without a live record it is ErrNotFound.
func appendFound(f *readstate.Found, dst []byte, n int, err error) ([]byte, base.Trailer, error) {
	defer f.Loan.Return()
	if err == nil && !f.OK {
		err = base.ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.Value[:min(n, len(f.Value))]...), f.Trailer, nil
}
