package wal

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
)

// Frame describes one commit group: Count changes with consecutive sequences.
type Frame struct {
	First base.SeqNum // sequence of the first change
	Count uint32      // changes, at least 1; whoever parses the payload compares
	Clock int64       // store clock the group relied on, ms since 1970
	// Offset is where the frame stands in its file. Readers set it, writers
	// ignore it.
	Offset int64
}

// Last returns the sequence of the frame's last change.
func (f Frame) Last() base.SeqNum { return f.First + base.SeqNum(f.Count) - 1 }

// frameKind says what a frame is. The values are on disk and frozen; zero is
// invalid, so that space never written is no frame.
type frameKind uint8

const (
	kindData    frameKind = 1
	kindTrailer frameKind = 2 // no payload, no changes; First is the log's last sequence
)

// FrameHeaderSize is what a frame takes beyond its payload, in bytes.
const FrameHeaderSize = 64

// FrameSize returns the bytes a frame with payloadLen bytes of payload takes in
// the file. A trailer takes FrameSize(0).
func FrameSize(payloadLen int64) int64 { return FrameHeaderSize + payloadLen }

// frameHeader is the head of a frame. All integers are little-endian.
//
//	 0       8       16       24       32      40       48      52       60
//	+-+-----+--------+--------+--------+-------+--------+-------+--------+------+
//	|k| seq | offset | log id | payload| clock | synced | count | payload| head |
//	| | 7 B | 8 B    | 8 B    | length | 8 B   | 8 B    | 4 B   | sum 8 B| sum  |
//	+-+-----+--------+--------+--------+-------+--------+-------+--------+------+
//	 \ kind, 1 B
//
// offset is the frame's own place in the file: a copy of log bytes inside
// a value stands elsewhere and is never taken for a frame. synced is how many
// bytes of the file were known to be durable when the frame was written.
//
//	payload sum = xxhash64(payload) XOR xxhash64(bytes 0 to 51)
//	head sum    = low 32 bits of xxhash64(bytes 0 to 59)
//
// The first binds the payload to this frame: another frame's payload does not
// verify. 32 bits are enough for the second, as offset and log id must match
// as well.
type frameHeader struct {
	kind       frameKind
	seq        base.SeqNum
	offset     int64
	id         uint64
	length     int64
	clock      int64
	synced     int64
	count      uint32
	payloadSum uint64
}

const (
	idAt         = 16 // of the log id in a frame header; what a search looks for
	countAt      = 48
	payloadSumAt = 52
	headSumAt    = 60
)

// put encodes h into b, which has FrameHeaderSize bytes. payloadHash is the
// plain hash of the payload.
func (h *frameHeader) put(b []byte, payloadHash uint64) {
	_ = b[FrameHeaderSize-1]
	le := binary.LittleEndian
	le.PutUint64(b[0:], uint64(h.seq)<<8|uint64(h.kind))
	le.PutUint64(b[8:], uint64(h.offset))
	le.PutUint64(b[idAt:], h.id)
	le.PutUint64(b[24:], uint64(h.length))
	le.PutUint64(b[32:], uint64(h.clock))
	le.PutUint64(b[40:], uint64(h.synced))
	le.PutUint32(b[countAt:], h.count)
	le.PutUint64(b[payloadSumAt:], payloadHash^xxhash.Sum64(b[:payloadSumAt]))
	le.PutUint32(b[headSumAt:], uint32(xxhash.Sum64(b[:headSumAt])))
}

// decodeFrameHeader decodes the first FrameHeaderSize bytes of b as the header
// of a frame at offset at. ok is false if they are none. The payload's hash
// must be compared with payloadSum, which has the identity taken out.
func decodeFrameHeader(b []byte, at int64) (h frameHeader, ok bool) {
	_ = b[FrameHeaderSize-1]
	le := binary.LittleEndian
	if le.Uint64(b[8:]) != uint64(at) {
		return h, false
	}
	if le.Uint32(b[headSumAt:]) != uint32(xxhash.Sum64(b[:headSumAt])) {
		return h, false
	}
	word, length, synced := le.Uint64(b), le.Uint64(b[24:]), le.Uint64(b[40:])
	h = frameHeader{
		kind:       frameKind(word),
		seq:        base.SeqNum(word >> 8),
		offset:     at,
		id:         le.Uint64(b[idAt:]),
		length:     int64(length),
		clock:      int64(le.Uint64(b[32:])),
		synced:     int64(synced),
		count:      le.Uint32(b[countAt:]),
		payloadSum: le.Uint64(b[payloadSumAt:]) ^ xxhash.Sum64(b[:payloadSumAt]),
	}
	switch {
	case h.kind != kindData && h.kind != kindTrailer, h.id == 0:
		return h, false
	case length > math.MaxInt64, synced > uint64(at):
		return h, false
	}
	return h, true
}
