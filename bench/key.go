package main

import "math/bits"

// keyShape turns the numbers 0..n-1 into keys of one length: a fixed prefix, then
// sixteen hexadecimal digits.
type keyShape struct {
	prefix string
	random bool // the digits are a mix of the number: rising numbers, random keys
}

const keyDigits = 16

// append appends key number i to dst. Different numbers are different keys.
func (s keyShape) append(dst []byte, i uint64) []byte {
	if s.random {
		i = mix(i)
	}
	dst = append(dst, s.prefix...)
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[i>>shift&15])
	}
	return dst
}

func (s keyShape) len() int { return len(s.prefix) + keyDigits }

// mix is a bijection of 64-bit numbers that scatters them (the finalizer of
// splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rng is a small, fast generator: the sequence mix(seed), mix(seed+1), ...
type rng uint64

func (r *rng) next() uint64 {
	*r++
	return mix(uint64(*r))
}

// below returns a number in [0, n).
func (r *rng) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// unit returns a number in [0, 1).
func (r *rng) unit() float64 { return float64(r.next()>>11) / (1 << 53) }
