package sstable

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone/internal/base"
)

// index finds the block of a key: one separator per data block, at or behind
// the block's last key and before the first key of the next block (equal to
// both if they are the same key). Data blocks stand without a gap from the start
// of the file, so that an end per block is a handle. It is immutable and safe
// for concurrent use.
//
//	+---------------------------------- header, 24 B ----------------------------------+
//	| blocks 4 | prefix length 4 | shortest tail 4 | rest bytes 4 | widths: tail       |
//	| length 1, rest offset 1 | zero 6                                                 |
//	+-----------------------------------------------------------------------------------+
//	| common prefix, padded to 8 | p8, 8 B each | end offset, 8 B each                  |
//	| largest sequence, 8 B each | records so far, 8 B each | rest offset               |
//	| tail length − shortest     | flags, 1 B each          | rest of separators | pad  |
//	+-----------------------------------------------------------------------------------+
type index struct {
	keys    keyColumns
	sample  []uint64 // every sampleEvery-th p8, if there are many: see takeSample
	ends    []uint64
	maxSeqs []uint64
	counts  []uint64 // records of the block and of those before it
	flags   []byte
	bytes   int64 // memory it takes
}

const (
	indexHeaderLen = 24
	indexEntryLen  = 4*8 + 1 // without the separator
)

var (
	errIndexHeader = errors.New("index header is malformed")
	errIndexSize   = errors.New("index is not as long as its columns")
	errIndexBlocks = errors.New("index entries do not divide the data blocks")
	errIndexCounts = errors.New("index counts records that there is no room for")
)

func (x *index) blocks() int { return x.keys.n }

// handle returns where block i stands in the file.
func (x *index) handle(i int) (offset, length int64) {
	if i > 0 {
		offset = int64(x.ends[i-1])
	}
	return offset, int64(x.ends[i]) - offset
}

func (x *index) blockFlags(i int) blockFlags { return blockFlags(x.flags[i]) }
func (x *index) maxSeq(i int) base.SeqNum    { return base.SeqNum(x.maxSeqs[i]) }
func (x *index) continues(i int) bool        { return x.blockFlags(i)&flagContinues != 0 }

// before returns how many records stand before block i.
func (x *index) before(i int) uint64 {
	if i == 0 {
		return 0
	}
	return x.counts[i-1]
}

// checkBlock tests that a data block is what the entry of block i says.
func (x *index) checkBlock(b *block, i int) error {
	if b.flags != x.blockFlags(i) {
		return fmt.Errorf("block has flags %#x, the index says %#x", b.flags, x.blockFlags(i))
	}
	if n := x.counts[i] - x.before(i); uint64(b.keys.n) != n {
		return fmt.Errorf("block has %d records, the index says %d", b.keys.n, n)
	}
	return nil
}

// records returns how many records there are.
func (x *index) records() uint64 { return x.before(x.blocks()) }

// blockOfRecord returns the block of a record, by its number, which the table has.
func (x *index) blockOfRecord(n uint64) int { return lowerBound(x.counts, n+1) }

// search returns the first block that may hold key or a larger one.
func (x *index) search(key []byte) (block int) {
	k := &x.keys
	i, p8, ok := k.aim(key)
	if ok {
		i = k.searchTies(x.lowerBound(p8), p8, key[k.prefixLen:])
	}
	return i
}

// sampleEvery is how many numbers stand between two of a sample: eight cache
// lines of them.
const sampleEvery = 64

// takeSample lets searches begin in a sample of p8 that stays in the first cache:
// the halving search of a large index waits for a line of it a dozen times.
func (x *index) takeSample() {
	if x.keys.n < 4*sampleEvery {
		return
	}
	for i := 0; i < x.keys.n; i += sampleEvery {
		x.sample = append(x.sample, x.keys.p8[i])
	}
}

// lowerBound returns the index of the first p8 at or above v, or their number.
func (x *index) lowerBound(v uint64) int {
	p8 := x.keys.p8
	if x.sample == nil {
		return lowerBound(p8, v)
	}
	to := lowerBound(x.sample, v) * sampleEvery
	from := max(0, to-sampleEvery)
	return from + lowerBound(p8[from:min(to, len(p8))], v)
}

// decodeIndex decodes the section of a file whose data blocks take dataEnd
// bytes. The index has memory of its own.
func decodeIndex(payload []byte, dataEnd int64) (*index, error) {
	if len(payload) < indexHeaderLen || uint64(len(payload)) >= 1<<31 {
		return nil, errIndexHeader
	}
	data := append([]byte(nil), payload...)
	le := binary.LittleEndian
	n, prefixLen, tailBase := uint64(le.Uint32(data)), uint64(le.Uint32(data[4:])), le.Uint32(data[8:])
	x := &index{bytes: int64(len(data)), keys: keyColumns{
		data: data, tailBase: int(tailBase), restLen: le.Uint32(data[12:]), tailWidth: data[16], restWidth: data[17],
	}}
	if n > uint64(len(data))/indexEntryLen || prefixLen > base.MaxRowKeyLen || tailBase > base.MaxRowKeyLen ||
		!widthsValid(data[16], data[17]) || le.Uint16(data[18:]) != 0 || le.Uint32(data[20:]) != 0 {
		return nil, errIndexHeader
	}
	if n == 0 {
		if dataEnd != 0 || len(data) != indexHeaderLen || string(data) != string(make([]byte, indexHeaderLen)) {
			return nil, errIndexBlocks
		}
		return x, nil
	}
	k := &x.keys
	k.n, k.prefixLen = int(n), int(prefixLen)
	at := uint64(indexHeaderLen)
	take := func(bytes uint64) uint64 { at += bytes; return at - bytes }
	k.prefixOff = uint32(take(padded(prefixLen)))
	numbers := take(32 * n)
	k.restOffOff = uint32(take(uint64(k.restWidth) * n))
	k.tailOff = uint32(take(uint64(k.tailWidth) * n))
	flags := take(n)
	k.restOff = uint32(take(uint64(k.restLen)))
	if padded(at) != uint64(len(data)) {
		return nil, errIndexSize
	}
	k.p8 = uint64s(data[numbers:][:8*n])
	x.ends = uint64s(data[numbers+8*n:][:8*n])
	x.maxSeqs = uint64s(data[numbers+16*n:][:8*n])
	x.counts = uint64s(data[numbers+24*n:][:8*n])
	x.flags = data[flags:][:n]
	if err := k.check(); err != nil {
		return nil, err
	}
	x.takeSample()
	return x, x.check(uint64(dataEnd))
}

// check tests that the blocks fill the data area exactly, and that each has a record
// and no more than it has room for.
func (x *index) check(dataEnd uint64) error {
	last, before := uint64(0), uint64(0)
	for i, end := range x.ends {
		if end < last+blockHeaderLen+checksumLen || end > dataEnd || end%alignment != 0 || x.maxSeq(i) > base.SeqMax {
			return errIndexBlocks
		}
		if x.counts[i] <= before || x.counts[i]-before > (end-last)/8 {
			return errIndexCounts
		}
		last, before = end, x.counts[i]
	}
	if last != dataEnd || x.continues(len(x.ends)-1) {
		return errIndexBlocks
	}
	return nil
}

// indexWriter gathers the entries of an index. It is not safe for concurrent
// use.
type indexWriter struct {
	keys    []byte
	keyEnds []uint32
	ends    []uint64
	maxSeqs []uint64
	counts  []uint64
	flags   []byte
}

func (w *indexWriter) reset() {
	*w = indexWriter{w.keys[:0], w.keyEnds[:0], w.ends[:0], w.maxSeqs[:0], w.counts[:0], w.flags[:0]}
}

// add appends the entry of a block of so many records that ends at offset end, with
// last key last; next is the first key of the block behind it, nil if there is none.
func (w *indexWriter) add(last, next []byte, end int64, records int, maxSeq base.SeqNum, flags blockFlags) {
	before := uint64(0)
	if n := len(w.counts); n > 0 {
		before = w.counts[n-1]
	}
	w.counts = append(w.counts, before+uint64(records))
	if flags&flagAlone != 0 {
		next = nil // the separator tells the record's key
	}
	w.keys = appendSeparator(w.keys, last, next)
	w.keyEnds = append(w.keyEnds, uint32(len(w.keys)))
	w.ends = append(w.ends, uint64(end))
	w.maxSeqs = append(w.maxSeqs, uint64(maxSeq))
	w.flags = append(w.flags, byte(flags))
}

// size returns about what the index takes so far.
func (w *indexWriter) size() int { return indexHeaderLen + len(w.keys) + 40*len(w.ends) }

// appendSeparator appends the shortest key that is at or behind last and, if
// next is another key, before it.
func appendSeparator(dst, last, next []byte) []byte {
	if next == nil {
		return append(dst, last...)
	}
	if n := base.CommonPrefix(last, next) + 1; n < len(next) && n < len(last) {
		return append(dst, next[:n]...)
	}
	return append(dst, last...)
}

// appendTo appends the section without padding and checksum.
func (w *indexWriter) appendTo(dst []byte) []byte {
	start := len(dst)
	le := binary.LittleEndian
	if len(w.ends) == 0 {
		return append(dst, make([]byte, indexHeaderLen)...)
	}
	s := shapeOf(w.keys, w.keyEnds)
	dst = le.AppendUint32(dst, uint32(s.n))
	dst = le.AppendUint32(dst, uint32(s.prefixLen))
	dst = le.AppendUint32(dst, uint32(s.tailBase))
	dst = le.AppendUint32(dst, uint32(s.restLen))
	dst = append(dst, s.tailWidth, s.restWidth, 0, 0, 0, 0, 0, 0)
	dst = pad(append(dst, w.keys[:s.prefixLen]...), start)
	dst = s.appendP8(dst, w.keys, w.keyEnds)
	for _, column := range [][]uint64{w.ends, w.maxSeqs, w.counts} {
		for _, v := range column {
			dst = le.AppendUint64(dst, v)
		}
	}
	dst = s.appendLengths(dst, w.keyEnds)
	dst = append(dst, w.flags...)
	return s.appendRest(dst, w.keys, w.keyEnds)
}
