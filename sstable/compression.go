package sstable

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression says how the values of a block are stored. Keys are never
// compressed. The numbers are on disk and frozen.
type Compression uint8

const (
	NoCompression Compression = 1
	S2            Compression = 2
	Zstd          Compression = 3
)

func (c Compression) known() bool { return c >= NoCompression && c <= Zstd }

func (c Compression) String() string {
	switch c {
	case NoCompression:
		return "none"
	case S2:
		return "s2"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression%d", uint8(c))
}

const (
	// Values that shrink by less than an eighth are stored as they are.
	minSaving = 8
	// Less than this is not worth a call.
	minPack = 64
	// A block may grow by maxGrowth when unpacked, unless it stays below
	// freeGrowth: a crafted file cannot make its reader allocate more than that.
	maxGrowth  = 256
	freeGrowth = 4 << 20
	// Of a value so large parts are tried first: a buffer for all of it is not to
	// be had for nothing.
	sampleFrom = 4 << 20
	samples    = 4
	sampleLen  = 64 << 10
	// maxPause bounds for how many blocks a packer that saved nothing gives up.
	maxPause = 16
)

// mayUnpack reports whether a block may hold raw bytes of values in stored ones.
func mayUnpack(raw, stored uint64) bool { return raw <= freeGrowth || raw/maxGrowth <= stored }

var errUnpack = errors.New("values do not unpack to their size")

// packer compresses the values of one table. After a block that did not shrink
// it lets the next ones pass: one, two, four, up to maxPause. Its encoder is kept
// for the next table. It is not safe for concurrent use.
type packer struct {
	kind   Compression
	zstd   *zstd.Encoder
	pause  int // blocks to let pass
	failed int // the pause after the next failure

	pageSize  uint32   // unpacked, at least
	pageEnds  []uint32 // of the block being written
	directory []byte   // of its pages
}

// reset prepares p for another table, of blocks of that size.
func (p *packer) reset(kind Compression, blockSize int) {
	p.kind, p.pause, p.failed, p.pageSize = kind, 0, 1, uint32(max(1, blockSize/blockPages))
}

// sample reports whether any of a few parts of values shrinks enough. It uses what
// is behind dst and returns dst, which may have moved.
func (p *packer) sample(dst, values []byte) (_ []byte, worth bool, err error) {
	start := len(dst)
	for i := range samples {
		at := (len(values) - sampleLen) / (samples - 1) * i
		dst, err = p.encode(dst[:start], values[at:][:sampleLen])
		if worth = len(dst)-start <= sampleLen-sampleLen/minSaving; worth || err != nil {
			return dst[:start], worth && err == nil, err
		}
	}
	return dst[:start], false, nil
}

// pack appends values to dst, compressed, and says how. NoCompression: they are
// to be stored as they are, and nothing was appended.
func (p *packer) pack(dst, values []byte) ([]byte, Compression, error) {
	if p.kind == NoCompression || len(values) < minPack {
		return dst, NoCompression, nil
	}
	if p.pause > 0 {
		p.pause--
		return dst, NoCompression, nil
	}
	start := len(dst)
	if len(values) >= sampleFrom {
		var worth bool
		var err error
		if dst, worth, err = p.sample(dst, values); !worth || err != nil {
			return dst, NoCompression, err
		}
	}
	dst, err := p.encode(dst, values)
	if err != nil {
		return dst, NoCompression, err
	}
	if !p.worth(len(values), len(dst)-start) {
		return dst[:start], NoCompression, nil
	}
	return dst, p.kind, nil
}

// worth reports whether values of raw bytes may be stored in so many, and pay. If
// not, some of the next blocks are let pass.
func (p *packer) worth(raw, stored int) bool {
	if stored > raw-raw/minSaving || !mayUnpack(uint64(raw), uint64(stored)) {
		p.pause, p.failed = p.failed, min(2*p.failed, maxPause)
		return false
	}
	p.failed = 1
	return true
}

// encode appends values to dst, compressed.
func (p *packer) encode(dst, values []byte) ([]byte, error) {
	if p.kind == S2 {
		need, start := s2.MaxEncodedLen(len(values)), len(dst)
		dst = slices.Grow(dst, need)
		out := s2.Encode(dst[start:start+need], values)
		return dst[:start+len(out)], nil
	}
	if p.zstd == nil {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return dst, fmt.Errorf("zstd encoder: %w", err)
		}
		p.zstd = enc
	}
	return p.zstd.EncodeAll(values, dst), nil
}

// unpacker decompresses the values of a table's blocks. Its decoder is made when
// the first zstd block is met. It is safe for concurrent use.
type unpacker struct {
	once sync.Once
	zstd *zstd.Decoder
	err  error
}

// unpack decompresses packed into dst, which has exactly the size of the result.
func (u *unpacker) unpack(dst, packed []byte, c Compression) error {
	switch c {
	case S2:
		if n, err := s2.DecodedLen(packed); err != nil || n != len(dst) {
			return errUnpack
		}
		if _, err := s2.Decode(dst, packed); err != nil {
			return fmt.Errorf("unpack values: %w", err)
		}
		return nil
	case Zstd:
		u.once.Do(func() {
			u.zstd, u.err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
				zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(1<<31))
		})
		if u.err != nil {
			return fmt.Errorf("zstd decoder: %w", u.err)
		}
		out, err := u.zstd.DecodeAll(packed, dst[:0:len(dst)])
		if err != nil {
			return fmt.Errorf("unpack values: %w", err)
		}
		if len(out) != len(dst) || len(dst) > 0 && &out[0] != &dst[0] {
			return errUnpack
		}
		return nil
	}
	return errUnpack
}
