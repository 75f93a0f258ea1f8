package model

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// Keys that make trouble: of one byte, runs of 0x00 and 0xFF of every length
// around a word, one a prefix of the other, long common prefixes, and some of
// the greatest length.

const (
	hotKeys  = 24
	pageful  = 4 << 10
	longest  = 64 << 10
	allBytes = "\x00\x01ab\x7f\xfe\xff"
)

// alphabet is the keys of a run, in no order; the first hotKeys are asked for
// most.
func alphabet() []string {
	rng := rand.New(rand.NewPCG(7, 7))
	var keys []string
	for _, b := range []byte(allBytes) {
		for _, n := range []int{1, 2, 7, 8, 9, 16, 17} {
			keys = append(keys, strings.Repeat(string([]byte{b}), n))
		}
	}
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = allBytes[rng.IntN(len(allBytes))]
		}
		return string(b)
	}
	for range 80 {
		keys = append(keys, letters(1+rng.IntN(12)))
	}
	for range 80 {
		keys = append(keys, "a common prefix longer than a word/"+letters(rng.IntN(10)))
	}
	for n := range 4 {
		keys = append(keys, strings.Repeat("p", 300)+letters(n), strings.Repeat("q", pageful)+letters(n))
	}
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	seen := map[string]bool{}
	unique := keys[:0]
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			unique = append(unique, k)
		}
	}
	return append(unique, strings.Repeat("\xff", longest), strings.Repeat("\x00", longest))
}

// draw makes the choices of one operation.
type draw struct {
	*rand.Rand
	keys   []string
	spaces int // named keyspaces there are
}

func newDraw(o Op, keys []string, spaces int) draw {
	return draw{rand.New(rand.NewPCG(uint64(o.Seed), uint64(o.Kind))), keys, spaces}
}

// space is a keyspace; 0 is the default one.
func (d draw) space() int {
	if d.spaces == 0 {
		return 0
	}
	return d.IntN(d.spaces + 1)
}

// one in n.
func (d draw) one(n int) bool { return d.IntN(n) == 0 }

// key is a key of the alphabet, mostly a hot one.
func (d draw) key() string {
	if d.IntN(3) > 0 {
		return d.keys[d.IntN(hotKeys)]
	}
	if n := len(d.keys) - 2; !d.one(200) {
		return d.keys[d.IntN(n)]
	}
	return d.keys[len(d.keys)-1-d.IntN(2)]
}

// bound is a key, part of one, or its successor.
func (d draw) bound() string {
	k := d.key()
	switch d.IntN(4) {
	case 0:
		return k[:1+d.IntN(len(k))]
	case 1:
		if len(k) < longest {
			return k + "\x00"
		}
	}
	return k
}

// bounds are mostly narrow.
func (d draw) bounds() Bounds {
	a, b := d.bound(), d.bound()
	switch d.IntN(6) {
	case 0:
		return Bounds{Lower: min(a, b)}
	case 1:
		return Bounds{Upper: max(a, b), Bounded: true}
	case 2:
		return Bounds{Lower: a, Upper: a + "\xff", Bounded: true}.fit()
	case 3:
		return Bounds{}
	}
	return Bounds{Lower: min(a, b), Upper: max(a, b), Bounded: true}
}

// narrow are bounds that leave most keys out.
func (d draw) narrow() Bounds {
	a := d.bound()
	return Bounds{Lower: a, Upper: a + "\x02", Bounded: true}.fit()
}

// fit cuts an upper bound that is longer than a key may be.
func (b Bounds) fit() Bounds {
	if len(b.Upper) > longest {
		b.Upper = b.Upper[:longest]
	}
	return b
}

// value is empty, short, of a few blocks, and rarely large; compressible or not.
func (d draw) value() []byte {
	var n int
	switch d.IntN(64) {
	case 0:
		n = 0
	case 1, 2:
		n = d.IntN(6 << 10)
	case 3:
		if d.one(8) {
			n = d.IntN(100 << 10)
		}
	default:
		n = d.IntN(120)
	}
	if d.one(2) {
		return bytes.Repeat([]byte{byte(d.Uint32())}, n)
	}
	v := make([]byte, n)
	for i := range v {
		v[i] = byte(d.Uint32())
	}
	return v
}
