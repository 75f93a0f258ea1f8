package archive

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// FormatVersion is the version of the streams that a Writer writes, and the highest that
// a Reader reads.
const FormatVersion = 1

const (
	magic       = "siltBAK\n"
	headerSize  = 128
	headerSumAt = 120
	headSize    = 24
	blockBytes  = 256<<10 - headSize // of a payload that is written
	maxPayload  = 1 << 20            // of one that is read
	maxState    = 1 << 30
	maxTables   = 1 << 22
)

// Kinds of blocks. They are frozen.
const (
	kindTable    = 1 // id 8
	kindBytes    = 2 // of the table
	kindTableEnd = 3 // size 8, digest 8
	kindState    = 4 // a part of the state
	kindEnd      = 5 // tables 8, their bytes 8, bytes of the state 8
)

// streamName stands for a file's name in the errors of damaged streams.
const streamName = "backup stream"

// Header is the beginning of a stream. All integers are little-endian.
//
//	 0       8         12        16         24          32      40      48       120
//	+-------+---------+---------+----------+-----------+-------+-------+--------+----------+
//	| magic | format  | readers | id of    | id of     | since | clock | zeros  | xxhash64 |
//	| 8 B   | version | from    | the      | the       | 8 B   | 8 B   | 72 B   | of bytes |
//	|       | 4 B     | 4 B     | store    | backup    |       |       |        | 0 to 119 |
//	+-------+---------+---------+----------+-----------+-------+-------+--------+----------+
//
// Size, magic, both versions and the checksum stay where they are for ever.
type Header struct {
	Store  uint64    // id of the store; not 0
	Backup uint64    // id of this backup, random; not 0
	Since  uint64    // id of the backup that this one adds to; 0: it is whole by itself
	Time   time.Time // the store's clock, to the millisecond
}

func (h *Header) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, magic...)
	b = le.AppendUint32(b, FormatVersion)
	b = le.AppendUint32(b, FormatVersion)
	b = le.AppendUint64(b, h.Store)
	b = le.AppendUint64(b, h.Backup)
	b = le.AppendUint64(b, h.Since)
	b = le.AppendUint64(b, uint64(max(h.Time.UnixMilli(), 0)))
	b = append(b, make([]byte, headerSumAt-len(b))...)
	return le.AppendUint64(b, xxhash.Sum64(b))
}

func decodeHeader(b []byte) (h Header, err error) {
	le := binary.LittleEndian
	switch {
	case string(b[:len(magic)]) != magic:
		return h, base.Corruptf(streamName, 0, "not a backup")
	case le.Uint64(b[headerSumAt:]) != xxhash.Sum64(b[:headerSumAt]):
		return h, base.Corruptf(streamName, 0, "header does not verify")
	}
	version, from := le.Uint32(b[8:]), le.Uint32(b[12:])
	if from > FormatVersion {
		return h, fmt.Errorf("backup has format %d and needs a version that reads format %d, this one reads up to %d: %w",
			version, from, FormatVersion, base.ErrFormatTooNew)
	}
	h = Header{Store: le.Uint64(b[16:]), Backup: le.Uint64(b[24:]), Since: le.Uint64(b[32:])}
	clock := int64(le.Uint64(b[40:]))
	if version < from || from == 0 || h.Store == 0 || h.Backup == 0 || h.Since == h.Backup || clock < 0 {
		return h, base.Corruptf(streamName, 0, "header contradicts itself")
	}
	h.Time = time.UnixMilli(clock)
	return h, nil
}

// head is what stands in front of a block's payload.
//
//	 0      1       4        8         16
//	+------+-------+--------+---------+----------+
//	| kind | zeros | length | ordinal | xxhash64 |
//	| 1 B  | 3 B   | 4 B    | 8 B     | 8 B      |
//	+------+-------+--------+---------+----------+
//
// The ordinal counts blocks from 1. The checksum is that of the backup's id, of bytes 0
// to 15 and of the payload: a block of another stream, or at another place, does not
// verify.
func putHead(b []byte, kind byte, backup, ordinal uint64, payload []byte) {
	le := binary.LittleEndian
	clear(b[:headSize])
	b[0] = kind
	le.PutUint32(b[4:], uint32(len(payload)))
	le.PutUint64(b[8:], ordinal)
	le.PutUint64(b[16:], blockSum(backup, b, payload))
}

func blockSum(backup uint64, head, payload []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], backup)
	_, _ = d.Write(id[:])
	_, _ = d.Write(head[:16])
	_, _ = d.Write(payload)
	return d.Sum64()
}
