package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// Sink is what a Writer asks of a file. The Writer only writes: Sync and Close
// are for whoever finishes the table.
type Sink interface {
	io.Writer
	Sync() error
	Close() error
}

// WriterOptions configure one table. Zero fields take the default.
type WriterOptions struct {
	ID          uint64      // random; checksums are bound to it
	Compression Compression // of values; NoCompression
	BlockSize   int         // bytes of keys and values in a data block, at most 1 MiB; 16 KiB
	FilterBits  int         // per key, at most 32; 10
}

const (
	defaultBlockSize  = 16 << 10
	maxBlockSize      = 1 << 20
	defaultFilterBits = 10
	writeSize         = 512 << 10
)

func (o WriterOptions) withDefaults() WriterOptions {
	if !o.Compression.known() {
		o.Compression = NoCompression
	}
	if o.BlockSize <= 0 {
		o.BlockSize = defaultBlockSize
	}
	o.BlockSize = min(o.BlockSize, maxBlockSize)
	if o.FilterBits <= 0 {
		o.FilterBits = defaultFilterBits
	}
	o.FilterBits = min(o.FilterBits, maxFilterBits)
	return o
}

// Writer writes one table. It allocates nothing per record, and nothing per
// table but the filter once Reset has given it a second one. The first error
// is kept and returned by every later call. It is not safe for concurrent use.
type Writer struct {
	sink   Sink
	o      WriterOptions
	buf    []byte // not yet given to the sink
	offset int64  // in the file, of buf's start
	digest *xxhash.Digest
	err    error

	block    blockWriter
	packer   packer
	parted   bool // a block has pages, or one large record
	index    indexWriter
	hashes   []uint64 // of each distinct key
	words    []uint64 // of the last table's filter, for the next one's
	lastHash uint64

	rangeDeletes []byte             // encoded
	firstStart   []byte             // smallest start of a range tombstone
	largestEnd   []byte             // of any of them
	lastDelete   rangedel.Tombstone // the last one; its end is not kept
	first        []byte             // smallest key of a record
	props        base.TableProperties
}

var (
	errEmptyTable = errors.New("sstable: table has neither records nor range tombstones")
	errFinished   = errors.New("sstable: table is finished")
)

// NewWriter returns a Writer of a table into sink.
func NewWriter(sink Sink, o WriterOptions) *Writer {
	w := &Writer{digest: xxhash.New()}
	w.Reset(sink, o)
	return w
}

// Reset makes w the Writer of another table and keeps its buffers. What was not
// finished is forgotten.
func (w *Writer) Reset(sink Sink, o WriterOptions) {
	w.sink, w.o, w.err = sink, o.withDefaults(), nil
	w.buf, w.offset = w.buf[:0], 0
	w.digest.Reset()
	w.block.reset()
	w.packer.reset(w.o.Compression, w.o.BlockSize)
	w.parted = false
	w.index.reset()
	w.hashes = w.hashes[:0]
	w.rangeDeletes = w.rangeDeletes[:0]
	w.firstStart, w.largestEnd = w.firstStart[:0], w.largestEnd[:0]
	w.lastDelete = rangedel.Tombstone{Start: w.lastDelete.Start[:0]}
	w.first = w.first[:0]
	w.props = base.TableProperties{ID: o.ID, MinSeq: base.SeqMax}
}

// Add appends a record. Records come in strictly rising internal order. The
// entry is copied, but for a value of a whole block that is Lasting: that
// must not change before the next call. A tombstone's value is not stored.
func (w *Writer) Add(e *iterator.Entry) error {
	if w.err != nil {
		return w.err
	}
	value := e.Value
	if e.Attr.Kind() == base.KindDelete {
		value = nil
	}
	if err := checkEntry(e, value); err != nil {
		return w.fail(err)
	}
	again := false
	if w.block.len() > 0 {
		last := w.block.lastKey()
		c := bytes.Compare(last, e.Key)
		if lastSeq := w.block.seqs[w.block.len()-1]; c > 0 || c == 0 && lastSeq <= e.Seq {
			return w.fail(fmt.Errorf("sstable: %q#%d added behind %q#%d", e.Key, e.Seq, last, lastSeq))
		}
		again = c == 0
		if size := w.block.size(); size >= w.o.BlockSize || size+len(e.Key)+len(value) > 2*w.o.BlockSize {
			if err := w.finishBlock(e.Key, again); err != nil {
				return err
			}
		}
	} else {
		w.first = append(w.first, e.Key...)
	}
	if !again {
		w.lastHash = xxhash.Sum64(e.Key)
		w.hashes = append(w.hashes, w.lastHash)
	}
	alone := e.Lasting && w.block.len() == 0 && len(value) >= w.o.BlockSize // the next record finds the block full
	w.block.add(e, value, w.lastHash, again, alone)
	countRecord(&w.props, e.Key, value, e.Trailer, again)
	return nil
}

// checkEntry tests what a data block can hold.
func checkEntry(e *iterator.Entry, value []byte) error {
	switch {
	case len(e.Key) == 0:
		return base.ErrEmptyKey
	case len(e.Key) > base.MaxRowKeyLen:
		return base.ErrKeyTooLarge
	case len(value) > base.MaxValueLen:
		return base.ErrValueTooLarge
	case !pointAttr(e.Attr) || e.Seq > base.SeqMax || e.Expiry < 0 || (e.Expiry != 0) != e.Attr.HasExpiry():
		return fmt.Errorf("sstable: record %q has attribute %#x, sequence %d, expiry %d", e.Key, uint8(e.Attr), e.Seq, e.Expiry)
	}
	return nil
}

// AddRangeDelete appends a range tombstone, at any time before Finish: in the order
// of the starts, of one start the newer one first. It is copied.
func (w *Writer) AddRangeDelete(t rangedel.Tombstone) error {
	if w.err != nil {
		return w.err
	}
	if !tombstoneValid(t, w.lastDelete) {
		return w.fail(fmt.Errorf("sstable: range tombstone [%q, %q)#%d is empty, out of order or out of bounds", t.Start, t.End, t.Seq))
	}
	if w.props.RangeDeletes == 0 {
		w.firstStart = append(w.firstStart, t.Start...)
	}
	if bytes.Compare(t.End, w.largestEnd) > 0 {
		w.largestEnd = append(w.largestEnd[:0], t.End...)
	}
	w.lastDelete.Start, w.lastDelete.Seq = append(w.lastDelete.Start[:0], t.Start...), t.Seq
	w.rangeDeletes = appendTombstone(w.rangeDeletes, t)
	w.props.RangeDeletes++
	w.props.MinSeq = min(w.props.MinSeq, t.Seq)
	w.props.MaxSeq = max(w.props.MaxSeq, t.Seq)
	return nil
}

// Keys returns how many distinct keys were added. Until Finish the Writer holds
// eight bytes for each.
func (w *Writer) Keys() int { return len(w.hashes) }

// MemoryBytes returns about how many bytes the Writer's buffers hold.
func (w *Writer) MemoryBytes() int64 {
	b := &w.block
	return int64(cap(w.buf) + 8*(cap(w.hashes)+cap(w.words)) + cap(b.keys) + cap(b.values) + 25*cap(b.seqs))
}

// Size returns about how long the file would be if it were finished now, for
// cutting: values not yet compressed count in full.
func (w *Writer) Size() int64 {
	sections := len(w.rangeDeletes) + w.index.size() + len(w.hashes)*w.o.FilterBits/8 + propertiesLen + footerLen
	return w.offset + int64(len(w.buf)+w.block.size()+16*w.block.len()+sections)
}

// Finish writes what follows the data blocks and returns the table's properties;
// their slices are the caller's. It neither syncs nor closes the sink. A table
// of nothing is an error.
//
// Properties name the file's size and the xxhash of all its bytes. A file cannot
// hold its own digest: only the manifest has it.
func (w *Writer) Finish() (base.TableProperties, error) {
	if w.err != nil {
		return base.TableProperties{}, w.err
	}
	if w.block.len() == 0 && w.props.RangeDeletes == 0 {
		return base.TableProperties{}, w.fail(errEmptyTable)
	}
	w.setBounds()
	if w.block.len() > 0 {
		if err := w.finishBlock(nil, false); err != nil {
			return base.TableProperties{}, err
		}
	}
	f := footer{id: w.o.ID, parted: w.parted}
	write := func(s section, encode func(dst []byte) []byte) {
		start := len(w.buf)
		offset := w.offset + int64(start)
		w.buf = seal(encode(w.buf), start, w.o.ID, offset, s)
		f.lengths[s-sectionRangeDeletes] = int64(len(w.buf) - start)
	}
	write(sectionRangeDeletes, func(dst []byte) []byte {
		n := uint32(w.props.RangeDeletes)
		return append(append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24)), w.rangeDeletes...)
	})
	write(sectionFilter, func(dst []byte) []byte {
		bits := newFilter(w.words, w.hashes, w.o.FilterBits, filterProbes(w.o.FilterBits))
		w.words = bits.words
		return bits.appendTo(dst, w.o.FilterBits, len(w.hashes))
	})
	write(sectionIndex, w.index.appendTo)
	write(sectionProperties, func(dst []byte) []byte { return appendProperties(dst, &w.props) })
	w.buf = appendFooter(w.buf, f, w.offset+int64(len(w.buf)))
	if err := w.flush(); err != nil {
		return base.TableProperties{}, err
	}
	w.props.Size, w.props.Digest = uint64(w.offset), w.digest.Sum64()
	w.err = errFinished
	return w.props, nil
}

// setBounds sets the table's bounds, over records and range tombstones.
func (w *Writer) setBounds() {
	var last []byte
	if w.block.len() > 0 {
		last = w.block.lastKey()
	}
	smallest, largest := w.first, last
	if len(w.firstStart) > 0 && (last == nil || bytes.Compare(w.firstStart, smallest) < 0) {
		smallest = w.firstStart
	}
	if len(w.largestEnd) > 0 && bytes.Compare(w.largestEnd, last) > 0 {
		largest, w.props.LargestExclusive = w.largestEnd, true
	}
	w.props.Smallest = append([]byte(nil), smallest...)
	w.props.Largest = append([]byte(nil), largest...)
}

// finishBlock writes the gathered block. next is the key behind it, nil at the
// table's end, and again says that it is the block's last key.
func (w *Writer) finishBlock(next []byte, again bool) error {
	b := &w.block
	if again {
		b.flags |= flagVersions | flagContinues
	}
	start := len(w.buf)
	offset := w.offset + int64(start)
	buf, apart, err := b.finish(w.buf, &w.packer)
	if err != nil {
		return w.fail(err)
	}
	if b.flags&flagAlone != 0 {
		head := buf[start : start+b.head]
		binary.LittleEndian.PutUint64(buf[start+b.head:], checksum(head, w.o.ID, offset, sectionHead))
	}
	if w.buf = buf; apart == nil {
		w.buf = seal(buf, start, w.o.ID, offset, sectionData)
	} else if err := w.sealApart(start, offset, apart); err != nil {
		return err
	}
	w.index.add(b.lastKey(), next, w.offset+int64(len(w.buf)), b.len(), b.maxSeq, b.flags)
	w.parted = w.parted || b.flags&(flagPaged|flagAlone) != 0
	b.reset()
	if len(w.buf) >= writeSize {
		return w.flush()
	}
	return nil
}

// sealApart ends the data block that begins at buf[start:], stands at offset of
// the file and goes on with apart, which is written from where it is.
func (w *Writer) sealApart(start int, offset int64, apart []byte) error {
	var zeros [alignment]byte
	padding := zeros[:-(len(w.buf)-start+len(apart))&(alignment-1)]
	sum := checksumPieces(w.o.ID, offset, sectionData, w.buf[start:], apart, padding)
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.write(apart); err != nil {
		return err
	}
	w.buf = binary.LittleEndian.AppendUint64(append(w.buf, padding...), sum)
	return nil
}

// write gives b to the sink.
func (w *Writer) write(b []byte) error {
	n, err := w.sink.Write(b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.fail(fmt.Errorf("sstable: write: %w", err))
	}
	w.digest.Write(b)
	w.offset += int64(n)
	return nil
}

// flush gives the buffer to the sink.
func (w *Writer) flush() error {
	if err := w.write(w.buf); err != nil {
		return err
	}
	w.buf = w.buf[:0]
	if cap(w.buf) > 2*keepBuffer {
		w.buf = nil
	}
	return nil
}

func (w *Writer) fail(err error) error {
	w.err = err
	return err
}
