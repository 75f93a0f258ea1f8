package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Header is the head of a log. All integers are little-endian.
//
//	  0      8         12     16      24       32       40       48
//	+-------+---------+------+-------+--------+--------+--------+-------+
//	| magic | version | zero | DB id | log id | number | last   | clock |
//	| 8 B   | 4 B     | 4 B  | 8 B   | 8 B    | 8 B    | seq    | 8 B   |
//	+-------+---------+------+-------+--------+--------+--------+-------+
//	 56       64       72      80         88      89           120
//	+--------+--------+-------+----------+-------+------------+-----------------+
//	| number | log id | end   | last seq | flags | zeros      | xxhash64 of     |
//	| 8 B    | 8 B    | 8 B   | 8 B      | 1 B   | 31 B       | bytes 0 to 119  |
//	+--------+--------+-------+----------+-------+------------+-----------------+
//	 ╰──────── of the predecessor ───────╯
//
// Size, magic and checksum stay where they are in every later format, so that
// a reader distinguishes a newer log from a damaged one.
type Header struct {
	Number base.FileNum // at least 1; what the file is named after
	DBID   uint64
	LogID  uint64 // random, not zero, of this log alone
	Prev   Predecessor
	// LastSeq is the largest sequence taken before this log; its first frame is
	// above it.
	LastSeq base.SeqNum
	Clock   int64 // store clock at activation, ms since 1970
	// Notes says that a note stands in front of each commit of the frames' payloads.
	Notes bool
}

// Predecessor says where the log before this one ends. The zero value says that
// there is none. The first log after a recovery or a clean close names one only if
// changes are kept, and then without an End: that log has no trailer.
type Predecessor struct {
	Number  base.FileNum
	LogID   uint64
	End     int64 // offset behind its trailer; 0: it has none
	LastSeq base.SeqNum
}

const (
	// HeaderSize is where the first frame of a log stands.
	HeaderSize = 128

	magic         = "siltWAL\n"
	formatVersion = 1
	versionAt     = 8
	flagsAt       = 88
	reservedAt    = 89
	headerSumAt   = 120

	flagNotes = 1
)

var errBadHeader = errors.New("wal: header contradicts itself")

// put encodes h into b, which has HeaderSize bytes.
func (h *Header) put(b []byte) {
	le := binary.LittleEndian
	clear(b[:HeaderSize])
	copy(b, magic)
	le.PutUint32(b[versionAt:], formatVersion)
	le.PutUint64(b[16:], h.DBID)
	le.PutUint64(b[24:], h.LogID)
	le.PutUint64(b[32:], uint64(h.Number))
	le.PutUint64(b[40:], uint64(h.LastSeq))
	le.PutUint64(b[48:], uint64(h.Clock))
	le.PutUint64(b[56:], uint64(h.Prev.Number))
	le.PutUint64(b[64:], h.Prev.LogID)
	le.PutUint64(b[72:], uint64(h.Prev.End))
	le.PutUint64(b[80:], uint64(h.Prev.LastSeq))
	if h.Notes {
		b[flagsAt] = flagNotes
	}
	le.PutUint64(b[headerSumAt:], xxhash.Sum64(b[:headerSumAt]))
}

// decodeHeader decodes the first HeaderSize bytes of b. ok is false if they are
// no header at all; err is set if they are one that must be refused.
func decodeHeader(b []byte, name string) (h Header, ok bool, err error) {
	le := binary.LittleEndian
	if string(b[:len(magic)]) != magic || le.Uint64(b[headerSumAt:]) != xxhash.Sum64(b[:headerSumAt]) {
		return h, false, nil
	}
	if v := le.Uint32(b[versionAt:]); v != formatVersion {
		if v == 0 {
			return h, false, base.Corruptf(name, 0, "log format version 0")
		}
		return h, false, fmt.Errorf("%s has log format %d, this version reads %d: %w", name, v, formatVersion, base.ErrFormatTooNew)
	}
	h = Header{
		DBID:    le.Uint64(b[16:]),
		LogID:   le.Uint64(b[24:]),
		Number:  base.FileNum(le.Uint64(b[32:])),
		LastSeq: base.SeqNum(le.Uint64(b[40:])),
		Clock:   int64(le.Uint64(b[48:])),
		Prev: Predecessor{
			Number:  base.FileNum(le.Uint64(b[56:])),
			LogID:   le.Uint64(b[64:]),
			End:     int64(le.Uint64(b[72:])),
			LastSeq: base.SeqNum(le.Uint64(b[80:])),
		},
		Notes: b[flagsAt]&flagNotes != 0,
	}
	var rest [headerSumAt - reservedAt]byte
	if h.check() != nil || le.Uint32(b[versionAt+4:]) != 0 || b[flagsAt]&^flagNotes != 0 || string(b[reservedAt:headerSumAt]) != string(rest[:]) {
		return h, false, base.Corruptf(name, 0, "%w", errBadHeader)
	}
	return h, true, nil
}

// check reports whether a header can be true.
func (h *Header) check() error {
	p := h.Prev
	switch {
	case h.Number == 0, h.LogID == 0, h.LastSeq > base.SeqMax:
		return errBadHeader
	case p == Predecessor{}:
		return nil
	case p.Number == 0, p.Number >= h.Number, p.LogID == 0, p.LogID == h.LogID,
		p.End != 0 && p.End < HeaderSize+FrameHeaderSize, p.LastSeq > h.LastSeq:
		return errBadHeader
	}
	return nil
}
