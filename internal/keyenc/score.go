package keyenc

import (
	"encoding/binary"
	"math"
)

// A score is a float64 as 8 bytes whose bytewise order is the order of the
// numbers: the IEEE bits big-endian, with the sign bit set if the number is not
// negative, all bits inverted if it is.
//
//	−Inf  00 0F FF FF FF FF FF FF
//	−1    40 0F FF FF FF FF FF FF
//	 0    80 00 00 00 00 00 00 00
//	 1    BF F0 00 00 00 00 00 00
//	+Inf  FF F0 00 00 00 00 00 00
//
// −0 is stored as 0, and NaN has no place in the order and never is stored. So
// each number has one encoding, and its successor in the order is below 2⁶⁴.
const ScoreLen = 8

const signBit = 1 << 63

// OrderScore returns the number whose unsigned order is the order of scores. The
// caller has refused NaN.
func OrderScore(score float64) uint64 {
	if score == 0 {
		score = 0 // −0
	}
	bits := math.Float64bits(score)
	if bits&signBit != 0 {
		return ^bits
	}
	return bits | signBit
}

// AppendScore appends the 8 bytes of score to dst.
func AppendScore(dst []byte, score float64) []byte {
	return binary.BigEndian.AppendUint64(dst, OrderScore(score))
}

// DecodeScore decodes the score at the start of b. ok is false if b is too short
// or holds what AppendScore never writes: NaN or −0.
func DecodeScore(b []byte) (score float64, ok bool) {
	if len(b) < ScoreLen {
		return 0, false
	}
	bits := binary.BigEndian.Uint64(b)
	if bits&signBit != 0 {
		bits &^= signBit
	} else {
		bits = ^bits
	}
	score = math.Float64frombits(bits)
	if math.IsNaN(score) || bits == signBit {
		return 0, false
	}
	return score, true
}
