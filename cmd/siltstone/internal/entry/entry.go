// Package entry has what is moved between stores and files: keys of any type with all that
// they hold. Walk reads entries from a store and Loader writes them to one; a format is a
// source or a target of entries.
//
//	store ──Walk──► Entry ──► dump, csv, ndjson
//	dump, csv, ndjson, other engines ──► Entry ──Loader──► store
package entry

import (
	"errors"
	"time"

	"github.com/siltstonedb/siltstone/typed"
)

// Entry is a key with what it holds, or a part of a large collection. Parts of one key
// follow each other.
type Entry struct {
	Keyspace string
	Key      []byte // nil: the entry says only that there is such a keyspace
	Type     typed.Type
	Part     int       // of a collection, from 1 on
	Expires  time.Time // of the key; zero: never
	Value    []byte    // of a string
	Elements []Element // of a collection
}

// Element is a field, member or item.
type Element struct {
	Name    string // of a field or member
	Value   []byte // of a field or item
	Score   float64
	Expires time.Time // zero: never
}

// ErrLeftOut is that of a single entry or element which Siltstone cannot hold. A source
// yields it instead of the entry, and goes on behind it.
var ErrLeftOut = errors.New("left out")

// ErrDamaged is the error of a source that was cut short or changed.
var ErrDamaged = errors.New("the file is damaged")

// size is about what an entry takes in memory.
func (e *Entry) size() int {
	n := 128 + len(e.Key) + len(e.Value)
	for i := range e.Elements {
		n += 80 + len(e.Elements[i].Name) + len(e.Elements[i].Value)
	}
	return n
}

// The size of a part: a collection is cut where one of them is reached.
const (
	partElements = 1000
	partBytes    = 256 << 10
)
