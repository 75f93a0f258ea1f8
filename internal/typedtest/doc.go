// Package typedtest tests an implementation of collection.Source: History runs random
// calls of every kind against a store and a model in plain maps and compares
// each answer, and CheckRows recounts the rows a store holds.
package typedtest

import (
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/typed"
)

// API makes handles, as a store, a transaction or a snapshot does.
type API interface {
	Keys() typed.Keys
	Key(name string) typed.Key
	String(name string) typed.String
	Hash(name string) typed.Hash
	Set(name string) typed.Set
	ZSet(name string) typed.ZSet
	List(name string) typed.List
}

// Store is a store under test: its own handles are one-shots. It begins empty,
// and nobody else uses it.
type Store interface {
	API
	// Update runs fn in one transaction, which is rolled back if fn fails.
	Update(fn func(tx API) error) error
	// Now returns the store's clock, milliseconds since 1970; it moves only by
	// Advance.
	Now() int64
	Advance(ms int64)
}

// handles makes handles from a source.
type handles struct{ src collection.Source }

// Handles returns the handles of a source.
func Handles(src collection.Source) API { return handles{src} }

func (h handles) Keys() typed.Keys                { return handle.Keys(h.src) }
func (h handles) Key(name string) typed.Key       { return handle.Key(h.src, name) }
func (h handles) String(name string) typed.String { return handle.String(h.src, name) }
func (h handles) Hash(name string) typed.Hash     { return handle.Hash(h.src, name) }
func (h handles) Set(name string) typed.Set       { return handle.Set(h.src, name) }
func (h handles) ZSet(name string) typed.ZSet     { return handle.ZSet(h.src, name) }
func (h handles) List(name string) typed.List     { return handle.List(h.src, name) }
