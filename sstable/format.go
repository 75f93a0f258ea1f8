package sstable

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// footer is the end of a table and the first thing read of it. All numbers are
// little-endian.
//
//	+-------------+--------+--------+------------+------+---------+------+----------+-------+
//	| tombstones  | filter | index  | properties | id   | version | zero | checksum | magic |
//	| 8 B         | 8 B    | 8 B    | 8 B        | 8 B  | 4 B     | 4 B  | 8 B      | 8 B   |
//	+-------------+--------+--------+------------+------+---------+------+----------+-------+
//
// The first four are the lengths of the sections before it, which stand in this
// order without a gap; what lies before them are the data blocks.
type footer struct {
	lengths [4]int64 // by section − sectionRangeDeletes
	id      uint64
	parted  bool // a data block has pages, or one large record
}

// section names a kind of block. The numbers take part in checksums and are
// frozen.
type section uint64

const (
	sectionData         section = 1
	sectionRangeDeletes section = 2
	sectionFilter       section = 3
	sectionIndex        section = 4
	sectionProperties   section = 5
	sectionFooter       section = 6
	sectionHead         section = 7 // of a data block with one large record
)

const (
	plainVersion  = 1
	formatVersion = 2 // values may stand in pages, or behind a head of their own
	footerLen     = 64
	checksumLen   = 8
	footerSummed  = 48 // bytes under the footer's checksum
	alignment     = 8  // of every section and block

	magic = "siltsst\x01"
)

// checksum returns the checksum of payload: the xxhash of its bytes and that of
// where they belong, joined by exclusive or. A block moved to another place of
// its file, or to another file, does not verify.
func checksum(payload []byte, id uint64, offset int64, s section) uint64 {
	return xxhash.Sum64(payload) ^ placeHash(id, offset, s)
}

// checksumPieces is checksum of a payload in pieces.
func checksumPieces(id uint64, offset int64, s section, pieces ...[]byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, p := range pieces {
		_, _ = d.Write(p)
	}
	return d.Sum64() ^ placeHash(id, offset, s)
}

func placeHash(id uint64, offset int64, s section) uint64 {
	var place [24]byte
	binary.LittleEndian.PutUint64(place[0:], id)
	binary.LittleEndian.PutUint64(place[8:], uint64(offset))
	binary.LittleEndian.PutUint64(place[16:], uint64(s))
	return xxhash.Sum64(place[:])
}

// seal ends the block that starts at dst[start:] and will stand at offset of the
// file: zeros up to the alignment, then the checksum.
func seal(dst []byte, start int, id uint64, offset int64, s section) []byte {
	dst = pad(dst, start)
	return binary.LittleEndian.AppendUint64(dst, checksum(dst[start:], id, offset, s))
}

// unseal checks the block b, read from offset, and returns it without its
// checksum.
func unseal(b []byte, id uint64, offset int64, s section) ([]byte, error) {
	if len(b) < checksumLen || len(b)%alignment != 0 {
		return nil, fmt.Errorf("block of %d bytes", len(b))
	}
	payload := b[:len(b)-checksumLen]
	if got, want := checksum(payload, id, offset, s), binary.LittleEndian.Uint64(b[len(payload):]); got != want {
		return nil, fmt.Errorf("checksum is %016x, want %016x", want, got)
	}
	return payload, nil
}

// pad appends zeros until dst[start:] has a multiple of eight bytes.
func pad(dst []byte, start int) []byte {
	var zeros [alignment]byte
	return append(dst, zeros[:-(len(dst)-start)&(alignment-1)]...)
}

// padded returns n rounded up to the alignment.
func padded(n uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }

// appendFooter appends f's encoding, which will stand at offset of the file.
func appendFooter(dst []byte, f footer, offset int64) []byte {
	start := len(dst)
	for _, n := range f.lengths {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.LittleEndian.AppendUint64(dst, f.id)
	version := uint32(plainVersion)
	if f.parted {
		version = formatVersion
	}
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, checksum(dst[start:], f.id, offset, sectionFooter))
	return append(dst, magic...)
}

// decodeFooter decodes the last bytes of a file of the given size. The lengths
// it returns fit the file.
func decodeFooter(b []byte, size int64) (f footer, err error) {
	offset := size - footerLen
	if len(b) != footerLen || string(b[footerLen-len(magic):]) != magic {
		return f, fmt.Errorf("file of %d bytes does not end as a table does", size)
	}
	f.id = binary.LittleEndian.Uint64(b[32:])
	want := binary.LittleEndian.Uint64(b[footerSummed:])
	if got := checksum(b[:footerSummed], f.id, offset, sectionFooter); got != want {
		return f, fmt.Errorf("footer checksum is %016x, want %016x", want, got)
	}
	v := binary.LittleEndian.Uint32(b[40:])
	if v < plainVersion || v > formatVersion {
		return f, fmt.Errorf("table format %d: %w", v, base.ErrFormatTooNew)
	}
	f.parted = v > plainVersion
	if binary.LittleEndian.Uint32(b[44:]) != 0 {
		return f, fmt.Errorf("reserved bytes of the footer are not zero")
	}
	left := uint64(offset)
	for i := range f.lengths {
		n := binary.LittleEndian.Uint64(b[8*i:])
		if n > left || n%alignment != 0 || n < checksumLen {
			return f, fmt.Errorf("section of %d bytes in a file of %d", n, size)
		}
		left -= n
		f.lengths[i] = int64(n)
	}
	return f, nil
}

// starts returns where each section begins in a file of the given size, the
// first being the end of the data blocks.
func (f footer) starts(size int64) (at [4]int64) {
	end := size - footerLen
	for i := len(at) - 1; i >= 0; i-- {
		end -= f.lengths[i]
		at[i] = end
	}
	return at
}
