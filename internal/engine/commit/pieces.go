package commit

import (
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Pieces are operations, encoded once as the log takes them, of a Change or a batch. They
// lie in pieces that do not move once they are complete, so that what grows is not copied
// and holds little more than it has. The zero value is empty.
type Pieces struct {
	full [][]byte // complete ones
	tail []byte   // what comes goes here; it moves only while it is the first piece

	whole, held int64 // of full: bytes, and bytes of memory
}

const (
	// firstPiece is up to which size the first piece grows, and moves.
	firstPiece = referenceFrom
	// leastPiece and mostPiece bound the size of the others, which is a sixteenth of what
	// is there: as much may be unused.
	leastPiece = 8 << 10
	mostPiece  = 256 << 10
)

// OnePiece returns operations that are encoded one after the other. They are not copied.
func OnePiece(ops []byte) Pieces { return Pieces{tail: ops} }

// Encoded returns how many bytes there are.
func (p *Pieces) Encoded() int64 { return p.whole + int64(len(p.tail)) }

// memory returns the bytes of memory that the pieces hold.
func (p *Pieces) memory() int64 { return p.held + int64(cap(p.tail)) }

// piece returns piece i; the last one is the tail.
func (p *Pieces) piece(i int) []byte {
	if i == len(p.full) {
		return p.tail
	}
	return p.full[i]
}

// All loops over the pieces. No operation lies in two.
func (p *Pieces) All(yield func([]byte) bool) {
	for i := range len(p.full) + 1 {
		if b := p.piece(i); len(b) > 0 && !yield(b) {
			return
		}
	}
}

// AddRow adds the put or delete of a user key in the keyspace with the given prefix. The
// caller has checked the limits.
func (p *Pieces) AddRow(a base.Attr, expiry int64, prefix, key, value []byte) {
	behind := p.room(len(prefix) + 1 + len(key) + len(value) + record.MaxOpOverhead)
	p.tail = AppendRowOp(p.tail, a, expiry, prefix, key)
	if a.Kind() != base.KindDelete {
		p.tail = record.AppendOpValue(p.tail, value)
	}
	p.close(behind)
}

// AddEncoded adds an operation. The caller has checked the limits.
func (p *Pieces) AddEncoded(o record.Op) {
	behind := p.room(len(o.Key) + len(o.Value) + record.MaxOpOverhead)
	p.tail = record.AppendOp(p.tail, o)
	p.close(behind)
}

// Reset empties the pieces. They keep as much memory as they had, in one.
func (p *Pieces) Reset() {
	if len(p.full) > 0 {
		p.tail = make([]byte, 0, p.Encoded())
	}
	*p = Pieces{tail: p.tail[:0]}
}

// room makes room for an operation of about n bytes behind the tail. A large one becomes
// a piece of its own, as large as it is: then room returns the tail that comes behind it.
func (p *Pieces) room(n int) (behind []byte) {
	if len(p.tail)+n <= cap(p.tail) || len(p.full) == 0 && len(p.tail)+n <= firstPiece {
		return nil
	}
	size := int(min(max(p.whole/16, leastPiece), mostPiece))
	if n <= size/4 {
		p.complete(cap(p.tail))
		p.tail = make([]byte, 0, size)
		return nil
	}
	behind = p.tail[len(p.tail):]
	if behind == nil {
		behind = []byte{}
	}
	p.complete(len(p.tail))
	p.tail = nil // the append of a very large value makes it, without zeroing it first
	if n < firstPiece {
		p.tail = make([]byte, 0, n)
	}
	return behind
}

// complete makes the tail a piece, which holds so many bytes of memory.
func (p *Pieces) complete(held int) {
	n := len(p.tail)
	if n == 0 {
		return
	}
	p.full = append(p.full, p.tail[:n:n])
	p.whole += int64(n)
	p.held += int64(held)
	p.tail = nil
}

// close ends the operation for which room returned behind.
func (p *Pieces) close(behind []byte) {
	if behind != nil {
		p.complete(cap(p.tail))
		p.tail = behind
	}
}
