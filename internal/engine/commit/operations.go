package commit

import (
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/record"
)

// operations are those of a Change, and where they stand.
//
//	full   [op op op …] [op op …] [large op]     tail   [op op …     ]
//	ops    where each of the first 1024 stands, and its hash
//	marks  where every 64th of the others stands
//
// So an operation takes hardly more than its bytes, however many there are: those that
// have no place in ops are decoded again, from the mark before them or from where the
// last read has ended. Reading them in order costs a decoding each.
type operations struct {
	Pieces
	bytes int64 // of keys and values
	count int
	puts  int // of count

	ops   []op
	marks []place
	read  place // of the operation that is likely to be read next
	next  int   // its number
}

// op is one operation of the first ones: where its key and its value stand in its piece,
// which may still move if it is the first.
type op struct {
	hash     uint64
	expiry   int64
	key      int
	keyLen   uint32
	valueLen uint32
	piece    uint32
	attr     base.Attr
}

// place is where an operation begins: at byte at of a piece.
type place struct{ piece, at int }

const (
	// indexed is how many operations have a place in ops. Hashes of these are found
	// before the commit section is entered.
	indexed = 1024
	// perMark is how many operations have a mark in common.
	perMark = 64
)

// opSize is what an operation in ops takes beside its bytes. It counts for all of them in
// Size, since a commit makes a record of each in memory.
const opSize = int64(unsafe.Sizeof(op{}))

// Len returns the number of operations.
func (c *operations) Len() int { return c.count }

// Size returns what the operations count: their bytes, and a fixed part for each.
func (c *operations) Size() int64 { return c.Encoded() + opSize*int64(c.count) }

// SizeOf returns about what AddOp adds to the Size of a change.
func SizeOf(o record.Op) int64 { return int64(len(o.Key)+len(o.Value)) + opSize }

// Memory returns the bytes of memory that the operations hold, with room to grow.
func (c *operations) Memory() int64 {
	return c.Pieces.memory() + opSize*int64(cap(c.ops)) + int64(unsafe.Sizeof(place{}))*int64(cap(c.marks))
}

// Op returns operation i. Its slices point into its piece.
func (c *operations) Op(i int) record.Op {
	if i >= len(c.ops) {
		return c.decode(i)
	}
	o := &c.ops[i]
	b := c.piece(int(o.piece))
	end := o.key + int(o.keyLen)
	r := record.Op{Attr: o.attr, Expiry: o.expiry, Key: b[o.key:end:end]}
	if o.attr.Kind() != base.KindDelete {
		from := end + uvarintLen(uint64(o.valueLen))
		r.Value = b[from : from+int(o.valueLen) : from+int(o.valueLen)]
	}
	return r
}

// decode is Op for an operation that has no place in ops.
func (c *operations) decode(i int) record.Op {
	if i != c.next {
		m := (i - indexed) / perMark
		c.next, c.read = indexed+m*perMark, c.marks[m]
	}
	for {
		if c.read.at == len(c.piece(c.read.piece)) {
			c.read = place{piece: c.read.piece + 1}
		}
		o, n, _ := record.DecodeOp(c.piece(c.read.piece)[c.read.at:]) // it was encoded or checked here
		c.read.at += n
		if c.next++; c.next > i {
			return o
		}
	}
}

// Hash returns the hash of operation i's row, 0 for a range delete.
func (c *operations) Hash(i int) uint64 {
	if i < len(c.ops) {
		return c.ops[i].hash
	}
	return c.hashOf(i, c.Op(i))
}

// hashOf returns the hash of the row of o, which is operation i; 0 for a range delete.
func (c *operations) hashOf(i int, o record.Op) uint64 {
	switch {
	case i < len(c.ops):
		return c.ops[i].hash
	case o.Attr.Kind() == base.KindRangeDelete:
		return 0
	}
	return base.HashRow(o.Key)
}

// uvarintLen returns how many bytes a uvarint takes.
func uvarintLen(v uint64) (n int) {
	for n = 1; v >= 0x80; n++ {
		v >>= 7
	}
	return n
}

// note enters the operation whose key of keyLen bytes ends at end of the tail. It
// begins head bytes before its key.
func (c *operations) note(a base.Attr, expiry int64, head, end, keyLen, valueLen int) {
	if c.count < indexed {
		o := op{expiry: expiry, key: end - keyLen, keyLen: uint32(keyLen), valueLen: uint32(valueLen), piece: uint32(len(c.full)), attr: a}
		if a.Kind() != base.KindRangeDelete {
			o.hash = base.HashRow(c.tail[o.key:end])
		}
		c.ops = append(c.ops, o)
	} else if (c.count-indexed)%perMark == 0 {
		c.marks = append(c.marks, place{len(c.full), end - keyLen - head})
	}
	c.count++
	if a.Kind() == base.KindPut {
		c.puts++
	}
	c.bytes += int64(keyLen + valueLen)
}

// AddOp adds an operation, whose slices are copied. The caller has checked the
// limits.
func (c *operations) AddOp(o record.Op) {
	behind := c.room(len(o.Key) + len(o.Value) + record.MaxOpOverhead)
	start := len(c.tail)
	c.tail = record.AppendOpHead(c.tail, o.Attr, o.Expiry, len(o.Key))
	head := len(c.tail) - start
	c.tail = append(c.tail, o.Key...)
	end := len(c.tail)
	valueLen := 0
	if o.Attr.Kind() != base.KindDelete {
		valueLen = len(o.Value)
		c.tail = record.AppendOpValue(c.tail, o.Value)
	}
	c.note(o.Attr, o.Expiry, head, end, len(o.Key), valueLen)
	c.close(behind)
}

// index finds every op of a tail that holds complete ones, which come from elsewhere.
func (c *operations) index() error {
	for at := 0; at < len(c.tail); {
		o, n, err := record.DecodeOp(c.tail[at:])
		if err != nil {
			return err
		}
		valueBytes := 0
		if o.Attr.Kind() != base.KindDelete {
			valueBytes = uvarintLen(uint64(len(o.Value))) + len(o.Value)
		}
		end := at + n - valueBytes
		c.note(o.Attr, o.Expiry, end-len(o.Key)-at, end, len(o.Key), len(o.Value))
		at += n
	}
	return nil
}

// emptied returns empty operations that have the memory of these, if that is little.
func (c *operations) emptied() operations {
	if len(c.full) > 0 || cap(c.tail) > referenceFrom {
		c.tail = nil
	}
	if c.count > indexed {
		c.ops = nil
	}
	return operations{Pieces: Pieces{tail: c.tail[:0]}, ops: c.ops[:0]}
}
