package sstable

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
)

// block is a data block as it is held in memory: the columns of its keys where
// they came from disk, the values decompressed behind them. It is immutable and
// safe for concurrent use.
type block struct {
	cache.Entry // must stay first: see blockOf
	columns

	mem []byte // what the block lies in, if that may be used again: see Reader.fetch
}

// columns are what is in a block. Offsets point into keys.data.
type columns struct {
	keys keyColumns

	values      []byte // nil if the values are packed, or were left on disk: see keysAlone
	tagOff      uint32
	expiryOff   uint32
	seqOff      uint32
	valueOffOff uint32
	attrOff     uint32
	valueLen    uint32 // of every value, if valueWidth is 0
	seqBase     base.SeqNum
	seqWidth    uint8
	valueWidth  uint8
	attrWidth   uint8
	attr        base.Attr // of every record, if attrWidth is 0
	flags       blockFlags

	compression Compression
	packed      []byte // the values as stored, if they are compressed and not unpacked
	pages       pages  // of the stored values, if they have any
	rawValues   uint32 // bytes of the values when unpacked
}

// blockFlags say what is in a block without reading it. On disk, frozen.
type blockFlags uint8

const (
	flagExpiry    blockFlags = 1 << 0 // a record expires
	flagTombstone blockFlags = 1 << 1 // a record is a tombstone
	flagMetadata  blockFlags = 1 << 2 // a record is a collection's metadata
	flagVersions  blockFlags = 1 << 3 // two records have one key, here or across the end of the block
	flagContinues blockFlags = 1 << 4 // the next block begins with the last key of this one
	flagPacked    blockFlags = 1 << 5 // values are compressed
	flagPaged     blockFlags = 1 << 6 // values stand in pages
	flagAlone     blockFlags = 1 << 7 // one large record: see head.go

	flagsNotPlain = flagExpiry | flagTombstone | flagVersions
)

// What compression decides stands in the header at these offsets.
const (
	storedOff      = 28
	compressionOff = 32
	flagsOff       = 33
	blockHeaderLen = 40
)

var (
	errBlockHeader = errors.New("data block header is malformed")
	errBlockSize   = errors.New("data block is shorter than its columns")
	errBlockValues = errors.New("value offsets leave the block")
	errBlockRecord = errors.New("record has an attribute, sequence or expiry out of bounds")
)

// decodeBlock decodes payload, a data block without its checksum, into b, which
// keeps pointing into it. Packed values stay packed. After it no access to b can
// leave payload, whatever its bytes.
func decodeBlock(b *block, payload []byte) error {
	end, stored, err := decodeHeader(b, payload)
	if err != nil {
		return err
	}
	if end > uint64(len(payload)) || padded(end+stored) != uint64(len(payload)) || end+uint64(b.rawValues) >= 1<<31 {
		return errBlockSize
	}
	if err := b.decodeKeys(); err != nil {
		return err
	}
	area := payload[end : end+stored]
	if b.flags&flagAlone != 0 {
		if len(area) < checksumLen {
			return errBlockValues
		}
		area = area[checksumLen:] // that of the head, which decodeHead asks for
	}
	if err := b.placeValues(area, uint64(b.keys.n)); err != nil {
		return err
	}
	return b.checkRecords()
}

// decodeHeader decodes the header of payload, which may lack the values, into b. It
// returns where the columns end, possibly behind the payload's end, and how many
// bytes of values are stored behind them.
func decodeHeader(b *block, payload []byte) (end, stored uint64, err error) {
	if len(payload) < blockHeaderLen || uint64(len(payload)) >= 1<<31 {
		return 0, 0, errBlockHeader
	}
	le := binary.LittleEndian
	n, prefixLen := uint64(le.Uint32(payload)), uint64(le.Uint32(payload[4:]))
	b.columns = columns{keys: keyColumns{
		data:      payload,
		tailBase:  int(le.Uint32(payload[8:])),
		restLen:   le.Uint32(payload[12:]),
		tailWidth: payload[35], restWidth: payload[36],
	}}
	b.seqBase = base.SeqNum(le.Uint64(payload[16:]))
	b.rawValues = le.Uint32(payload[24:])
	stored = uint64(le.Uint32(payload[28:]))
	b.compression, b.flags, b.attr = Compression(payload[32]), blockFlags(payload[33]), base.Attr(payload[34])
	b.seqWidth, b.valueWidth, b.attrWidth = payload[37], payload[38], payload[39]
	if n == 0 || n > uint64(len(payload))/8 || prefixLen > base.MaxRowKeyLen || le.Uint32(payload[8:]) > base.MaxRowKeyLen ||
		!widthsValid(payload[35], payload[36]) || !b.widthsValid() || !b.compression.known() ||
		(b.compression != NoCompression) != (b.flags&flagPacked != 0) ||
		b.flags&flagAlone != 0 && (n != 1 || b.flags&flagPaged != 0) {
		return 0, 0, errBlockHeader
	}
	b.keys.n, b.keys.prefixLen = int(n), int(prefixLen)
	return b.place(n, prefixLen), stored, nil
}

// decodeKeys points at the keys' columns, which lie within the block.
func (b *block) decodeKeys() error {
	n := uint64(b.keys.n)
	b.keys.p8 = uint64s(b.keys.data[uint64(b.tagOff)+padded(n):][:8*n])
	return b.keys.check()
}

func (b *block) widthsValid() bool {
	seq := b.seqWidth == 0 || b.seqWidth == 1 || b.seqWidth == 2 || b.seqWidth == 4 || b.seqWidth == 8
	return seq && (b.valueWidth == 0 || b.valueWidth == 2 || b.valueWidth == 4) && b.attrWidth <= 1
}

// place computes where each column starts and returns where the last one ends,
// possibly behind the end of the block; then the offsets mean nothing. n and
// prefixLen are bounded, so no sum overflows.
func (b *block) place(n, prefixLen uint64) uint64 {
	at := uint64(blockHeaderLen)
	take := func(bytes uint64) uint32 {
		start := at
		at += bytes
		return uint32(start)
	}
	k := &b.keys
	k.prefixOff = take(padded(prefixLen))
	b.tagOff = take(padded(n))
	take(8 * n)
	if b.flags&flagExpiry != 0 {
		b.expiryOff = take(8 * n)
	}
	b.seqOff = take(uint64(b.seqWidth) * n)
	if b.valueWidth > 0 {
		b.valueOffOff = take(uint64(b.valueWidth) * (n + 1))
	}
	k.restOffOff = take(uint64(k.restWidth) * n)
	k.tailOff = take(uint64(k.tailWidth) * n)
	b.attrOff = take(uint64(b.attrWidth) * n)
	k.restOff = take(uint64(k.restLen))
	return at
}

// placeValues checks the value offsets against the values' size, and points at
// the values, which are stored in area.
func (b *block) placeValues(area []byte, n uint64) error {
	if b.valueWidth == 0 {
		if uint64(b.rawValues)%n != 0 {
			return errBlockValues
		}
		b.valueLen = b.rawValues / uint32(n)
	} else {
		last := uint32(0)
		for i := range int(n) + 1 {
			off := column(b.keys.data, b.valueOffOff, b.valueWidth, i)
			if off < last || i == 0 && off != 0 {
				return errBlockValues
			}
			last = off
		}
		if last != b.rawValues {
			return errBlockValues
		}
	}
	if b.flags&flagPaged != 0 {
		var err error
		if b.pages, area, err = decodePages(area, b.rawValues, b.compression != NoCompression); err != nil {
			return err
		}
	}
	if b.compression == NoCompression {
		if uint64(b.rawValues) != uint64(len(area)) {
			return errBlockValues
		}
		b.values, b.packed = area, nil
		return nil
	}
	if !mayUnpack(uint64(b.rawValues), uint64(len(area))) {
		return errBlockValues
	}
	b.values, b.packed = nil, area
	return nil
}

// checkRecords checks what the records say beside keys and values.
func (b *block) checkRecords() error {
	if b.seqWidth == 0 && b.attrWidth == 0 && b.flags&flagExpiry == 0 {
		if !pointAttr(b.attr) || b.attr.HasExpiry() || b.seqBase > base.SeqMax {
			return errBlockRecord
		}
		return nil
	}
	for i := range b.keys.n {
		t := b.trailer(i)
		if !pointAttr(t.Attr) || t.Seq < b.seqBase || t.Seq > base.SeqMax || t.Expiry < 0 || (t.Expiry != 0) != t.Attr.HasExpiry() {
			return errBlockRecord
		}
	}
	return nil
}

// pointAttr reports whether a may stand in a data block.
func pointAttr(a base.Attr) bool { return a.Valid() && a.Kind() != base.KindRangeDelete }

func (b *block) seq(i int) base.SeqNum {
	d := b.keys.data
	switch b.seqWidth {
	case 0:
		return b.seqBase
	case 8:
		return b.seqBase + base.SeqNum(binary.LittleEndian.Uint64(d[int(b.seqOff)+8*i:]))
	}
	return b.seqBase + base.SeqNum(column(d, b.seqOff, b.seqWidth, i))
}

func (b *block) trailer(i int) (t base.Trailer) {
	t.Seq, t.Attr = b.seq(i), b.attr
	if b.attrWidth != 0 {
		t.Attr = base.Attr(b.keys.data[int(b.attrOff)+i])
	}
	if b.flags&flagExpiry != 0 {
		t.Expiry = int64(binary.LittleEndian.Uint64(b.keys.data[int(b.expiryOff)+8*i:]))
	}
	return t
}

// value returns the value of record i; it points into the block.
func (b *block) value(i int) []byte {
	from, to := b.valueAt(i)
	return b.values[from:to:to]
}

// valueAt returns where the value of record i is among the values.
func (b *block) valueAt(i int) (from, to int) {
	d := b.keys.data
	switch b.valueWidth {
	case 0:
		from = i * int(b.valueLen)
		to = from + int(b.valueLen)
	case 2:
		o := int(b.valueOffOff) + 2*i
		from, to = int(binary.LittleEndian.Uint16(d[o:])), int(binary.LittleEndian.Uint16(d[o+2:]))
	default:
		o := int(b.valueOffOff) + 4*i
		from, to = int(binary.LittleEndian.Uint32(d[o:])), int(binary.LittleEndian.Uint32(d[o+4:]))
	}
	return from, to
}

// keysLen returns the bytes of the block before its values.
func (b *block) keysLen() int { return int(b.keys.restOff + b.keys.restLen) }

const (
	everyByte    = 0x0101010101010101
	everyHighBit = 0x8080808080808080
)

// find returns the first record of key, which is its newest here, or −1. hash is
// that of key. It compares eight tags at once; a tag that matches by chance
// (one record in 256) is told apart by the key.
func (b *block) find(key []byte, hash uint64) int {
	k := &b.keys
	if len(key) < k.prefixLen {
		return -1
	}
	x := base.Prefix8(key, k.prefixLen)
	want := hash >> 56 * everyByte
	tags := k.data[b.tagOff : int(b.tagOff)+(k.n+7)&^7]
	for at := 0; at+8 <= len(tags); at += 8 {
		w := binary.LittleEndian.Uint64(tags[at:]) ^ want
		for m := (w - everyByte) &^ w & everyHighBit; m != 0; m &= m - 1 {
			if i := at + bits.TrailingZeros64(m)>>3; i < k.n && k.equal(i, key, x) {
				return i
			}
		}
	}
	return -1
}

// newest returns the first record from i on that has i's key and is not newer
// than seq; ok is false if the block has none.
func (b *block) newest(i int, seq base.SeqNum) (at int, ok bool) {
	for at = i; at < b.keys.n; at++ {
		if at > i && !b.keys.same(at, i) {
			return at, false
		}
		if b.seq(at) <= seq {
			return at, true
		}
	}
	return at, false
}

// seekGE returns the first record at or after (key, seq) in internal order, or
// the number of records. keysOnly says that its value is not going to be read.
func (b *block) seekGE(key []byte, seq base.SeqNum, keysOnly bool) int {
	k := &b.keys
	i, x, ok := k.aim(key)
	if !ok {
		return i
	}
	i = lowerBound(k.p8, x)
	b.askRecord(i, keysOnly)
	i = k.searchTies(i, x, key[k.prefixLen:])
	if seq == base.SeqMax || i == k.n || !k.equal(i, key, x) {
		return i
	}
	at, _ := b.newest(i, seq)
	return at
}

// unpackedLen returns the length of the block with its values unpacked.
func (b *block) unpackedLen() int { return b.keysLen() + int(b.rawValues) }

// unpackInto makes dst a copy of b with its values decompressed, in buf if that
// is large enough, and returns the buffer. b is left as it is.
func (b *block) unpackInto(dst *block, buf []byte, u *unpacker) ([]byte, error) {
	keysLen := b.keysLen()
	need := b.unpackedLen()
	if cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:need]
	copy(buf, b.keys.data[:keysLen])
	values, err := buf[keysLen:need:need], error(nil)
	if b.flags&flagPaged != 0 {
		err = b.pages.unpack(values, b.packed, b.compression, u)
	} else {
		err = u.unpack(values, b.packed, b.compression)
	}
	if err != nil {
		return buf, err
	}
	dst.moveTo(b, buf)
	dst.values = values
	return buf, nil
}

// moveTo makes dst b with its keys in data, where they have been copied to, and
// without values.
func (dst *block) moveTo(b *block, data []byte) {
	dst.columns = b.columns
	dst.keys.data, dst.values, dst.packed, dst.pages = data, nil, nil, pages{}
	from := uint64(b.tagOff) + padded(uint64(b.keys.n))
	dst.keys.p8 = uint64s(data[from : from+8*uint64(b.keys.n)])
}

// keysAlone returns a copy of b, whose values stand in pages, that has the pages'
// directory and no values, and the bytes it takes.
func (b *block) keysAlone() (_ *block, bytes int64) {
	n := b.keysLen()
	data := append(append(spareKeys.buffer(n + len(b.pages.directory))[:0], b.keys.data[:n]...), b.pages.directory...)
	alone := &block{mem: data}
	alone.moveTo(b, data[:n:n])
	alone.pages.directory = data[n:]
	return alone, blockSize + int64(cap(data))
}
