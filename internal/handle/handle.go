// Package handle makes the handles of package typed, which has no exported
// constructors: their arguments are the engine's. It imports typed and
// internal/collection; the root package and tests import it. Nothing here has
// state.
package handle

import (
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/typed"
)

var (
	newKey  = collection.NewKey.(func(collection.Source, string) typed.Key)
	newKeys = collection.NewKeys.(func(collection.Source) typed.Keys)
)

// Keys returns the calls on all keys of a source.
func Keys(src collection.Source) typed.Keys { return newKeys(src) }

// Key returns a handle of the key called name. Neither this nor the others look at
// the key or refuse a name: its first use does.
func Key(src collection.Source, name string) typed.Key { return newKey(src, name) }

// String returns a handle of the string called name.
func String(src collection.Source, name string) typed.String {
	return typed.String{Key: newKey(src, name)}
}

// Hash returns a handle of the hash called name.
func Hash(src collection.Source, name string) typed.Hash { return typed.Hash{Key: newKey(src, name)} }

// Set returns a handle of the set called name.
func Set(src collection.Source, name string) typed.Set { return typed.Set{Key: newKey(src, name)} }

// ZSet returns a handle of the sorted set called name.
func ZSet(src collection.Source, name string) typed.ZSet { return typed.ZSet{Key: newKey(src, name)} }

// List returns a handle of the list called name.
func List(src collection.Source, name string) typed.List { return typed.List{Key: newKey(src, name)} }
