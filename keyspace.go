package siltstone

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/typed"
)

// Keyspace is a named part of the store: keys of its own, which no other
// keyspace sees, and which are dropped together at no cost. It has the calls
// that DB has for the default keyspace, which has no name. DB.Keyspace makes
// handles, which are safe for concurrent use; Tx.In, Snapshot.In and Batch.In
// address a keyspace in one of those.
//
// Keys may be as long as in the default keyspace. What does not concern keys,
// durability, memory, space and the commit itself, is shared by all keyspaces.
type Keyspace struct {
	db    *DB
	space *keyspace.Space
}

var (
	_ Reader = (*Keyspace)(nil)
	_ Writer = (*Keyspace)(nil)
	_ Typed  = (*Keyspace)(nil)
)

// errForeign refuses a handle that did not come from this store.
var errForeign = errors.New("siltstone: the keyspace is another store's, or of an earlier opening of this one")

// Name returns the name of the keyspace.
func (ks *Keyspace) Name() string { return ks.space.Name }

// Get returns the value of key, a copy that is the caller's, or ErrNotFound. A
// key that holds a collection is ErrWrongType.
func (ks *Keyspace) Get(key []byte) ([]byte, error) { return ks.db.appendGet(ks.space, nil, key) }

// AppendGet appends the value of key to dst and returns the result; on an error
// it returns dst as it was. Given room in dst it does not allocate.
func (ks *Keyspace) AppendGet(dst, key []byte) ([]byte, error) {
	return ks.db.appendGet(ks.space, dst, key)
}

// Has reports whether key exists, whatever its type. It reads no value.
func (ks *Keyspace) Has(key []byte) (bool, error) { return ks.db.has(ks.space, key) }

// TTL returns how long key has to live, rounded up to milliseconds; NoTTL if it
// does not expire, ErrNotFound if it does not exist.
func (ks *Keyspace) TTL(key []byte) (time.Duration, error) { return ks.db.ttl(ks.space, key) }

// Scan loops over the keys of r in ascending order, over the state at the
// loop's start. Breaking out releases everything; an error is the last item.
func (ks *Keyspace) Scan(r Range) iter.Seq2[KV, error] { return scan(ks, r, false) }

// ScanBack loops over the keys of r in descending order, as Scan does.
func (ks *Keyspace) ScanBack(r Range) iter.Seq2[KV, error] { return scan(ks, r, true) }

// NewIter returns an iterator over the current state, positioned nowhere, which
// the caller closes. It outlives the dropping of the keyspace.
func (ks *Keyspace) NewIter(o *IterOptions) (*Iterator, error) { return ks.db.newIter(ks.space, o) }

// Put sets key to value. It overwrites a value of any type, a collection too,
// and clears a time to live. It is blind: it reads nothing and never conflicts.
func (ks *Keyspace) Put(key, value []byte) error { return ks.db.putString(ks.space, key, value, 0) }

// PutTTL sets key to value for the time ttl, counted from now on the store's
// clock and rounded up to milliseconds. A ttl that is not positive is ErrBadTTL.
func (ks *Keyspace) PutTTL(key, value []byte, ttl time.Duration) error {
	return ks.db.putTTL(ks.space, key, value, ttl)
}

// Delete deletes key, whatever its type. Deleting what does not exist is fine.
func (ks *Keyspace) Delete(key []byte) error { return ks.db.deleteKey(ks.space, key) }

// DeleteRange deletes every key of r at once, at a cost that does not depend on
// how many there are. Collections in the range go with their elements.
func (ks *Keyspace) DeleteRange(r Range) error {
	var b Batch
	b.In(ks).DeleteRange(r)
	return ks.db.Apply(&b, Default)
}

// Expire sets the time to live of key, of any type; ErrNotFound if it does not
// exist. A ttl that is not positive deletes the key. The value is written
// again.
func (ks *Keyspace) Expire(key []byte, ttl time.Duration) error {
	return ks.Key(string(key)).Expire(ttl)
}

// Persist takes the time to live from key, of any type; ErrNotFound if it does
// not exist. The value is written again.
func (ks *Keyspace) Persist(key []byte) error {
	return ks.Key(string(key)).ExpireAt(time.Time{})
}

// EstimateSize returns about how many bytes of tables the keys of r take on
// disk, as DB.EstimateSize does.
func (ks *Keyspace) EstimateSize(r Range) (int64, error) { return ks.db.estimateSize(ks.space, r) }

// Compact merges every table that overlaps r down to the last level, as
// DB.Compact does. The elements of the collections in r count as overlapping
// only if r is all keys.
func (ks *Keyspace) Compact(ctx context.Context, r Range) error {
	if err := ks.space.Writable(); err != nil {
		return err
	}
	lo, hi, err := r.deleteRows(ks.space.Prefix())
	if err != nil {
		return err
	}
	return ks.db.compactRows(ctx, lo, hi)
}

// Keys returns the calls on all keys.
func (ks *Keyspace) Keys() typed.Keys { return typed.NewKeys((*keyspaceSource)(ks)) }

// Key returns a handle of the key called name, whatever it holds.
func (ks *Keyspace) Key(name string) typed.Key { return typed.NewKey((*keyspaceSource)(ks), name) }

// String returns a handle of the string called name.
func (ks *Keyspace) String(name string) typed.String {
	return typed.NewString((*keyspaceSource)(ks), name)
}

// Hash returns a handle of the hash called name.
func (ks *Keyspace) Hash(name string) typed.Hash { return typed.NewHash((*keyspaceSource)(ks), name) }

// Set returns a handle of the set called name.
func (ks *Keyspace) Set(name string) typed.Set { return typed.NewSet((*keyspaceSource)(ks), name) }

// ZSet returns a handle of the sorted set called name.
func (ks *Keyspace) ZSet(name string) typed.ZSet { return typed.NewZSet((*keyspaceSource)(ks), name) }

// List returns a handle of the list called name.
func (ks *Keyspace) List(name string) typed.List { return typed.NewList((*keyspaceSource)(ks), name) }

// keyspaceSource is a keyspace as the source of one-shot calls.
type keyspaceSource Keyspace

func (s *keyspaceSource) Begin(write bool, key string) (collection.Txn, error) {
	return beginCall(s.db, s.space, write, key)
}

func (s *keyspaceSource) End(t collection.Txn, err error) (again bool, e error) {
	return endCall(t, err)
}
