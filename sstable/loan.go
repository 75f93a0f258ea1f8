package sstable

import (
	"sync"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
)

// Loan is the memory behind a value that a point read found in what the cache did
// not take. The zero Loan is ready; a look-up that needs no memory of its own
// leaves it as it is. Whoever has copied the value may Return it, so that the next
// read need not allocate; not to do so is no mistake.
type Loan struct {
	Want  Want
	block *loanedBlock
}

// Want is what a point read wants of the value.
type Want uint8

const (
	WantValue Want = iota // all of it
	WantSmall             // nothing if it is large, which is then not read
	WantKey               // nothing
)

// skips reports whether the value of a record is not to be read.
func (l *Loan) skips(alone bool) bool {
	return l != nil && (l.Want == WantKey || l.Want == WantSmall && alone)
}

// loanedBlock is a data block with its bytes, or one page of its values.
type loanedBlock struct {
	block
	sealed []byte // as read from the file
	raw    []byte // with values decompressed, if they were compressed
}

var loans = sync.Pool{New: func() any { return new(loanedBlock) }}

// take returns the memory to read into; what the loan held is given back.
func (l *Loan) take() *loanedBlock {
	l.Return()
	l.block = loans.Get().(*loanedBlock)
	return l.block
}

// Return gives the memory back. The value must not be used any more.
func (l *Loan) Return() {
	if b := l.block; b != nil {
		l.block = nil
		if cap(b.sealed) <= keepBuffer && cap(b.raw) <= keepBuffer {
			invariants.Poison(b.sealed)
			invariants.Poison(b.raw)
			loans.Put(b)
		}
	}
}

// copy returns a copy of value in the loan's memory.
func (l *Loan) copy(value []byte) []byte {
	b := l.take()
	b.raw = append(b.raw[:0], value...)
	return b.raw
}

// readSealed fills b.sealed from the file.
func (b *loanedBlock) readSealed(r *Reader, offset, length int64) error {
	b.sealed = sized(b.sealed, length)
	return r.readAt(b.sealed, offset)
}

// sized returns a buffer of n bytes, buf if it has room for them.
func sized(buf []byte, n int64) []byte {
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	return buf[:n]
}

// borrow reads data block i into the loan's memory. Values in pages are left as
// they are stored.
func (r *Reader) borrow(i int, l *Loan) (*block, error) {
	b := l.take()
	offset, length := r.index.handle(i)
	if err := b.readSealed(r, offset, length); err != nil {
		return nil, err
	}
	if err := r.decode(&b.block, b.sealed, i); err != nil {
		return nil, err
	}
	if b.packed != nil && b.flags&flagPaged == 0 {
		var err error
		if b.raw, err = b.unpackInto(&b.block, b.raw, &r.unpacker); err != nil {
			return nil, r.corrupt(offset, err)
		}
	}
	return &b.block, nil
}

// fetchKeys is borrow of a block with pages, whose keys it stores in the cache:
// they take a fraction of the memory of the whole block, and the next read of any
// of its records is one of a page.
func (r *Reader) fetchKeys(i int, l *Loan) (*block, error) {
	b, err := r.borrow(i, l)
	if err != nil {
		return nil, err
	}
	alone, bytes := b.keysAlone()
	alone.Lease(recycleKeys)
	alone.EndLease()
	r.o.Cache.Store(&r.slots[i], &alone.Entry, bytes, true)
	r.nearby[i].forget()
	return b, nil
}

// lend returns record at of data block i. The values are b's, or their page is in
// b, as it is stored, or it is read from disk. The value is good until the loan is
// returned.
func (r *Reader) lend(b *block, i, at int, l *Loan) (value []byte, t base.Trailer, err error) {
	t = b.trailer(at)
	from, to := b.valueAt(at)
	if b.values != nil {
		return b.values[from:to:to], t, nil
	}
	if from == to {
		return b.keys.data[:0:0], t, nil
	}
	offset, _ := r.index.handle(i)
	g, ok := b.pages.find(uint32(from), uint32(to))
	if !ok {
		return nil, t, r.corrupt(offset, errPages)
	}
	offset += int64(b.keysLen()) + int64(g.from)
	var stored []byte
	if b.packed != nil { // b is the loan's, and verified
		stored = b.packed[g.from:g.to]
	} else {
		stored, err = r.readPage(g, offset, l)
	}
	if err == nil && g.packed() {
		l.block.raw = sized(l.block.raw, int64(g.rawTo-g.rawFrom))
		if err = r.unpacker.unpack(l.block.raw, stored, b.compression); err != nil {
			err = r.corrupt(offset, err)
		}
		stored = l.block.raw
	}
	if err != nil {
		return nil, t, err
	}
	from, to = from-int(g.rawFrom), to-int(g.rawFrom)
	return stored[from:to:to], t, nil
}

// readPage reads a page at offset of the file into the loan's memory.
func (r *Reader) readPage(g page, offset int64, l *Loan) ([]byte, error) {
	b := l.take()
	if err := b.readSealed(r, offset, int64(g.to-g.from)); err != nil {
		return nil, err
	}
	if err := g.verify(b.sealed); err != nil {
		return nil, r.corrupt(offset, err)
	}
	return b.sealed, nil
}

// row returns the newest record of key, if the cache has it as a row and it is not
// newer than seq. The value is in the loan's memory.
func (r *Reader) row(key []byte, hash uint64, seq base.SeqNum, l *Loan) (value []byte, t base.Trailer, ok bool) {
	if l == nil || r.o.Cache == nil {
		return nil, t, false
	}
	rows := r.o.Cache.Rows()
	if rows == nil {
		return nil, t, false
	}
	b := l.take()
	w, ok := rows.Get(b.raw[:0], r.number, hash, key)
	if !ok || base.SeqNum(w.Seq) > seq {
		return nil, t, false
	}
	b.raw = w.Value[:cap(w.Value)]
	if hash>>32%hitSample == 0 {
		r.o.Cache.CountHits(hitSample)
	}
	return w.Value, base.Trailer{Seq: base.SeqNum(w.Seq), Expiry: w.Expiry, Attr: base.Attr(w.Attr)}, true
}

// keepRow offers the newest record of key to the cache's rows.
func (r *Reader) keepRow(key []byte, hash uint64, value []byte, t base.Trailer) {
	if rows := r.o.Cache.Rows(); rows != nil {
		rows.Put(r.number, hash, key, cache.Row{Seq: uint64(t.Seq), Expiry: t.Expiry, Attr: uint8(t.Attr), Value: value})
	}
}
