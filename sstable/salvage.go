package sstable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/rangedel"
)

// Salvage reads what verifies of a table that may be damaged: data blocks one by
// one, past those that do not, by their own headers where the index is lost. It
// relies on nothing but checksums, which bind a block to the table's id and its
// place. It is an iterator.Iterator that only goes forward, and not safe for
// concurrent use.
type Salvage struct {
	r       Reader // file, size, options, id; the index if it verifies
	dataEnd int64
	ranges  *rangedel.List
	gaps    []Gap
	records int64

	begin int64 // offset of the current block
	next  int64 // of the next one
	block block
	at    int
	buf   []byte
	raw   []byte
	last  []byte // key and sequence of the last record
	seq   base.SeqNum
	any   bool
	entry iterator.Entry
	err   error
}

// Gap is a part of a table that does not verify. Offset and Bytes are those of
// the part; Bytes is 0 where the length is not known.
type Gap struct {
	Offset, Bytes int64
	Err           error
}

var (
	errNoIdentity = errors.New("no footer, and the table's id is not known otherwise")
	errOtherTable = errors.New("file is another table's")
	errSalvage    = errors.New("sstable: a salvage only goes forward")
	errCutOff     = errors.New("file is cut short: range tombstones, if there were any, are lost")
)

// OpenSalvage opens a table for salvage. The options' ID, if it is not 0, is what
// the manifest says; without it the footer must verify. The error says why
// nothing can be read at all.
func OpenSalvage(file io.ReaderAt, size int64, o ReaderOptions) (*Salvage, error) {
	s := &Salvage{r: Reader{file: file, size: size, o: o, id: o.ID}, dataEnd: size}
	var f footer
	err := errNoIdentity
	tail := make([]byte, min(size, footerLen))
	if rerr := s.r.readAt(tail, size-int64(len(tail))); rerr != nil {
		return nil, rerr
	}
	if len(tail) == footerLen {
		f, err = decodeFooter(tail, size)
	}
	switch {
	case errors.Is(err, base.ErrFormatTooNew):
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	case err != nil && o.ID == 0:
		return nil, s.r.corrupt(max(0, size-footerLen), err)
	case err != nil:
		s.gaps = append(s.gaps, Gap{Offset: max(0, size-footerLen), Err: fmt.Errorf("%w: %w", errCutOff, err)})
		return s, nil
	case o.ID != 0 && f.id != o.ID:
		return nil, s.r.corrupt(size-footerLen, errOtherTable)
	}
	s.r.id = f.id
	starts := f.starts(size)
	s.dataEnd = starts[0]
	return s, s.sections(f, starts)
}

// sections reads range tombstones and index, as far as they verify. Filter and
// properties are not needed.
func (s *Salvage) sections(f footer, starts [4]int64) error {
	read := func(sec section, decode func([]byte) error) (err error) {
		k := sec - sectionRangeDeletes
		b := make([]byte, f.lengths[k])
		if err = s.r.readAt(b, starts[k]); err == nil {
			if b, err = unseal(b, s.r.id, starts[k], sec); err == nil {
				err = decode(b)
			}
		}
		return err
	}
	err := read(sectionRangeDeletes, func(b []byte) (err error) {
		s.ranges, err = decodeRangeDeletes(b)
		return err
	})
	if err != nil {
		s.gaps = append(s.gaps, Gap{Offset: starts[0], Bytes: f.lengths[0], Err: fmt.Errorf("range tombstones are lost: %w", err)})
	}
	err = read(sectionIndex, func(b []byte) (err error) {
		s.r.index, err = decodeIndex(b, starts[0])
		return err
	})
	if err != nil {
		s.r.index = nil
	}
	return nil
}

// RangeDeletes returns the range tombstones, if they verify.
func (s *Salvage) RangeDeletes() *rangedel.List { return s.ranges }

// Gaps returns what was met so far that does not verify; all of it once Next has
// returned nil.
func (s *Salvage) Gaps() []Gap { return s.gaps }

// Records returns how many records were read so far.
func (s *Salvage) Records() int64 { return s.records }

// Extent returns where the block of the current record stands.
func (s *Salvage) Extent() (from, to int64) { return s.begin, s.next }

// First implements iterator.Iterator. It can be called once.
func (s *Salvage) First() *iterator.Entry { return s.Next() }

// Next implements iterator.Iterator.
func (s *Salvage) Next() *iterator.Entry {
	for s.err == nil {
		if s.at >= s.block.keys.n {
			if !s.load() {
				return nil
			}
			continue
		}
		b, at := &s.block, s.at
		s.at++
		s.entry.Key = b.keys.appendKey(s.entry.Key[:0], at)
		s.entry.Value, s.entry.Trailer = b.value(at), b.trailer(at)
		c := bytes.Compare(s.last, s.entry.Key)
		if s.any && (c > 0 || c == 0 && s.seq <= s.entry.Seq) {
			s.gaps = append(s.gaps, Gap{Offset: s.next, Err: errVerifyOrder})
			continue
		}
		s.last, s.seq, s.any = append(s.last[:0], s.entry.Key...), s.entry.Seq, true
		s.records++
		return &s.entry
	}
	return nil
}

// load makes the next block that verifies the current one; false if there is
// none.
func (s *Salvage) load() bool {
	from := s.next
	var first error
	for at := s.next; at < s.dataEnd; {
		length, err := s.blockAt(at)
		if err == nil {
			s.lost(from, at, first)
			s.begin, s.next, s.at = at, at+length, 0
			return true
		}
		var bad *base.CorruptionError
		if !errors.As(err, &bad) {
			s.err = err // the file cannot be read: that is not damage
			return false
		}
		if first == nil {
			first = err
		}
		at = s.resume(at)
	}
	s.lost(from, s.dataEnd, first)
	s.next, s.at, s.block = s.dataEnd, 0, block{}
	return false
}

func (s *Salvage) lost(from, to int64, err error) {
	if err != nil && to > from {
		s.gaps = append(s.gaps, Gap{Offset: from, Bytes: to - from, Err: err})
	}
}

// resume returns where the block behind the damage at offset may begin.
func (s *Salvage) resume(at int64) int64 {
	if x := s.r.index; x != nil {
		i := sort.Search(x.blocks(), func(i int) bool { offset, _ := x.handle(i); return offset > at })
		if i == x.blocks() {
			return s.dataEnd
		}
		offset, _ := x.handle(i)
		return offset
	}
	return at + alignment
}

// blockAt reads the block at offset and returns its length.
func (s *Salvage) blockAt(at int64) (length int64, err error) {
	if s.dataEnd-at < blockHeaderLen+checksumLen {
		return 0, s.r.corrupt(at, errBlockSize)
	}
	var header [blockHeaderLen]byte
	if err := s.r.readAt(header[:], at); err != nil {
		return 0, err
	}
	length, ok := blockLength(header[:], s.dataEnd-at)
	if !ok {
		return 0, s.r.corrupt(at, errBlockHeader)
	}
	if int64(cap(s.raw)) < length {
		s.raw = make([]byte, length)
	}
	s.raw = s.raw[:length]
	if err := s.r.readAt(s.raw, at); err != nil {
		return 0, err
	}
	payload, err := unseal(s.raw, s.r.id, at, sectionData)
	if err == nil {
		err = decodeBlock(&s.block, payload)
	}
	if err == nil && s.block.packed != nil {
		s.buf, err = s.block.unpackInto(&s.block, s.buf, &s.r.unpacker)
	}
	if err != nil {
		s.block = block{}
		return 0, s.r.corrupt(at, err)
	}
	return length, nil
}

// blockLength returns how long the data block is, checksum included, that begins
// with header; ok is false if it would not fit most bytes.
func blockLength(header []byte, most int64) (length int64, ok bool) {
	le := binary.LittleEndian
	n, prefixLen, stored := uint64(le.Uint32(header)), uint64(le.Uint32(header[4:])), uint64(le.Uint32(header[28:]))
	var b block
	b.keys = keyColumns{restLen: le.Uint32(header[12:]), tailWidth: header[35], restWidth: header[36]}
	b.flags = blockFlags(header[33])
	b.seqWidth, b.valueWidth, b.attrWidth = header[37], header[38], header[39]
	if n == 0 || n > uint64(most)/8 || prefixLen > base.MaxRowKeyLen || !widthsValid(header[35], header[36]) || !b.widthsValid() {
		return 0, false
	}
	length = int64(padded(b.place(n, prefixLen)+stored)) + checksumLen
	return length, length <= most
}

// Last implements iterator.Iterator, and fails.
func (s *Salvage) Last() *iterator.Entry { return s.refuse() }

// SeekGE implements iterator.Iterator, and fails.
func (s *Salvage) SeekGE([]byte, base.SeqNum) *iterator.Entry { return s.refuse() }

// SeekLT implements iterator.Iterator, and fails.
func (s *Salvage) SeekLT([]byte) *iterator.Entry { return s.refuse() }

// Prev implements iterator.Iterator, and fails.
func (s *Salvage) Prev() *iterator.Entry { return s.refuse() }

func (s *Salvage) refuse() *iterator.Entry {
	s.err = errSalvage
	return nil
}

// Block implements iterator.Iterator.
func (s *Salvage) Block() (iterator.Block, bool) { return iterator.Block{}, false }

// Err implements iterator.Iterator. Damage is not an error: see Gaps.
func (s *Salvage) Err() error { return s.err }

// Close implements iterator.Iterator.
func (s *Salvage) Close() error { return s.err }
