package cache

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// Rows holds single records of tables whose blocks a full cache does not take:
// records that are asked for often are scattered over blocks, and a block is a
// hundred times as large. Tables do not change, so a row never becomes wrong; those
// of a closed table are not asked for any more and grow old. It is safe for
// concurrent use and allocates only as its stripes are first filled.
type Rows struct {
	cache   *Cache
	bytes   int // of a stripe
	stripes [rowStripes]rowStripe
}

// Row is a record beside its key.
type Row struct {
	Seq    uint64
	Expiry int64
	Attr   uint8
	Value  []byte
}

// rowStripe is a ring of rows, oldest first out, but for those that were used:
// they go through once more. Positions count on for ever; what lies before tail is
// gone, so that nothing has to be taken out of the buckets.
//
//	ring     · · ·  tail [ row ][ row ] … [ row ] head  · · ·
//	row      hash 8 | table 8 | seq 8 | expiry 8 | value 4 | key 2 | attribute 1 | used 1 | key | value | pad
//	buckets  by hash, rowWays positions each
//	door     by hash, what was asked for once
type rowStripe struct {
	mu         sync.Mutex
	ring       []byte
	head, tail uint64
	buckets    [][rowWays]uint64 // position + 1; 0: none
	door       []uint16
}

const (
	rowStripes = 16
	rowWays    = 8 // a line of the processor's cache
	rowHeader  = 40
	rowUsual   = 64 // bytes, for the number of buckets: half full if rows are twice that

	// rowsShare is the part of the cache that rows take. Of keys asked for as they
	// are in practice, a few very often, the most frequent in a hundred get half
	// of all reads; keys asked for evenly gain nothing, and lose this.
	rowsShare = 16
	// leastStripe is how small a stripe may be, and rowPart the part of it that one
	// row may take.
	leastStripe = 4 << 10
	rowPart     = 8
	// rowChances bounds how many used rows one Put spares.
	rowChances = 4
)

// newRows returns rows for c, which has so much room, nil if that is too little.
func newRows(c *Cache, room int64) *Rows {
	n := room / rowsShare / rowStripes &^ 7
	if n < leastStripe {
		return nil
	}
	return &Rows{cache: c, bytes: int(min(n, 1<<30))}
}

func (x *Rows) stripe(hash uint64) *rowStripe { return &x.stripes[hash%rowStripes] }

// Get returns the row of key in table; its value is appended to dst. hash is the
// key's.
func (x *Rows) Get(dst []byte, table, hash uint64, key []byte) (r Row, ok bool) {
	s := x.stripe(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.find(table, hash, key)
	if at == nil {
		return r, false
	}
	le := binary.LittleEndian
	at[39] = 1
	r = Row{Seq: le.Uint64(at[16:]), Expiry: int64(le.Uint64(at[24:])), Attr: at[38]}
	r.Value = append(dst, at[rowHeader+len(key):][:le.Uint32(at[32:])]...)
	return r, true
}

// Put stores the row of key if it is not large and was offered before, not long
// ago. Everything is copied.
func (x *Rows) Put(table, hash uint64, key []byte, r Row) {
	size := (rowHeader + len(key) + len(r.Value) + 7) &^ 7
	if size > x.bytes/rowPart || len(key) >= 1<<16 {
		return
	}
	s := x.stripe(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring == nil {
		x.make(s)
	}
	if !s.knock(hash) || s.find(table, hash, key) != nil {
		return
	}
	le := binary.LittleEndian
	at := s.append(size)
	le.PutUint64(at, hash)
	le.PutUint64(at[8:], table)
	le.PutUint64(at[16:], r.Seq)
	le.PutUint64(at[24:], uint64(r.Expiry))
	le.PutUint32(at[32:], uint32(len(r.Value)))
	le.PutUint16(at[36:], uint16(len(key)))
	at[38], at[39] = r.Attr, 0
	copy(at[rowHeader+copy(at[rowHeader:], key):], r.Value)
	s.enter(hash, s.head-uint64(size))
}

// make takes the memory of s.
func (x *Rows) make(s *rowStripe) {
	n := 1
	for n*rowWays*rowUsual < x.bytes {
		n *= 2
	}
	s.ring, s.buckets, s.door = make([]byte, x.bytes), make([][rowWays]uint64, n), make([]uint16, rowWays*n)
	x.cache.reserveRows(int64(x.bytes + 8*rowWays*n + 2*rowWays*n))
}

// knock reports whether hash was the last to knock at its place of the door.
func (s *rowStripe) knock(hash uint64) bool {
	place := &s.door[hash>>8%uint64(len(s.door))]
	if mark := uint16(hash >> 48); *place != mark {
		*place = mark
		return false
	}
	return true
}

func (s *rowStripe) bucket(hash uint64) *[rowWays]uint64 {
	return &s.buckets[hash>>8%uint64(len(s.buckets))]
}

// find returns the ring from the row of key on, nil if there is none.
func (s *rowStripe) find(table, hash uint64, key []byte) []byte {
	if s.ring == nil {
		return nil
	}
	le := binary.LittleEndian
	for _, p := range s.bucket(hash) {
		if p <= s.tail {
			continue
		}
		at := s.at(p - 1)
		if le.Uint64(at) == hash && le.Uint64(at[8:]) == table && int(le.Uint16(at[36:])) == len(key) &&
			bytes.Equal(at[rowHeader:rowHeader+len(key)], key) {
			return at
		}
	}
	return nil
}

func (s *rowStripe) at(position uint64) []byte { return s.ring[position%uint64(len(s.ring)):] }

// enter notes in a bucket where the row of hash stands: in place of one that is
// gone, or of the oldest.
func (s *rowStripe) enter(hash, position uint64) {
	b := s.bucket(hash)
	oldest := 0
	for i, p := range b {
		if p < b[oldest] {
			oldest = i
		}
	}
	b[oldest] = position + 1
}

// gap returns how many bytes the next row of size bytes leaves unused, because it
// does not fit before the end of the ring.
func (s *rowStripe) gap(size int) uint64 {
	if left := len(s.ring) - int(s.head%uint64(len(s.ring))); left < size {
		return uint64(left)
	}
	return 0
}

// append takes room for a row of size bytes at the head. Rows at the tail make way;
// those that were used move to the head first.
func (s *rowStripe) append(size int) []byte {
	for chances := rowChances; !s.fits(size); {
		old := s.at(s.tail)
		n := rowSize(old)
		if n == 0 {
			s.tail += uint64(len(old)) // a gap
			continue
		}
		hash := binary.LittleEndian.Uint64(old)
		s.tail += uint64(n)
		if old[39] != 0 && chances > 0 && s.fits(n) {
			chances--
			at := s.advance(n)
			copy(at, old[:n])
			at[39] = 0
			s.enter(hash, s.head-uint64(n))
		}
	}
	return s.advance(size)
}

// fits reports whether a row of size bytes fits between head and tail.
func (s *rowStripe) fits(size int) bool {
	return s.head+s.gap(size)+uint64(size)-s.tail <= uint64(len(s.ring))
}

// advance moves the head over a gap, which it marks, and size bytes, which it
// returns.
func (s *rowStripe) advance(size int) []byte {
	if g := s.gap(size); g > 0 {
		clear(s.at(s.head)[:min(g, rowHeader)])
		s.head += g
	}
	at := s.at(s.head)[:size]
	s.head += uint64(size)
	return at
}

// rowSize returns the bytes of the row at the start of b, 0 if a gap is there.
func rowSize(b []byte) int {
	if len(b) < rowHeader || binary.LittleEndian.Uint64(b[8:]) == 0 {
		return 0
	}
	le := binary.LittleEndian
	return (rowHeader + int(le.Uint16(b[36:])) + int(le.Uint32(b[32:])) + 7) &^ 7
}
