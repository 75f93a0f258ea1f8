package model

import "github.com/cespare/xxhash/v2"

// Map is an immutable sorted map from keys to rows: a treap whose changes copy
// the path to the root. The zero Map is empty. Safe for concurrent use.
type Map struct{ root *node }

// Row is what the model knows of a key. Its bytes belong to the model.
type Row struct {
	Value  []byte
	Fields map[string]string // of a hash, never changed; nil for a string
	Expiry int64             // milliseconds since 1970; 0: never
}

// node is one key of a Map. It is never changed.
type node struct {
	key         string
	row         Row
	priority    uint64 // the hash of the key
	left, right *node
}

func newNode(key string, r Row) *node {
	return &node{key: key, row: r, priority: xxhash.Sum64String(key)}
}

// with returns a copy of n with other children.
func (n *node) with(left, right *node) *node {
	return &node{key: n.key, row: n.row, priority: n.priority, left: left, right: right}
}

// split cuts a treap into the keys below key and the rest.
func split(n *node, key string) (below, rest *node) {
	switch {
	case n == nil:
		return nil, nil
	case n.key < key:
		l, r := split(n.right, key)
		return n.with(n.left, l), r
	default:
		l, r := split(n.left, key)
		return l, n.with(r, n.right)
	}
}

// join is the reverse of split.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		return a.with(a.left, join(a.right, b))
	default:
		return b.with(join(a, b.left), b.right)
	}
}

// Put returns m with key set to r.
func (m Map) Put(key string, r Row) Map {
	below, rest := split(m.root, key)
	_, above := split(rest, key+"\x00")
	return Map{join(join(below, newNode(key, r)), above)}
}

// Delete returns m without the keys of b.
func (m Map) Delete(b Bounds) Map {
	below, rest := split(m.root, b.Lower)
	if !b.Bounded {
		return Map{below}
	}
	if b.empty() {
		return m
	}
	_, above := split(rest, b.Upper)
	return Map{join(below, above)}
}

// ceil returns the first node at or behind key, or nil.
func (m Map) ceil(key string) (found *node) {
	for n := m.root; n != nil; {
		if n.key < key {
			n = n.right
		} else {
			found, n = n, n.left
		}
	}
	return found
}

// floor returns the last node before key, or the last of all if there is no
// bound; nil if there is none.
func (m Map) floor(key string, bounded bool) (found *node) {
	for n := m.root; n != nil; {
		if bounded && n.key >= key {
			n = n.left
		} else {
			found, n = n, n.right
		}
	}
	return found
}

// Bounds are the keys from Lower, included, to Upper, excluded, if Bounded.
type Bounds struct {
	Lower, Upper string
	Bounded      bool
}

// one is the bounds of a single key.
func one(key string) Bounds { return Bounds{Lower: key, Upper: key + "\x00", Bounded: true} }

// empty reports whether no key lies in b: a range delete of it is no change.
func (b Bounds) empty() bool { return b.Bounded && b.Upper <= b.Lower }

func (b Bounds) has(key string) bool {
	return key >= b.Lower && (!b.Bounded || key < b.Upper)
}

// meets reports whether the two have a key in common.
func (b Bounds) meets(o Bounds) bool {
	lo, hi, bounded := max(b.Lower, o.Lower), b.Upper, b.Bounded
	if o.Bounded && (!bounded || o.Upper < hi) {
		hi, bounded = o.Upper, true
	}
	return !bounded || lo < hi
}
