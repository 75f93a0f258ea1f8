package main

import "bytes"

// values hands out values that compress to about half: stretches of a pool in
// which every piece of random bytes is followed by a repetition of itself.
// The value of a key number is always the same, so that it can be checked.
type values struct {
	pool []byte
	size int
}

const (
	valuePiece = 64      // bytes, half of them random
	valuePool  = 1 << 20 // bytes to start in
)

func newValues(size int) *values {
	r := rng(1)
	pool := make([]byte, 0, valuePool+size+valuePiece)
	for len(pool) < valuePool+size {
		at := len(pool)
		for range valuePiece / 2 {
			pool = append(pool, byte(r.next()))
		}
		pool = append(pool, pool[at:]...)
	}
	return &values{pool: pool, size: size}
}

// of returns the value of key number i; version makes an overwrite differ. The
// slice is shared and must not be changed.
func (v *values) of(i, version uint64) []byte {
	at := mix(i<<8|version&255) % valuePool
	return v.pool[at : at+uint64(v.size) : at+uint64(v.size)]
}

// holds reports whether got is the first version of the value of key i.
func (v *values) holds(i uint64, got []byte) bool { return bytes.Equal(got, v.of(i, 0)) }
