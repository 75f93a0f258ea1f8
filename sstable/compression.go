package sstable

import (
	"errors"
	"fmt"
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
// it lets the next ones pass: one, two, four, up to maxPause. Its buffers and
// encoder are kept for the next table. It is not safe for concurrent use.
type packer struct {
	kind   Compression
	buf    []byte
	zstd   *zstd.Encoder
	pause  int // blocks to let pass
	failed int // the pause after the next failure
}

// reset prepares p for another table.
func (p *packer) reset(kind Compression) {
	p.kind, p.pause, p.failed = kind, 0, 1
	if cap(p.buf) > keepBuffer {
		p.buf = nil
	}
}

// sample reports whether any of a few parts of values shrinks enough.
func (p *packer) sample(values []byte) (worth bool, err error) {
	for i := range samples {
		at := (len(values) - sampleLen) / (samples - 1) * i
		out, err := p.encode(values[at:][:sampleLen])
		if err != nil || len(out) <= sampleLen-sampleLen/minSaving {
			return err == nil, err
		}
	}
	return false, nil
}

// pack returns values as they are to be stored. The result is values itself or
// borrowed until the next call.
func (p *packer) pack(values []byte) ([]byte, Compression, error) {
	if p.kind == NoCompression || len(values) < minPack {
		return values, NoCompression, nil
	}
	if p.pause > 0 {
		p.pause--
		return values, NoCompression, nil
	}
	if len(values) >= sampleFrom {
		if worth, err := p.sample(values); !worth || err != nil {
			return values, NoCompression, err
		}
	}
	out, err := p.encode(values)
	if err != nil {
		return nil, NoCompression, err
	}
	if len(out) > len(values)-len(values)/minSaving || !mayUnpack(uint64(len(values)), uint64(len(out))) {
		p.pause, p.failed = p.failed, min(2*p.failed, maxPause)
		return values, NoCompression, nil
	}
	p.failed = 1
	return out, p.kind, nil
}

func (p *packer) encode(values []byte) ([]byte, error) {
	if p.kind == S2 {
		if need := s2.MaxEncodedLen(len(values)); cap(p.buf) < need {
			p.buf = make([]byte, need)
		}
		p.buf = s2.Encode(p.buf[:cap(p.buf)], values)
		return p.buf, nil
	}
	if p.zstd == nil {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd encoder: %w", err)
		}
		p.zstd = enc
	}
	p.buf = p.zstd.EncodeAll(values, p.buf[:0])
	return p.buf, nil
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
