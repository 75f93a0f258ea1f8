package sstable

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// verification is the state of one Verify: what was read up to here. It is not
// safe for concurrent use.
type verification struct {
	r      *Reader
	digest *xxhash.Digest
	found  base.TableProperties // counted anew
	last   []byte               // key and sequence of the last record
	seq    base.SeqNum
	any    bool
	key    []byte
	buf    []byte
	block  block
}

var (
	errVerifyOrder      = errors.New("records out of order")
	errVerifySeparator  = errors.New("index separator does not part its blocks")
	errVerifyFilter     = errors.New("filter denies a key of the table")
	errVerifyTag        = errors.New("tag is not that of its key")
	errVerifyProperties = errors.New("properties are not those of the records")
	errVerifyFlags      = errors.New("block flags or largest sequence are not those of its records")
)

// Verify reads the whole file from disk, past the cache, and checks all that a
// reader relies on: every checksum, that records are in order and where the
// index says, that the filter admits every key, that counts and bounds are those
// of the properties, and the digest of the options if there is one. It calls
// yield after each read with the number of bytes, and stops with the error that
// yield returns. Damage is ErrCorruption.
func (r *Reader) Verify(yield func(bytes int) error) error {
	v := &verification{r: r, digest: xxhash.New()}
	v.found = base.TableProperties{ID: r.id, Size: uint64(r.size), Digest: r.o.Digest, MinSeq: base.SeqMax}
	var sealed []byte
	asked := 0 // blocks before it were asked for
	for i := range r.index.blocks() {
		offset, length := r.index.handle(i)
		if i == asked {
			asked = r.askAhead(i)
		}
		if int64(cap(sealed)) < length {
			sealed = make([]byte, length)
		}
		sealed = sealed[:length]
		if err := r.readAt(sealed, offset); err != nil {
			return err
		}
		v.digest.Write(sealed)
		if err := v.checkBlock(i, sealed); err != nil {
			return err
		}
		if err := yield(int(length)); err != nil {
			return err
		}
	}
	if err := v.readTail(yield); err != nil {
		return err
	}
	return v.checkProperties()
}

// askAhead asks the file system for block i and some behind it, and returns the first
// that was not asked for.
func (r *Reader) askAhead(i int) int {
	from, _ := r.index.handle(i)
	end := i + 1
	for ; end < r.index.blocks(); end++ {
		if offset, length := r.index.handle(end); offset+length-from > mostHint {
			break
		}
	}
	r.willRead(i, end-1)
	return end
}

// readTail reads what follows the data blocks, as Open did, and completes the
// digest.
func (v *verification) readTail(yield func(bytes int) error) error {
	r := v.r
	start := int64(0)
	if n := r.index.blocks(); n > 0 {
		offset, length := r.index.handle(n - 1)
		start = offset + length
	}
	tail := make([]byte, r.size-start)
	if err := r.readAt(tail, start); err != nil {
		return err
	}
	v.digest.Write(tail)
	f, err := decodeFooter(tail[len(tail)-footerLen:], r.size)
	if err != nil {
		return r.corrupt(r.size-footerLen, err)
	}
	again := &Reader{size: r.size, o: r.o, id: r.id}
	if err := again.decodeSections(tail, f); err != nil {
		return err
	}
	if sum := v.digest.Sum64(); r.o.Digest != 0 && sum != r.o.Digest {
		return r.corrupt(-1, fmt.Errorf("digest of the file is %016x, want %016x", sum, r.o.Digest))
	}
	return yield(len(tail))
}

// checkBlock checks data block i, whose bytes are sealed.
func (v *verification) checkBlock(i int, sealed []byte) error {
	r, b := v.r, &v.block
	offset, _ := r.index.handle(i)
	if err := r.decode(b, sealed, i); err != nil {
		return err
	}
	if err := v.checkPages(b); err != nil {
		return r.corrupt(offset, err)
	}
	if b.packed != nil {
		buf, err := b.unpackInto(b, v.buf, &r.unpacker)
		if v.buf = buf; err != nil {
			return r.corrupt(offset, err)
		}
	}
	var maxSeq base.SeqNum
	flags := b.flags & (flagPacked | flagPaged | flagContinues | flagAlone)
	if flags&flagContinues != 0 || i > 0 && r.index.continues(i-1) {
		flags |= flagVersions
	}
	for at := range b.keys.n {
		f, err := v.checkRecord(b, i, at)
		if err != nil {
			return r.corrupt(offset, fmt.Errorf("record %d of %d: %w", at, b.keys.n, err))
		}
		flags |= f
		maxSeq = max(maxSeq, b.seq(at))
	}
	if flags != b.flags || maxSeq != r.index.maxSeq(i) {
		return r.corrupt(offset, errVerifyFlags)
	}
	if c := bytes.Compare(v.last, r.index.keys.appendKey(nil, i)); c > 0 || c < 0 && r.index.alone(i) {
		return r.corrupt(offset, errVerifySeparator)
	}
	return nil
}

// checkPages checks that each page of b's values verifies and holds whole values.
func (v *verification) checkPages(b *block) error {
	if b.flags&flagPaged == 0 {
		return nil
	}
	for at := range b.keys.n {
		from, to := b.valueAt(at)
		if _, ok := b.pages.find(uint32(from), uint32(to)); !ok && from < to {
			return errPages
		}
	}
	stored := b.packed
	if stored == nil {
		stored = b.values
	}
	return b.pages.verify(stored)
}

// checkRecord checks record at of data block i and returns the flags it asks of
// its block.
func (v *verification) checkRecord(b *block, i, at int) (flags blockFlags, err error) {
	v.key = b.keys.appendKey(v.key[:0], at)
	t := b.trailer(at)
	c := bytes.Compare(v.last, v.key)
	if v.any && (c > 0 || c == 0 && v.seq <= t.Seq) {
		return 0, errVerifyOrder
	}
	if v.any && c == 0 && at > 0 {
		flags |= flagVersions
	}
	if at == 0 && i > 0 {
		if (v.any && c == 0) != v.r.index.continues(i-1) {
			return 0, errVerifyFlags
		}
		if c != 0 && bytes.Compare(v.r.index.keys.appendKey(nil, i-1), v.key) >= 0 {
			return 0, errVerifySeparator
		}
	}
	hash := xxhash.Sum64(v.key)
	if !v.r.filter.mayContain(hash) {
		return 0, errVerifyFilter
	}
	if b.keys.data[int(b.tagOff)+at] != byte(hash>>56) {
		return 0, errVerifyTag
	}
	flags |= recordFlags(t.Attr)
	if !v.any {
		v.found.Smallest = append([]byte(nil), v.key...)
	}
	countRecord(&v.found, v.key, b.value(at), t, v.any && c == 0)
	v.last, v.seq, v.any = append(v.last[:0], v.key...), t.Seq, true
	return flags, nil
}

// checkProperties compares what was found with what the table says of itself.
func (v *verification) checkProperties() error {
	p := &v.found
	p.Largest = v.last
	for _, t := range v.r.ranges.Tombstones() {
		p.RangeDeletes++
		p.MinSeq = min(p.MinSeq, t.Seq)
		p.MaxSeq = max(p.MaxSeq, t.Seq)
		if p.Smallest == nil || bytes.Compare(t.Start, p.Smallest) < 0 {
			p.Smallest = t.Start
		}
		if bytes.Compare(t.End, p.Largest) > 0 {
			p.Largest, p.LargestExclusive = t.End, true
		}
	}
	if !bytes.Equal(appendProperties(nil, p), appendProperties(nil, &v.r.props)) {
		return v.r.corrupt(-1, errVerifyProperties)
	}
	return nil
}
