package sstable

import (
	"bytes"
	"encoding/binary"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// IterOptions configure an Iter.
type IterOptions struct {
	// KeysOnly leaves Entry.Value nil and never decompresses values.
	KeysOnly bool
	// Cold is for reading a table once from end to end, as a compaction does: it
	// reads far ahead, uses blocks that are cached but adds none, and keeps one
	// block in memory of its own, which the next one overwrites.
	Cold bool
	// Lower and Upper are the keys that are asked for, [Lower, Upper); nil is open.
	// Blocks without any of them are not read, as far as the index tells. Keys
	// outside may be met all the same.
	Lower, Upper []byte
}

// Iter walks the records of a table in internal order, forward and backward at
// the same cost. It reads nothing before it is positioned. It fulfils
// iterator.Iterator: an entry and its slices are borrowed until the next move
// and never fault afterwards. Moves within a block and onto cached blocks
// allocate nothing. It is not safe for concurrent use and must not be copied.
type Iter struct {
	r   *Reader
	o   IterOptions
	err error

	block  *block // nil: stands on no entry
	leased bool   // to this iterator
	number int    // of block
	pos, n int    // record, and how many the block has
	flat   bool   // keys have one length, records one attribute and no expiry
	rest   int    // bytes of each key behind p8, if flat
	tail   []byte // where p8 goes in key, with what is behind it
	key    []byte // the block's prefix, then the current key's tail
	entry  iterator.Entry

	aimed int  // the first block that may have the key of the next seek, +1; 0: not known
	back  bool // that is SeekLT
	lines lines
	pace
	own         block
	ownBuf      []byte // behind own, if its values were compressed
	first, last []byte // of Block
	bounded     bool   // they are those of block
	hits        int    // in the cache, not counted there yet
}

// NewIter returns an Iter over r. The Reader must stay open while it is used.
func (r *Reader) NewIter(o IterOptions) *Iter {
	it := new(Iter)
	it.Init(r, o)
	return it
}

// Init makes it an unpositioned Iter over r and keeps its buffers.
func (it *Iter) Init(r *Reader, o IterOptions) {
	it.drop()
	it.endLong()
	it.takeBack()
	it.r, it.o, it.err, it.aimed, it.goesOn = r, o, nil, 0, false
	it.window.forget()
}

// Continue is Init for a walk that goes on in a table beside the one it was in: First and
// Last read on as far ahead as the walk did there.
func (it *Iter) Continue(r *Reader, o IterOptions) {
	it.Init(r, o)
	it.goesOn = true
}

// Err returns the error that made a move return nil, if one did.
func (it *Iter) Err() error { return it.err }

// Close forgets the table and keeps the buffers for another Init.
func (it *Iter) Close() error {
	it.drop()
	it.endLong()
	it.takeBack()
	it.window.forget()
	if it.own.keys.data != nil {
		it.own.columns = columns{} // it points into what was just let go
	}
	it.r, it.o = nil, IterOptions{}
	return it.err
}

// First moves to the first record.
func (it *Iter) First() *iterator.Entry {
	if !it.enterTable(0, false) {
		return nil
	}
	return it.at(0)
}

// Last moves to the last record below IterOptions.Upper.
func (it *Iter) Last() *iterator.Entry {
	switch {
	case it.r == nil:
		return nil
	case it.o.Upper != nil:
		it.aimed = 0
		return it.SeekLT(it.o.Upper)
	}
	return it.seekLast(it.r.index.blocks() - 1)
}

// Aim implements iterator.Aimer.
func (it *Iter) Aim(key []byte, backward bool) (reads bool) {
	if it.r == nil {
		return false
	}
	if backward {
		key = it.belowUpper(key)
	}
	it.aimed, it.back = it.r.index.search(key)+1, backward
	i := it.target()
	return !it.r.ask(i) && it.r.hints != nil && i >= 0 && i < it.r.index.blocks()
}

// Begin implements iterator.Aimer.
func (it *Iter) Begin() {
	i := it.target()
	if it.r == nil || i < 0 || i >= it.r.index.blocks() {
		return
	}
	alone := it.o.KeysOnly && it.r.index.alone(i) // of which the head is read
	if !alone && !it.window.holds(it.r.index.handle(i)) && !it.r.outside(&bounds{it.o.Lower, it.o.Upper}, i, it.back) {
		it.r.willRead(i, i)
	}
}

// target returns the block that the seek reads first for which the iterator was aimed.
func (it *Iter) target() int {
	i := it.aimed - 1
	if it.back && (i == it.r.index.blocks() || it.r.index.alone(i)) {
		return i - 1 // a separator that is a record's key: not below the key
	}
	return i
}

// belowUpper returns the lower of key and IterOptions.Upper.
func (it *Iter) belowUpper(key []byte) []byte {
	if it.o.Upper != nil && bytes.Compare(key, it.o.Upper) > 0 {
		return it.o.Upper
	}
	return key
}

// SeekGE moves to the first record at or after (key, seq) in internal order.
func (it *Iter) SeekGE(key []byte, seq base.SeqNum) *iterator.Entry {
	if it.r == nil {
		return nil
	}
	if it.aimed == 0 || it.back {
		it.Aim(key, false)
	}
	if !it.seek(it.aimed - 1) {
		return nil
	}
	for {
		if i := it.block.seekGE(key, seq, it.o.KeysOnly); i < it.n {
			return it.at(i)
		}
		if !it.step(it.number+1, false) {
			return nil
		}
	}
}

// SeekLT moves to the last record whose key is below key and IterOptions.Upper.
func (it *Iter) SeekLT(key []byte) *iterator.Entry {
	if it.r == nil {
		return nil
	}
	if key = it.belowUpper(key); it.aimed == 0 || !it.back {
		it.Aim(key, true)
	}
	number := it.target()
	if number < it.aimed-1 {
		return it.seekLast(number)
	}
	if !it.seek(number) {
		return nil
	}
	if i := it.block.keys.search(key); i > 0 {
		it.lines.rest()
		return it.at(i - 1)
	}
	if !it.step(number-1, true) {
		return nil
	}
	return it.atLast()
}

// seekLast moves to the last record of block number, from where a walk goes back.
func (it *Iter) seekLast(number int) *iterator.Entry {
	if !it.enterTable(number, true) {
		return nil
	}
	return it.atLast()
}

// Next moves to the next record.
func (it *Iter) Next() *iterator.Entry {
	if i := it.pos + 1; i < it.n {
		if i >= it.lines.due {
			it.ask(i)
		}
		return it.at(i)
	}
	if it.block == nil || !it.step(it.number+1, false) {
		return nil
	}
	return it.at(0)
}

// Prev moves to the record before.
func (it *Iter) Prev() *iterator.Entry {
	if i := it.pos - 1; i >= 0 && i < it.n {
		return it.at(i)
	}
	if it.block == nil || !it.step(it.number-1, true) {
		return nil
	}
	return it.atLast()
}

// Flat reports whether within the block the iterator stands in all keys have one
// length and all trailers differ by the sequence alone: then Stride may take the
// place of Next and Prev.
func (it *Iter) Flat() bool { return it.flat && it.block != nil }

// Stride moves by one record, d is 1 or −1, to one of the same flat block, of
// which the caller has counted the records. It rewrites the entry's key in place
// and returns the value; the entry's sequence stays behind: ask Seq.
func (it *Iter) Stride(d int) []byte {
	b, i := it.block, it.pos+d
	it.pos = i
	binary.BigEndian.PutUint64(it.tail, b.keys.p8[i])
	if it.rest > 0 {
		b.keys.copyRest(it.tail[8:], i, it.rest)
	}
	if !it.o.KeysOnly {
		it.entry.Value = b.value(i)
	}
	if i >= it.lines.due {
		it.ask(i)
	}
	return it.entry.Value
}

// Seq returns the sequence of the record the iterator stands on.
func (it *Iter) Seq() base.SeqNum { return it.block.seq(it.pos) }

// Block describes the block the iterator stands in. Its keys are borrowed until
// the iterator stands in another block. It costs the assembly of two keys, once a
// block.
func (it *Iter) Block() (run iterator.Block, ok bool) {
	if it.block == nil {
		return run, false
	}
	if !it.bounded {
		it.first = it.block.keys.appendKey(it.first[:0], 0)
		it.last = it.block.keys.appendKey(it.last[:0], it.n-1)
		it.bounded = true
	}
	return iterator.Block{
		First: it.first, Last: it.last,
		MaxSeq: it.r.index.maxSeq(it.number),
		Plain:  it.block.flags&flagsNotPlain == 0,
		After:  it.n - 1 - it.pos,
		Before: it.pos,
	}, true
}

// Within returns how many moves in one direction lead to records of the block below bound,
// or backward to those at or above it.
func (it *Iter) Within(bound []byte, backward bool) int {
	i := it.block.keys.search(bound)
	if backward {
		return it.pos - i
	}
	return i - 1 - it.pos
}

// at moves to record i of the block.
func (it *Iter) at(i int) *iterator.Entry {
	b := it.block
	it.pos = i
	binary.BigEndian.PutUint64(it.tail, b.keys.p8[i])
	if it.flat {
		if it.rest > 0 {
			b.keys.copyRest(it.tail[8:], i, it.rest)
		}
		it.entry.Seq = b.seq(i)
	} else {
		tail := b.keys.tailLen(i)
		it.entry.Key = it.key[:b.keys.prefixLen+tail]
		if tail > 8 {
			copy(it.entry.Key[b.keys.prefixLen+8:], b.keys.rest(i, tail))
		}
		it.entry.Trailer = b.trailer(i)
	}
	if !it.o.KeysOnly {
		it.entry.Value = b.value(i)
	}
	return &it.entry
}

// atLast moves to the last record of the block, from where a walk goes back.
func (it *Iter) atLast() *iterator.Entry {
	it.lines.rest()
	return it.at(it.n - 1)
}

// enter makes b, which has the given number, the block the iterator stands in.
func (it *Iter) enter(b *block, number int) {
	if it.block != b {
		it.leave()
	}
	k := &b.keys
	it.block, it.number, it.n, it.bounded = b, number, k.n, false
	it.lines.enter(b == &it.own)
	if need := max(k.longest, k.prefixLen+8) + 8; cap(it.key) < need {
		it.key = make([]byte, 0, 2*need)
	}
	it.key = append(it.key[:0], k.prefix()...)
	it.tail = it.key[k.prefixLen:cap(it.key)]
	it.flat = k.tailWidth == 0 && b.attrWidth == 0 && b.flags&flagExpiry == 0
	it.entry.Value, it.entry.Lasting = nil, b != &it.own && !it.leased
	if it.flat {
		it.rest = max(0, k.tailBase-8)
		it.entry.Key = it.key[:k.prefixLen+k.tailBase]
		it.entry.Trailer = b.trailer(0)
	}
}

// leave lets go of the block. The memory of one that it leased is used again, if
// nobody else has found it by the time it is evicted.
func (it *Iter) leave() {
	if it.leased {
		it.block.EndLease()
		it.leased = false
	}
	it.block = nil
}

// drop makes the iterator stand on no entry and lets go of the block.
func (it *Iter) drop() {
	it.leave()
	it.n, it.pos = 0, 0
	it.entry = iterator.Entry{}
	if cap(it.ownBuf) > keepBuffer {
		it.ownBuf = nil
	}
}

func (it *Iter) fail(err error) bool {
	it.err = err
	it.drop()
	return false
}
