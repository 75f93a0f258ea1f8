package typed

import "github.com/siltstonedb/siltstone/internal/base"

// The globs of Redis: * any bytes, ? one byte, [a-z] or [^a-z] one byte in or
// out of a class, \x the byte x. A class that is not closed reaches to the end
// of the pattern; ] right behind [ closes it, and such a class holds nothing.

// globMatch reports whether the whole of s matches pattern. It goes back to the
// last star only, so it takes no more than len(pattern)·len(s) steps whatever
// the pattern, and no memory.
func globMatch(pattern string, s []byte) bool {
	p, i := 0, 0
	star, from := -1, 0 // where to go on after the last star, and what it skips to
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, from = p, i
			continue
		}
		if p < len(pattern) {
			if next, ok := globByte(pattern, p, s[i]); ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globByte matches c against the element of pattern at p, which is not a star,
// and returns where the next element starts.
func globByte(pattern string, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return globClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// globClass matches c against the class whose inside starts at p.
func globClass(pattern string, p int, c byte) (next int, ok bool) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	in := false
	for p < len(pattern) && pattern[p] != ']' {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			in = in || pattern[p+1] == c
			p += 2
		case p+2 < len(pattern) && pattern[p+1] == '-':
			a, b := min(pattern[p], pattern[p+2]), max(pattern[p], pattern[p+2])
			in = in || a <= c && c <= b
			p += 3
		default:
			in = in || pattern[p] == c
			p++
		}
	}
	if p < len(pattern) {
		p++ // the bracket
	}
	return p, in != not
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
