package typed

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
)

// The globs of Redis: * any bytes, ? one byte, [a-z] or [^a-z] one byte in or
// out of a class, \x the byte x. A class that is not closed reaches to the end
// of the pattern; ] right behind [ closes it, and such a class holds nothing.

// glob is a pattern taken apart. It belongs to one goroutine.
type glob struct {
	parts   []globPart // what stands between the stars; the first and the last may be empty
	classes []globClass
	least   int // bytes of the shortest match
}

// globPart is elements that match as many bytes, one each.
type globPart struct {
	elements []globElement
	text     []byte      // what they match, if each is literal
	search   *globSearch // made when it is first used
}

// globElement matches one byte.
type globElement struct {
	kind  globKind
	byte  byte  // that it matches, if it is literal
	class int32 // which it matches, if it is one
}

type globKind uint8

const (
	globLiteral globKind = iota
	globAny              // one byte
	globInClass          // one byte of a class
)

// globClass has a bit for each byte in it.
type globClass [256 / 64]uint64

func (c *globClass) add(b byte)      { c[b/64] |= 1 << (b % 64) }
func (c *globClass) has(b byte) bool { return c[b/64]&(1<<(b%64)) != 0 }

func parseGlob(pattern string) (g glob) {
	g.parts = make([]globPart, 1)
	// A name is no longer than MaxKeyLen: beyond that the rest of a pattern does not matter.
	for p := 0; p < len(pattern) && g.least <= base.MaxKeyLen; {
		e := globElement{byte: pattern[p]}
		p++
		switch e.byte {
		case '*':
			if len(g.parts) == 1 || len(g.last().elements) > 0 { // else it is a star behind a star
				g.parts = append(g.parts, globPart{})
			}
			continue
		case '?':
			e.kind = globAny
		case '[':
			e.kind, e.class = globInClass, int32(len(g.classes))
			var class globClass
			class, p = parseGlobClass(pattern, p)
			g.classes = append(g.classes, class)
		case '\\':
			if p < len(pattern) {
				e.byte = pattern[p]
				p++
			}
		}
		g.last().add(e)
		g.least++
	}
	return g
}

func (g *glob) last() *globPart { return &g.parts[len(g.parts)-1] }

func (p *globPart) add(e globElement) {
	if e.kind == globLiteral && len(p.text) == len(p.elements) {
		p.text = append(p.text, e.byte)
	}
	p.elements = append(p.elements, e)
}

// parseGlobClass takes the class whose inside starts at p apart, and returns where
// the next element starts.
func parseGlobClass(pattern string, p int) (class globClass, next int) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	for p < len(pattern) && pattern[p] != ']' {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			class.add(pattern[p+1])
			p += 2
		case p+2 < len(pattern) && pattern[p+1] == '-':
			a, b := min(pattern[p], pattern[p+2]), max(pattern[p], pattern[p+2])
			for c := int(a); c <= int(b); c++ {
				class.add(byte(c))
			}
			p += 3
		default:
			class.add(pattern[p])
			p++
		}
	}
	if p < len(pattern) {
		p++ // the bracket
	}
	if not {
		for i := range class {
			class[i] = ^class[i]
		}
	}
	return class, p
}

// match reports whether the whole of s matches: the first part at its beginning, the last at
// its end, and each other one at the first place behind the one before.
func (g *glob) match(s []byte) bool {
	first, last := &g.parts[0], g.last()
	begin, end := len(first.elements), len(s)-len(last.elements)
	switch {
	case len(s) < g.least || first == last && len(s) != begin:
		return false
	case !g.takes(first.elements, s) || !g.takes(last.elements, s[end:]):
		return false
	case first == last:
		return true
	}
	s = s[begin:end]
	for i := 1; i < len(g.parts)-1; i++ {
		after := g.find(&g.parts[i], s)
		if after < 0 {
			return false
		}
		s = s[after:]
	}
	return true
}

// takes reports whether elements match the first bytes of s, which has as many.
func (g *glob) takes(elements []globElement, s []byte) bool {
	for i := range elements {
		if !g.takesByte(&elements[i], s[i]) {
			return false
		}
	}
	return true
}

func (g *glob) takesByte(e *globElement, c byte) bool {
	switch e.kind {
	case globLiteral:
		return e.byte == c
	case globInClass:
		return g.classes[e.class].has(c)
	}
	return true
}

// wordBits is how many elements are looked at in one step.
const wordBits = 64

// find returns the end of the first place in s that a part matches, or -1. Whatever the
// part, it takes about 64 steps for each byte, or one for each byte and each 64 elements.
// To try a long part at each place takes a billion, if it is made so.
func (g *glob) find(p *globPart, s []byte) int {
	n := len(p.elements)
	switch {
	case len(p.text) == n:
		i := bytes.Index(s, p.text)
		if i < 0 {
			return i
		}
		return i + n
	case n > wordBits:
		if p.search == nil {
			p.search = g.newSearch(p.elements)
		}
		return p.search.find(s)
	}
	for i := 0; i+n <= len(s); i++ {
		if g.takes(p.elements, s[i:]) {
			return i + n
		}
	}
	return -1
}

// globSearch has a bit for each byte and each element that matches it, and one for each
// element up to which the elements match the bytes before.
type globSearch struct {
	takes  [256][]uint64
	found  []uint64
	accept uint64 // the bit of the last element, in the last word
}

func (g *glob) newSearch(elements []globElement) *globSearch {
	words := (len(elements) + wordBits - 1) / wordBits
	f := &globSearch{found: make([]uint64, words), accept: 1 << ((len(elements) - 1) % wordBits)}
	for c := range f.takes {
		f.takes[c] = make([]uint64, words)
		for i := range elements {
			if g.takesByte(&elements[i], byte(c)) {
				f.takes[c][i/wordBits] |= 1 << (i % wordBits)
			}
		}
	}
	return f
}

func (f *globSearch) find(s []byte) int {
	clear(f.found)
	for i, c := range s {
		takes, carry := f.takes[c], uint64(1)
		for w, found := range f.found {
			f.found[w] = (found<<1 | carry) & takes[w]
			carry = found >> (wordBits - 1)
		}
		if f.found[len(f.found)-1]&f.accept != 0 {
			return i + 1
		}
	}
	return -1
}

// globPrefix returns what every match of pattern starts with, as far as a name
// can be long.
func globPrefix(pattern string) string {
	pattern = pattern[:min(len(pattern), base.MaxKeyLen)]
	for i := range len(pattern) {
		switch pattern[i] {
		case '*', '?', '[', '\\':
			return pattern[:i]
		}
	}
	return pattern
}
