package sstable

import "sync"

// Loan is the memory behind a value that a point read found in a block which the
// cache did not take. The zero Loan is ready; a look-up that needs no memory of
// its own leaves it as it is. Whoever has copied the value may Return it, so that
// the next read need not allocate; not to do so is no mistake.
type Loan struct{ block *loanedBlock }

// loanedBlock is a data block with its bytes.
type loanedBlock struct {
	block
	sealed []byte // as read from the file
	raw    []byte // with values decompressed, if they were compressed
}

var loans = sync.Pool{New: func() any { return new(loanedBlock) }}

// Return gives the memory back. The value must not be used any more.
func (l *Loan) Return() {
	if b := l.block; b != nil {
		l.block = nil
		if cap(b.sealed) <= keepBuffer && cap(b.raw) <= keepBuffer {
			loans.Put(b)
		}
	}
}

// borrow reads data block i into the loan's memory.
func (r *Reader) borrow(i int, l *Loan) (*block, error) {
	l.Return() // of a table asked before
	b := loans.Get().(*loanedBlock)
	offset, length := r.index.handle(i)
	if int64(cap(b.sealed)) < length {
		b.sealed = make([]byte, length)
	}
	b.sealed = b.sealed[:length]
	if err := r.readAt(b.sealed, offset); err != nil {
		return nil, err
	}
	if err := r.decode(&b.block, b.sealed, i); err != nil {
		return nil, err
	}
	if b.packed != nil {
		var err error
		if b.raw, err = b.unpackInto(&b.block, b.raw, &r.unpacker); err != nil {
			return nil, r.corrupt(offset, err)
		}
	}
	l.block = b
	return &b.block, nil
}
