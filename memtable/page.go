package memtable

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// A page is a sorted array of up to pageCap unique keys that lie between two
// fences: the inside of leaves and branches.
//
//	skip  │ prefix[i]: 8 bytes behind the first skip  │ ref[i]: node of the key
//	"user:│ 00 61 64 61 00 00 00 00                   │ 0x0001f3
//
// Keys are searched by their prefixes, without touching the keys but where
// prefixes are equal ("a" and "a\x00"). The first skip bytes are what the fences
// share. Where a fence is missing they are what the keys share and the page is
// open: a key that does not share them is recognized by the sample.
//
// Pages are guarded by order.mu.
type page struct {
	sample []byte // a key with the first skip bytes; nil: no keys yet

	n    uint16
	at   int16 // where the last insertion went
	run  int8  // insertions in a row next to each other: rising > 0, falling < 0
	open bool  // keys that do not share the first skip bytes may belong here
	skip int32 // leading bytes all keys share and prefixes leave out

	prefix [pageCap]uint64
	ref    [pageCap]uint32
}

// pageCap makes a leaf fill an allocation of 1536 bytes.
const pageCap = 120

// runLength is how many insertions in a row next to each other are taken for a
// stream: the next split is made there, so that it leaves full pages behind.
const runLength = 8

// stream reports whether the page is being filled by rising or falling keys.
func (p *page) stream() bool { return p.run == runLength || p.run == -runLength }

// search returns the index of the first key at or above key, which lies between
// the page's fences, and whether it is key itself.
func (p *page) search(a *arena, key []byte) (i int, found bool) {
	if p.open && p.skip > 0 {
		shared := p.sample[:p.skip]
		if side := bytes.Compare(key[:min(len(key), len(shared))], shared); side < 0 {
			return 0, false
		} else if side > 0 {
			return int(p.n), false
		}
	}
	p.fetch()
	want := base.Prefix8(key, int(p.skip))
	i = lowerBound(p.prefix[:p.n], want)
	if i == int(p.n) || p.prefix[i] != want {
		return i, false
	}
	end := i + 1
	for end < int(p.n) && p.prefix[end] == want {
		end++
	}
	for i < end {
		m := int(uint(i+end) >> 1)
		switch bytes.Compare(a.key(p.ref[m]), key) {
		case 0:
			return m, true
		case -1:
			i = m + 1
		default:
			end = m
		}
	}
	return i, false
}

// fetch loads every second cache line of the prefixes (the processor brings
// lines in pairs): the halving search would wait for one after the other.
func (p *page) fetch() {
	x := p.prefix[0] + p.prefix[16] + p.prefix[32] + p.prefix[48] + p.prefix[64] + p.prefix[80] + p.prefix[96] + p.prefix[112]
	sink(x)
}

//go:noinline
func sink(uint64) {}

// lowerBound returns the index of the first number at or above want.
func lowerBound(s []uint64, want uint64) int {
	lo, n := 0, len(s)
	for n > 1 {
		half := n / 2
		if s[lo+half-1] < want {
			lo += half
		}
		n -= half
	}
	if n == 1 && s[lo] < want {
		lo++
	}
	return lo
}

// insert puts a new key at index i of a page that has room. The key is the
// arena's, ref its node.
func (p *page) insert(a *arena, i int, key []byte, ref uint32) {
	switch {
	case p.sample == nil:
		p.setSkip(a, len(key), key)
	case p.open && p.skip > 0:
		if s := base.CommonPrefix(key, p.sample[:p.skip]); s < int(p.skip) {
			p.setSkip(a, s, p.sample)
		}
	}
	n := int(p.n)
	if i < n {
		copy(p.prefix[i+1:n+1], p.prefix[i:n])
		copy(p.ref[i+1:n+1], p.ref[i:n])
	}
	p.prefix[i] = base.Prefix8(key, int(p.skip))
	p.ref[i] = ref
	p.n++
	switch i - int(p.at) {
	case 1:
		p.run = min(max(p.run, 0)+1, runLength)
	case 0:
		p.run = max(min(p.run, 0)-1, -runLength)
	default:
		p.run = 0
	}
	p.at = int16(i)
}

// setSkip makes the prefixes start behind the first skip bytes, which all keys
// share with sample.
func (p *page) setSkip(a *arena, skip int, sample []byte) {
	p.sample = sample
	if skip == int(p.skip) {
		return
	}
	p.skip = int32(skip)
	for i, ref := range p.ref[:p.n] {
		p.prefix[i] = base.Prefix8(a.key(ref), skip)
	}
}

// fit chooses the skip of a page whose fences are now lo and hi; an empty lo or a
// nil hi is missing.
func (p *page) fit(a *arena, lo, hi []byte) {
	p.open = len(lo) == 0 || hi == nil
	switch {
	case !p.open:
		p.setSkip(a, base.CommonPrefix(lo, hi), lo)
	case p.n == 0:
		p.setSkip(a, 0, nil)
	default:
		first, last := a.key(p.ref[0]), a.key(p.ref[p.n-1])
		p.setSkip(a, base.CommonPrefix(first, last), first)
	}
}

// moveUpper moves the keys from index i on to right, an empty page.
func (p *page) moveUpper(i int, right *page) {
	right.n = uint16(copy(right.ref[:], p.ref[i:p.n]))
	copy(right.prefix[:], p.prefix[i:p.n])
	right.skip, right.sample = p.skip, p.sample
	p.n = uint16(i)
}
