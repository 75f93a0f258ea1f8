package sstable

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/cache"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// ReaderOptions configure a Reader.
type ReaderOptions struct {
	Name   string       // of the file, for errors
	ID     uint64       // the table's id; 0: any
	Digest uint64       // xxhash of the whole file, for Verify; 0: not known
	Cache  *cache.Cache // holds blocks and accounts for memory; nil: neither
}

// Reader reads one table. It holds filter, index and range tombstones in memory
// and reads data blocks through the cache. It is safe for concurrent use; Close
// comes last.
type Reader struct {
	closed atomic.Bool
	long   atomic.Int32 // iterators on a long walk, for which the file system reads ahead

	// Set at Open.
	file     io.ReaderAt
	hints    hinter // the file, if it takes hints
	size     int64
	o        ReaderOptions
	id       uint64
	number   uint64 // for the cache's rows
	filter   *filter
	index    *index
	slots    []cache.Slot // one per data block; empty without a cache
	nearby   []nearby     // one per slot
	ranges   *rangedel.List
	props    base.TableProperties
	memory   int64
	unpacker unpacker
	scratch  sync.Pool // *[]byte: compressed blocks on their way through
}

// tailRead is what Open reads first: enough for all but the data of a table of
// about ten thousand records.
const tailRead = 32 << 10

// Open returns a Reader of the table of size bytes in file. It reads footer,
// filter, index, range tombstones and properties, in one read or two, and no
// data block. The file stays the caller's, who closes it after the Reader.
func Open(file io.ReaderAt, size int64, o ReaderOptions) (*Reader, error) {
	r := &Reader{file: file, size: size, o: o}
	r.hints, _ = file.(hinter)
	if size < footerLen {
		return nil, r.corrupt(-1, fmt.Errorf("file of %d bytes is shorter than a footer", size))
	}
	tail := make([]byte, min(size, tailRead))
	if err := r.readAt(tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	f, err := decodeFooter(tail[len(tail)-footerLen:], size)
	if errors.Is(err, base.ErrFormatTooNew) {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	if err != nil {
		return nil, r.corrupt(size-footerLen, err)
	}
	if o.ID != 0 && f.id != o.ID {
		return nil, r.corrupt(size-footerLen, fmt.Errorf("table id is %016x, want %016x", f.id, o.ID))
	}
	r.id = f.id
	if start := f.starts(size)[0]; start < size-int64(len(tail)) {
		missing := int(size - int64(len(tail)) - start)
		whole := make([]byte, missing+len(tail))
		copy(whole[missing:], tail)
		if err := r.readAt(whole[:missing], start); err != nil {
			return nil, err
		}
		tail = whole
	}
	if err := r.decodeSections(tail, f); err != nil {
		return nil, err
	}
	r.account()
	if o.Cache != nil {
		o.Cache.Waste(int64(len(tail))) // what it holds was copied
	}
	return r, nil
}

// decodeSections decodes what stands between data and footer; tail is the end of
// the file, from there on or earlier.
func (r *Reader) decodeSections(tail []byte, f footer) error {
	starts := f.starts(r.size)
	read := func(s section, decode func(payload []byte) error) error {
		at := starts[s-sectionRangeDeletes]
		from := int64(len(tail)) - (r.size - at)
		payload, err := unseal(tail[from:from+f.lengths[s-sectionRangeDeletes]], r.id, at, s)
		if err == nil {
			err = decode(payload)
		}
		if err != nil {
			return r.corrupt(at, err)
		}
		return nil
	}
	err := read(sectionRangeDeletes, func(b []byte) (err error) {
		r.ranges, err = decodeRangeDeletes(b)
		return err
	})
	if err != nil {
		return err
	}
	err = read(sectionFilter, func(b []byte) (err error) {
		r.filter, err = decodeFilter(append([]byte(nil), b...))
		return err
	})
	if err != nil {
		return err
	}
	err = read(sectionIndex, func(b []byte) (err error) {
		r.index, err = decodeIndex(b, starts[0])
		return err
	})
	if err != nil {
		return err
	}
	return read(sectionProperties, func(b []byte) (err error) {
		r.props, err = decodeProperties(b)
		r.props.ID, r.props.Size, r.props.Digest = r.id, uint64(r.size), r.o.Digest
		if err == nil && r.index.records() != r.props.Records() {
			err = errPropertyCounts
		}
		return err
	})
}

// account makes the slots and reserves what the Reader holds.
func (r *Reader) account() {
	const slotSize, fixed = 16 + 8, 1 << 10
	r.memory = fixed + r.index.bytes + int64(8*len(r.index.sample)) + int64(8*len(r.filter.words))
	const tombstoneSize = 56
	for _, t := range r.ranges.Tombstones() {
		r.memory += int64(len(t.Start)+len(t.End)) + tombstoneHeaderLen + tombstoneSize
	}
	if r.ranges.Layered() {
		r.memory += int64(len(r.ranges.Newest())) * tombstoneSize
	}
	if r.o.Cache == nil {
		return
	}
	r.number = r.o.Cache.NewTable()
	r.slots = make([]cache.Slot, r.index.blocks())
	r.nearby = make([]nearby, r.index.blocks())
	r.memory += slotSize * int64(len(r.slots))
	r.o.Cache.Reserve(r.memory)
}

// Close drops the table's blocks from the cache and gives back its memory.
// Nothing may read through the Reader any more, but values it lent stay good.
// Closing twice is fine. The file is the caller's to close.
func (r *Reader) Close() {
	if r.closed.Swap(true) || r.o.Cache == nil {
		return
	}
	r.o.Cache.Drop(r.slots)
	r.o.Cache.Release(r.memory)
	r.o.Cache.Waste(r.memory)
}

// Get returns the newest record of key that is not newer than seq; ok is false
// if the table has none. hash is the xxhash of key. A tombstone is a record, and
// range tombstones are not looked at: the caller asks RangeDeletes first. The
// value is lent: it points into a block, must not be changed, and never faults.
// Given a loan, what the cache does not want is read into that, and the value is
// good until the loan is returned. A loan may say that the value is not wanted.
//
// A hit in the cache allocates nothing. Of a block with pages a full cache holds
// the keys alone: then one page is read. A key that is absent costs one line of the
// filter in 99 of 100 cases.
func (r *Reader) Get(key []byte, hash uint64, seq base.SeqNum, l *Loan) (value []byte, t base.Trailer, ok bool, err error) {
	if !r.filter.mayContain(hash) {
		return nil, t, false, nil
	}
	first := r.index.search(key)
	for i := first; i < r.index.blocks(); i++ {
		b := r.cached(i, hash)
		if b == nil {
			if i == first {
				if value, t, ok = r.row(key, hash, seq, l); ok {
					return value, t, true, nil
				}
			}
			if b, err = r.pointBlock(i, l); err != nil {
				return nil, t, false, err
			}
		}
		at := b.find(key, hash)
		if at < 0 {
			if b.Leased() {
				b.EndLease()
			}
			return nil, t, false, nil
		}
		newest := i == first
		if b.seq(at) > seq {
			newest = false
			if at, ok = b.newest(at, seq); !ok {
				if at == b.keys.n && r.index.continues(i) {
					continue
				}
				return nil, t, false, nil
			}
		}
		if l.skips(r.index.alone(i)) {
			if t = b.trailer(at); b.Leased() {
				b.EndLease()
			}
			return nil, t, true, nil
		}
		if l == nil || b.values != nil && (l.block == nil || b != &l.block.block) {
			value, t = b.value(at), b.trailer(at)
			if b.Leased() && len(value) <= keepBuffer {
				value = l.copy(value)
				b.EndLease()
			}
			return value, t, true, nil
		}
		value, t, err = r.lend(b, i, at, l)
		if newest && err == nil {
			r.keepRow(key, hash, value, t)
		}
		return value, t, err == nil, err
	}
	return nil, t, false, nil
}

// MayContain reports whether the table may hold a record of a key with this
// xxhash. A false is certain.
func (r *Reader) MayContain(hash uint64) bool { return r.filter.mayContain(hash) }

// RangeDeletes returns the table's range tombstones, nil if it has none.
func (r *Reader) RangeDeletes() *rangedel.List { return r.ranges }

// Properties returns what the table says of itself. Digest is that of the
// options. The bounds belong to the Reader.
func (r *Reader) Properties() base.TableProperties { return r.props }

// MemoryBytes returns the bytes the Reader holds beside cached blocks; they are
// reserved in the cache.
func (r *Reader) MemoryBytes() int64 { return r.memory }

// ApproximateOffset returns about how many bytes of the file lie before key: up
// to the block that would hold it.
func (r *Reader) ApproximateOffset(key []byte) int64 {
	n := r.index.blocks()
	if n == 0 {
		return 0
	}
	if i := r.index.search(key); i < n {
		offset, _ := r.index.handle(i)
		return offset
	}
	offset, length := r.index.handle(n - 1)
	return offset + length
}

// ApproximateSize returns about how many bytes of data blocks the records of
// [lo, hi) take; a nil hi is the end of all keys. Blocks that reach over an end
// count whole.
func (r *Reader) ApproximateSize(lo, hi []byte) int64 {
	n, _ := r.SizeFrom(0, lo, hi)
	return n
}

// SizeFrom is ApproximateSize without the blocks before offset at of the file, and
// returns where the last of the others ends: of ranges in key order, each block is
// counted once.
func (r *Reader) SizeFrom(at int64, lo, hi []byte) (bytes, end int64) {
	first, last := r.index.search(lo), r.index.blocks()
	if hi != nil {
		last = min(last, r.index.search(hi)+1)
	}
	if first >= last {
		return 0, at
	}
	from, _ := r.index.handle(first)
	to, length := r.index.handle(last - 1)
	from, end = max(from, at), max(to+length, at)
	return max(end-from, 0), end
}

// hitSample is one in how many hits a point read counts, chosen by its key's
// hash: counting each would cost more than the hit.
const hitSample = 64

// cached returns data block i for a point read of a key with this hash, if the
// cache has it with its values.
func (r *Reader) cached(i int, hash uint64) *block {
	if i >= len(r.slots) {
		return nil
	}
	e := r.slots[i].Load()
	if e == nil {
		return nil
	}
	b := blockOf(e)
	if b.values == nil {
		return nil
	}
	if hash>>32%hitSample == 0 {
		r.o.Cache.CountHits(hitSample)
	}
	return b
}

// pointBlock returns data block i, which is not cached with its values, for a point
// read: with its values or, given a loan, such that lend finds them.
func (r *Reader) pointBlock(i int, l *Loan) (*block, error) {
	if l == nil || i >= len(r.slots) {
		return r.fetch(i, fetchOptions{hot: true})
	}
	if r.index.alone(i) && l.skips(true) {
		b := l.take()
		var err error
		b.sealed, err = r.readHead(&b.block, i, b.sealed)
		return &b.block, err
	}
	_, length := r.index.handle(i)
	if r.o.Cache.Room(length) {
		return r.fetch(i, fetchOptions{hot: true, lease: true})
	}
	if e := r.slots[i].Load(); e != nil {
		if b := blockOf(e); b.packed == nil {
			return b, nil
		}
	}
	switch {
	case !r.o.Cache.Admits(&r.slots[i], length, true):
		return r.borrow(i, l)
	case r.index.blockFlags(i)&flagPaged != 0:
		return r.fetchKeys(i, l)
	}
	return r.fetch(i, fetchOptions{hot: true, lease: true})
}

// fetchOptions say how a block is read into the cache.
type fetchOptions struct {
	hot      bool   // a point read asks
	lease    bool   // whoever asks ends the lease once it has copied, or left, the block
	keysOnly bool   // packed values may stay packed
	sealed   []byte // the block's bytes, if they were read already; they are copied
}

// fetch reads data block i from disk and stores it in the cache.
func (r *Reader) fetch(i int, o fetchOptions) (*block, error) {
	offset, length := r.index.handle(i)
	unpack := !o.keysOnly && r.index.blockFlags(i)&flagPacked != 0
	sealed := o.sealed
	switch {
	case sealed == nil && unpack:
		buf := r.takeScratch(int(length))
		defer r.giveBack(buf)
		sealed = *buf
	case sealed == nil:
		sealed = spareBlocks.buffer(int(length))
	case !unpack:
		sealed = append(spareBlocks.buffer(int(length))[:0], sealed...)
	}
	if o.sealed == nil {
		if err := r.readAt(sealed, offset); err != nil {
			return nil, err
		}
	}
	b := new(block)
	if err := r.decode(b, sealed, i); err != nil {
		return nil, err
	}
	mem := sealed
	if unpack {
		var err error
		if mem, err = b.unpackInto(b, spareBlocks.buffer(b.unpackedLen()), &r.unpacker); err != nil {
			return nil, r.corrupt(offset, err)
		}
	}
	if r.o.Cache != nil {
		if o.lease {
			b.mem = mem
			b.Lease(recycleBlock)
		}
		r.o.Cache.Store(&r.slots[i], &b.Entry, blockSize+int64(cap(mem)), o.hot)
		r.nearby[i].note(b)
	}
	return b, nil
}

// takeScratch returns a buffer of n bytes for a block on its way through.
func (r *Reader) takeScratch(n int) *[]byte {
	buf, _ := r.scratch.Get().(*[]byte)
	if buf == nil || cap(*buf) < n {
		b := make([]byte, n)
		buf = &b
	}
	*buf = (*buf)[:n]
	return buf
}

func (r *Reader) giveBack(buf *[]byte) {
	invariants.Poison(*buf)
	r.scratch.Put(buf)
}

// decode verifies the bytes of data block i and decodes them into b, which
// points into them. It fails unless the block is what the index says.
func (r *Reader) decode(b *block, sealed []byte, i int) error {
	offset, _ := r.index.handle(i)
	payload, err := unseal(sealed, r.id, offset, sectionData)
	if err == nil {
		err = decodeBlock(b, payload)
	}
	if err == nil && b.flags&flagAlone != 0 {
		_, err = unsealHead(payload, b.keysLen(), r.id, offset)
	}
	if err == nil {
		err = r.index.checkBlock(b, i)
	}
	if err != nil {
		return r.corrupt(offset, err)
	}
	return nil
}

// readAt fills b from offset of the file.
func (r *Reader) readAt(b []byte, offset int64) error {
	n, err := r.file.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return r.corrupt(offset, fmt.Errorf("file ends after %d of %d bytes", n, len(b)))
	}
	return fmt.Errorf("read %s at offset %d: %w", r.o.Name, offset, err)
}

func (r *Reader) corrupt(offset int64, err error) error {
	return base.Corruptf(r.o.Name, offset, "%w", err)
}
