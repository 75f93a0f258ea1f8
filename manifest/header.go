package manifest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// header is the head of a manifest file. All integers are little-endian.
//
//	 0       8         12        16      24       32       40         48       56      120
//	+-------+---------+---------+-------+--------+--------+----------+--------+-------+----------+
//	| magic | format  | readers | DB id | parent | number | frame id | branch | zeros | xxhash64 |
//	| 8 B   | version | from    | 8 B   | id     | 8 B    | 8 B      | 8 B    | 64 B  | of bytes |
//	|       | 4 B     | 4 B     |       | 8 B    |        |          |        |       | 0 to 119 |
//	+-------+---------+---------+-------+--------+--------+----------+--------+-------+----------+
//
// "Readers from" is the lowest version that can read the store; it is what is
// compared, so that a later version may write stores that this one still reads.
// Size, magic, both versions and the checksum stay where they are for ever.
type header struct {
	formatVersion uint32
	readersFrom   uint32
	dbID, parent  uint64
	branch        base.SeqNum
	number        base.FileNum
	frameID       uint64
}

// FormatVersion is the version of the store's files that this code writes, and
// the highest it reads.
const FormatVersion = 1

const (
	headerSize  = 128
	magic       = "siltMAN\n"
	headerSumAt = 120
)

func (h *header) put(b []byte) {
	le := binary.LittleEndian
	clear(b[:headerSize])
	copy(b, magic)
	le.PutUint32(b[8:], h.formatVersion)
	le.PutUint32(b[12:], h.readersFrom)
	le.PutUint64(b[16:], h.dbID)
	le.PutUint64(b[24:], h.parent)
	le.PutUint64(b[32:], uint64(h.number))
	le.PutUint64(b[40:], h.frameID)
	le.PutUint64(b[48:], uint64(h.branch))
	le.PutUint64(b[headerSumAt:], xxhash.Sum64(b[:headerSumAt]))
}

// readHeader reads the header of a manifest, size bytes long.
func readHeader(r io.ReaderAt, size int64, number base.FileNum) (header, error) {
	b := make([]byte, max(0, min(size, headerSize)))
	if n, err := r.ReadAt(b, 0); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return header{}, err
	}
	return decodeHeader(b, number)
}

// decodeHeader decodes the header of the manifest with the given number.
func decodeHeader(b []byte, number base.FileNum) (header, error) {
	name := base.Filename(base.FileManifest, number)
	le := binary.LittleEndian
	switch {
	case len(b) < headerSize:
		return header{}, base.Corruptf(name, 0, "manifest is %d bytes long, its header alone takes %d", len(b), headerSize)
	case string(b[:len(magic)]) != magic:
		return header{}, base.Corruptf(name, 0, "not a manifest")
	case le.Uint64(b[headerSumAt:]) != xxhash.Sum64(b[:headerSumAt]):
		return header{}, base.Corruptf(name, 0, "header does not verify")
	}
	h := header{
		formatVersion: le.Uint32(b[8:]),
		readersFrom:   le.Uint32(b[12:]),
		dbID:          le.Uint64(b[16:]),
		parent:        le.Uint64(b[24:]),
		number:        base.FileNum(le.Uint64(b[32:])),
		frameID:       le.Uint64(b[40:]),
		branch:        base.SeqNum(le.Uint64(b[48:])),
	}
	switch {
	case h.readersFrom > FormatVersion:
		return header{}, fmt.Errorf("%s has format %d and needs a version that reads format %d, this one reads up to %d: %w",
			name, h.formatVersion, h.readersFrom, FormatVersion, base.ErrFormatTooNew)
	case h.formatVersion == 0 || h.readersFrom == 0 || h.readersFrom > h.formatVersion || h.frameID == 0 || h.branch > base.SeqMax:
		return header{}, base.Corruptf(name, 0, "header contradicts itself")
	case h.number != number:
		return header{}, base.Corruptf(name, 0, "the file holds manifest %d", uint64(h.number))
	}
	return h, nil
}
