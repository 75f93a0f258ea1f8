package typed

import "github.com/siltstonedb/siltstone/internal/base"

// The globs of Redis: * any bytes, ? one byte, [a-z] or [^a-z] one byte in or
// out of a class, \x the byte x. A class that is not closed reaches to the end
// of the pattern; ] right behind [ closes it, and such a class holds nothing.

// glob is a pattern taken apart, so that a step of a match costs the same for every
// element.
type glob struct {
	elements []globElement
	classes  []globClass
}

// globElement matches one byte, or any number of them.
type globElement struct {
	kind  globKind
	byte  byte // that it matches, if it is literal
	class int  // which it matches, if it is one
}

type globKind uint8

const (
	globLiteral globKind = iota
	globAny              // one byte
	globInClass          // one byte of a class
	globStar             // any bytes
)

// globClass has a bit for each byte in it.
type globClass [256 / 64]uint64

func (c *globClass) add(b byte)      { c[b/64] |= 1 << (b % 64) }
func (c *globClass) has(b byte) bool { return c[b/64]&(1<<(b%64)) != 0 }

func parseGlob(pattern string) (g glob) {
	for p := 0; p < len(pattern); {
		e := globElement{byte: pattern[p]}
		p++
		switch e.byte {
		case '*':
			e.kind = globStar
		case '?':
			e.kind = globAny
		case '[':
			e.kind, e.class = globInClass, len(g.classes)
			var class globClass
			class, p = parseGlobClass(pattern, p)
			g.classes = append(g.classes, class)
		case '\\':
			if p < len(pattern) {
				e.byte = pattern[p]
				p++
			}
		}
		g.elements = append(g.elements, e)
	}
	return g
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

// match reports whether the whole of s matches. It goes back to the last star only,
// so it takes no more than len(elements)·len(s) steps whatever the pattern, and no
// memory.
func (g *glob) match(s []byte) bool {
	p, i := 0, 0
	star, from := -1, 0 // where to go on after the last star, and what it skips to
	for i < len(s) {
		if p < len(g.elements) && g.elements[p].kind == globStar {
			p++
			star, from = p, i
			continue
		}
		if p < len(g.elements) && g.takes(&g.elements[p], s[i]) {
			p, i = p+1, i+1
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star, from
	}
	for p < len(g.elements) && g.elements[p].kind == globStar {
		p++
	}
	return p == len(g.elements)
}

// takes reports whether the element, which is not a star, matches c.
func (g *glob) takes(e *globElement, c byte) bool {
	switch e.kind {
	case globLiteral:
		return e.byte == c
	case globInClass:
		return g.classes[e.class].has(c)
	}
	return true
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
