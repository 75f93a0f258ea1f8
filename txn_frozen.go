package siltstone

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/record"
)

// frozenTxn is a transaction as it stood when a loop began: reads see what was
// written before that moment and nothing of what the loop's body writes. It cannot
// write, and lives as long as the transaction.
type frozenTxn struct {
	*txn
	ks      *Keyspace
	view    readView
	scratch *collection.Scratch // its own, for the body makes other calls
}

// Frozen implements collection.Txn.
func (t *txn) Frozen(sc *collection.Scratch) collection.Txn {
	if t.point == nil {
		return t // the transaction of one call, which nobody else can use
	}
	return t.frozenIn(t.ks, sc)
}

// Frozen implements collection.Txn.
func (t *txnIn) Frozen(sc *collection.Scratch) collection.Txn { return t.frozenIn(t.ks, sc) }

func (t *txn) frozenIn(ks *Keyspace, sc *collection.Scratch) *frozenTxn {
	t.Now()
	return &frozenTxn{txn: t, ks: ks, view: t.currentView(), scratch: sc}
}

func (f *frozenTxn) Prefix() []byte                               { return f.ks.prefix() }
func (f *frozenTxn) Scratch() *collection.Scratch                 { return f.scratch }
func (f *frozenTxn) Frozen(sc *collection.Scratch) collection.Txn { return f }
func (f *frozenTxn) Put([]byte, record.Type, int64, []byte) error { return ErrReadOnly }
func (f *frozenTxn) Delete([]byte) error                          { return ErrReadOnly }
func (f *frozenTxn) DeleteRange([]byte, []byte) error             { return ErrReadOnly }
func (f *frozenTxn) NewID() (uint64, error)                       { return 0, ErrReadOnly }
func (f *frozenTxn) Dead(uint64)                                  {}
func (f *frozenTxn) Removed(uint64)                               {}

// look is txn.look at the moment the loop began.
func (f *frozenTxn) look(row []byte) (found, error) {
	if f.err != nil {
		return found{}, f.err
	}
	hash := hashRow(row)
	r, own, err := f.view.find(row, hash)
	if err != nil {
		return r, f.fail(f.db.readError(err))
	}
	r.ok = r.ok && !f.expired(r.Trailer)
	if f.writes && !own {
		f.reads.AddPoint(hash, row)
		if r.ok {
			f.reads.AddExpiry(row, r.Expiry)
		}
	}
	return r, nil
}

// Get implements collection.Txn.
func (f *frozenTxn) Get(dst, row []byte) ([]byte, base.Trailer, error) {
	r, err := f.look(row)
	return r.appendTo(dst, len(r.value), err)
}

// Peek implements collection.Txn.
func (f *frozenTxn) Peek(row []byte) (base.Trailer, error) {
	r, err := f.look(row)
	_, trailer, err := r.appendTo(nil, 0, err)
	return trailer, err
}

// Head implements collection.Txn.
func (f *frozenTxn) Head(dst, row []byte, n int) ([]byte, base.Trailer, error) {
	r, err := f.look(row)
	return r.appendTo(dst, n, err)
}

// appendTo appends the first n bytes of the value to dst, and gives back what the
// value was lent from. Without a live record it is ErrNotFound.
func (f *found) appendTo(dst []byte, n int, err error) ([]byte, base.Trailer, error) {
	defer f.loan.Return()
	if err == nil && !f.ok {
		err = ErrNotFound
	}
	if err != nil {
		return dst, f.Trailer, err
	}
	return append(dst, f.value[:min(n, len(f.value))]...), f.Trailer, nil
}

// Until implements collection.Txn. Whether the row was the transaction's own write
// goes by the moment at which it was read.
func (f *frozenTxn) Until(row []byte, deadline int64) {
	if !f.writes {
		return
	}
	if _, own := f.view.ownWrite(row, hashRow(row)); !own {
		f.reads.AddExpiry(row, deadline)
	}
}

// Scan implements collection.Txn.
func (f *frozenTxn) Scan(lo, hi []byte, o collection.ScanOptions) (collection.Cursor, error) {
	return f.scan(f.view, lo, hi, o)
}

// find looks a row up as the view shows it, expired or not; own says that it is the
// transaction's own write.
func (v *readView) find(row []byte, hash uint64) (f found, own bool, err error) {
	if f, own = v.ownWrite(row, hash); own {
		return f, true, nil
	}
	f, err = v.rs.get(row, hash, v.seq)
	return f, false, err
}

// ownWrite returns what the transaction's own writes that the view shows say of
// row, if they say anything.
func (v *readView) ownWrite(row []byte, hash uint64) (f found, ok bool) {
	if v.mine == nil {
		return f, false
	}
	value, t, hit := v.mine.Get(hash, row, v.own)
	ok = f.settle(value, t, hit, v.mine.CoverSeq(row, v.own))
	return f, ok
}
