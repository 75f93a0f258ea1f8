package sstable

import (
	"encoding/binary"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
)

// blockWriter gathers the records of one data block and encodes them:
//
//	+--------------------------------- header, 40 B ----------------------------------+
//	| records 4 | prefix length 4 | shortest tail 4 | rest bytes 4 | smallest seq 8   |
//	| value bytes 4 | stored value bytes 4 | compression 1 | flags 1 | attribute 1     |
//	| widths: tail length 1 | rest offset 1 | sequence 1 | value offset 1 | attribute 1|
//	+---------------------------------------------------------------------------------+
//	| common prefix, padded to 8        | tag, 1 B each, padded to 8 | p8, 8 B each   |
//	| expiry, 8 B each, if any          | sequence − smallest        | value offset+1 |
//	| rest offset | tail length − shortest | attribute | rest of keys | values | pad   |
//	+---------------------------------------------------------------------------------+
//
// A column whose entries are all equal has width 0 and no bytes. The tag is the
// top byte of the key's hash. It is not safe for concurrent use.
type blockWriter struct {
	keys      []byte
	keyEnds   []uint32
	tags      []byte
	seqs      []base.SeqNum
	attrs     []base.Attr
	expiries  []int64
	values    []byte
	lent      []byte // the only record's value instead, not copied
	valueEnds []uint32

	flags          blockFlags
	head           int // its bytes, if the block is one large record
	minSeq, maxSeq base.SeqNum
	attrsDiffer    bool
	valuesDiffer   bool
}

// keepBuffer is the largest buffer that is kept for the next block.
const keepBuffer = 4 << 20

// apartFrom is the size from which a value is given to the sink by itself,
// instead of being copied behind the others for one write. Below it copying is
// cheaper than another system call.
const apartFrom = 64 << 10

func (w *blockWriter) reset() {
	if cap(w.values) > keepBuffer {
		w.values = nil
	}
	if cap(w.keys) > keepBuffer {
		w.keys = nil
	}
	*w = blockWriter{
		keys: w.keys[:0], keyEnds: w.keyEnds[:0], tags: w.tags[:0], seqs: w.seqs[:0], attrs: w.attrs[:0],
		expiries: w.expiries[:0], values: w.values[:0], valueEnds: w.valueEnds[:0],
	}
}

func (w *blockWriter) len() int { return len(w.keyEnds) }

// size returns the bytes of keys and values so far.
func (w *blockWriter) size() int { return len(w.keys) + len(w.values) + len(w.lent) }

func (w *blockWriter) lastKey() []byte { return keyAt(w.keys, w.keyEnds, len(w.keyEnds)-1) }

// add appends a record, which is behind the last one in internal order. With
// alone it stays the only one, and its value is not copied: it must not change
// before finish.
func (w *blockWriter) add(e *iterator.Entry, value []byte, hash uint64, again, alone bool) {
	first := len(w.keyEnds) == 0
	if first {
		w.minSeq, w.maxSeq = e.Seq, e.Seq
	} else {
		w.minSeq, w.maxSeq = min(w.minSeq, e.Seq), max(w.maxSeq, e.Seq)
		w.attrsDiffer = w.attrsDiffer || e.Attr != w.attrs[0]
		w.valuesDiffer = w.valuesDiffer || len(value) != int(w.valueEnds[0])
	}
	if again {
		w.flags |= flagVersions
	}
	w.flags |= recordFlags(e.Attr)
	w.keys = append(w.keys, e.Key...)
	w.keyEnds = append(w.keyEnds, uint32(len(w.keys)))
	if alone {
		w.lent = value
	} else {
		w.values = append(w.values, value...)
	}
	w.valueEnds = append(w.valueEnds, uint32(len(w.values)+len(w.lent)))
	w.tags = append(w.tags, byte(hash>>56))
	w.seqs = append(w.seqs, e.Seq)
	w.attrs = append(w.attrs, e.Attr)
	w.expiries = append(w.expiries, e.Expiry)
}

// finish appends the encoded block to dst, without padding and checksum. Values
// that are stored as they are and large enough to be written by themselves are
// not appended: they are apart, and the block's bytes go on with them.
func (w *blockWriter) finish(dst []byte, p *packer) (out, apart []byte, err error) {
	start := len(dst)
	values := w.values
	if w.lent != nil {
		values = w.lent
	}
	dst = w.appendColumns(dst, len(values))
	columnsEnd := len(dst)
	if w.len() == 1 && w.size() >= aloneFrom {
		w.flags |= flagAlone
		w.head = columnsEnd - start
		dst = append(dst, make([]byte, checksumLen)...) // whose place the Writer fills in
	}
	paged := w.pages(p)
	compression := NoCompression
	if paged {
		w.flags |= flagPaged
		dst, compression, err = p.packPages(dst, values, p.pageEnds)
	} else {
		dst, compression, err = p.pack(dst, values)
	}
	if compression != NoCompression {
		w.flags |= flagPacked
	}
	switch {
	case err != nil:
		return dst, nil, err
	case paged || compression != NoCompression:
	case len(w.lent) >= apartFrom:
		apart = w.lent
	default:
		dst = append(dst, values...)
	}
	le := binary.LittleEndian
	le.PutUint32(dst[start+storedOff:], uint32(len(dst)-columnsEnd+len(apart)))
	dst[start+compressionOff], dst[start+flagsOff] = byte(compression), byte(w.flags)
	return dst, apart, nil
}

// pages reports whether the values are to be stored in pages, and cuts them. They
// are in tables that are read for long, which are those with compressed values.
// Who asks for Zstandard asks for little space: small pages would cost too much.
func (w *blockWriter) pages(p *packer) bool {
	if p.kind != S2 || w.lent != nil || len(w.values) < pagedShare*len(w.keys) {
		return false
	}
	p.pageEnds = cutPages(p.pageEnds[:0], w.valueEnds, p.pageSize)
	return len(p.pageEnds) > 0
}

// appendColumns appends all that stands before the values, of which there are so
// many bytes. finish fills in what their compression decides.
func (w *blockWriter) appendColumns(dst []byte, values int) []byte {
	start := len(dst)
	shape := shapeOf(w.keys, w.keyEnds)
	seqWidth := columnWidth(uint64(w.maxSeq - w.minSeq))
	var valueWidth, attrWidth uint8
	if w.valuesDiffer {
		valueWidth = max(2, columnWidth(uint64(values)))
	}
	attr := w.attrs[0]
	if w.attrsDiffer {
		attrWidth, attr = 1, 0
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(shape.n))
	dst = le.AppendUint32(dst, uint32(shape.prefixLen))
	dst = le.AppendUint32(dst, uint32(shape.tailBase))
	dst = le.AppendUint32(dst, uint32(shape.restLen))
	dst = le.AppendUint64(dst, uint64(w.minSeq))
	dst = le.AppendUint32(dst, uint32(values))
	dst = append(dst, 0, 0, 0, 0, 0, 0, byte(attr),
		shape.tailWidth, shape.restWidth, seqWidth, valueWidth, attrWidth)

	dst = pad(append(dst, w.keys[:shape.prefixLen]...), start)
	dst = pad(append(dst, w.tags...), start)
	dst = shape.appendP8(dst, w.keys, w.keyEnds)
	dst = w.appendTrailers(dst, seqWidth)
	if valueWidth > 0 {
		dst = appendColumn(dst, valueWidth, 0)
		for _, end := range w.valueEnds {
			dst = appendColumn(dst, valueWidth, uint64(end))
		}
	}
	dst = shape.appendLengths(dst, w.keyEnds)
	if attrWidth > 0 {
		for _, a := range w.attrs {
			dst = append(dst, byte(a))
		}
	}
	return shape.appendRest(dst, w.keys, w.keyEnds)
}

// appendTrailers appends the columns of expiries and sequences.
func (w *blockWriter) appendTrailers(dst []byte, seqWidth uint8) []byte {
	if w.flags&flagExpiry != 0 {
		for _, e := range w.expiries {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(e))
		}
	}
	if seqWidth > 0 {
		for _, s := range w.seqs {
			dst = appendColumn(dst, seqWidth, uint64(s-w.minSeq))
		}
	}
	return dst
}
