package siltstone

import (
	"context"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/txn"
	"github.com/siltstonedb/siltstone/internal/handle"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/typed"
)

// Typed has the methods that return handles of typed values. On a *DB or *Keyspace
// each call of a handle is a transaction of its own; on a *Tx it is part of the
// transaction; on a *Snapshot it can only read. Handles are values and cheap to make.
// A handle is valid as long as the DB, Keyspace, Tx or Snapshot that returned it.
type Typed interface {
	Keys() typed.Keys
	Key(name string) typed.Key
	String(name string) typed.String
	Hash(name string) typed.Hash
	Set(name string) typed.Set
	ZSet(name string) typed.ZSet
	List(name string) typed.List
}

// ReadWriter is all that *DB, *Keyspace and *Tx have in common. A repository that
// takes one works on the store, in the keyspace of a tenant and as a part of the
// caller's transaction. Calls on a *DB or a *Keyspace are a transaction each and safe
// for concurrent use; on a *Tx they are neither.
type ReadWriter interface {
	Reader
	Writer
	Typed
}

// Keys returns the calls on all keys.
func (db *DB) Keys() typed.Keys { return handle.Keys((*dbSource)(db)) }

// Key returns a handle of the key called name, whatever it holds.
func (db *DB) Key(name string) typed.Key { return handle.Key((*dbSource)(db), name) }

// String returns a handle of the string called name.
func (db *DB) String(name string) typed.String { return handle.String((*dbSource)(db), name) }

// Hash returns a handle of the hash called name.
func (db *DB) Hash(name string) typed.Hash { return handle.Hash((*dbSource)(db), name) }

// Set returns a handle of the set called name.
func (db *DB) Set(name string) typed.Set { return handle.Set((*dbSource)(db), name) }

// ZSet returns a handle of the sorted set called name.
func (db *DB) ZSet(name string) typed.ZSet { return handle.ZSet((*dbSource)(db), name) }

// List returns a handle of the list called name.
func (db *DB) List(name string) typed.List { return handle.List((*dbSource)(db), name) }

// Keys returns the calls on all keys.
func (tx *Tx) Keys() typed.Keys { return handle.Keys((*txSource)(tx)) }

// Key returns a handle of the key called name, whatever it holds.
func (tx *Tx) Key(name string) typed.Key { return handle.Key((*txSource)(tx), name) }

// String returns a handle of the string called name.
func (tx *Tx) String(name string) typed.String { return handle.String((*txSource)(tx), name) }

// Hash returns a handle of the hash called name.
func (tx *Tx) Hash(name string) typed.Hash { return handle.Hash((*txSource)(tx), name) }

// Set returns a handle of the set called name.
func (tx *Tx) Set(name string) typed.Set { return handle.Set((*txSource)(tx), name) }

// ZSet returns a handle of the sorted set called name.
func (tx *Tx) ZSet(name string) typed.ZSet { return handle.ZSet((*txSource)(tx), name) }

// List returns a handle of the list called name.
func (tx *Tx) List(name string) typed.List { return handle.List((*txSource)(tx), name) }

// Keys returns the calls on all keys.
func (s *Snapshot) Keys() typed.Keys { return handle.Keys((*snapSource)(s)) }

// Key returns a handle of the key called name, whatever it holds.
func (s *Snapshot) Key(name string) typed.Key { return handle.Key((*snapSource)(s), name) }

// String returns a handle of the string called name.
func (s *Snapshot) String(name string) typed.String { return handle.String((*snapSource)(s), name) }

// Hash returns a handle of the hash called name.
func (s *Snapshot) Hash(name string) typed.Hash { return handle.Hash((*snapSource)(s), name) }

// Set returns a handle of the set called name.
func (s *Snapshot) Set(name string) typed.Set { return handle.Set((*snapSource)(s), name) }

// ZSet returns a handle of the sorted set called name.
func (s *Snapshot) ZSet(name string) typed.ZSet { return handle.ZSet((*snapSource)(s), name) }

// List returns a handle of the list called name.
func (s *Snapshot) List(name string) typed.List { return handle.List((*snapSource)(s), name) }

// Keys returns the calls on all keys.
func (ks *Keyspace) Keys() typed.Keys { return handle.Keys((*keyspaceSource)(ks)) }

// Key returns a handle of the key called name, whatever it holds.
func (ks *Keyspace) Key(name string) typed.Key { return handle.Key((*keyspaceSource)(ks), name) }

// String returns a handle of the string called name.
func (ks *Keyspace) String(name string) typed.String {
	return handle.String((*keyspaceSource)(ks), name)
}

// Hash returns a handle of the hash called name.
func (ks *Keyspace) Hash(name string) typed.Hash { return handle.Hash((*keyspaceSource)(ks), name) }

// Set returns a handle of the set called name.
func (ks *Keyspace) Set(name string) typed.Set { return handle.Set((*keyspaceSource)(ks), name) }

// ZSet returns a handle of the sorted set called name.
func (ks *Keyspace) ZSet(name string) typed.ZSet { return handle.ZSet((*keyspaceSource)(ks), name) }

// List returns a handle of the list called name.
func (ks *Keyspace) List(name string) typed.List { return handle.List((*keyspaceSource)(ks), name) }

// Expire sets the time to live of key, of any type; ErrNotFound if it does not exist,
// ErrBadTTL if ttl is not positive. NoTTL takes it away. The value is written again.
func (db *DB) Expire(key []byte, ttl time.Duration) error { return expire(db.Key(string(key)), ttl) }

// expire is Expire of a typed handle, which deletes the key if ttl is not positive, as
// Redis does. A raw call refuses that.
func expire(k typed.Key, ttl time.Duration) error {
	if err := base.CheckTTL(ttl); err != nil {
		return err
	}
	return k.Expire(ttl)
}

// Persist takes the time to live from key, of any type, and reports whether there was
// one; false, too, if there is no such key. If there was, the value is written again.
func (db *DB) Persist(key []byte) (had bool, err error) { return db.Key(string(key)).Persist() }

// Expire sets the time to live of key, of any type; ErrNotFound if it does not exist,
// ErrBadTTL if ttl is not positive. NoTTL takes it away. The value is written again.
func (ks *Keyspace) Expire(key []byte, ttl time.Duration) error {
	return expire(ks.Key(string(key)), ttl)
}

// Persist takes the time to live from key, of any type, and reports whether there was
// one; false, too, if there is no such key. If there was, the value is written again.
func (ks *Keyspace) Persist(key []byte) (had bool, err error) {
	return ks.Key(string(key)).Persist()
}

// Expire sets the time to live of key, of any type; ErrNotFound if it does not exist,
// ErrBadTTL if ttl is not positive. NoTTL takes it away.
func (tx *Tx) Expire(key []byte, ttl time.Duration) error { return expire(tx.Key(string(key)), ttl) }

// Persist takes the time to live from key, of any type, and reports whether there was
// one; false, too, if there is no such key.
func (tx *Tx) Persist(key []byte) (had bool, err error) { return tx.Key(string(key)).Persist() }

// txSource is a transaction as the source of its handles.
type txSource Tx

func (s *txSource) Begin(write bool, key string, _ int) (collection.Txn, error) {
	tx := (*Tx)(s)
	if err := tx.alive(); err != nil {
		return nil, err
	}
	if write && !tx.t.Writes() {
		return nil, refusedWrite(key, "in a read-only transaction")
	}
	if write {
		tx.t.BeginStep()
	}
	if tx.ks() == nil {
		return &tx.t, nil
	}
	return &tx.in, nil
}

func (s *txSource) End(_ collection.Txn, err error) (again bool, e error) {
	return false, (*Tx)(s).t.EndStep(err)
}

// dbSource is the store as the source of one-shot calls: each is a pooled
// transaction over one pinned state.
type dbSource DB

func (s *dbSource) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	if (*DB)(s).unopened() {
		return nil, ErrClosed
	}
	return begun(s.txns.BeginCall(nil, write, key, attempt))
}

func (s *dbSource) End(t collection.Txn, err error) (again bool, e error) {
	return s.txns.EndCall(t.(*txn.Txn), err)
}

// Join makes calls on a store wait; see collection.Waits.
func (s *dbSource) Join(ctx context.Context, key string) (collection.Line, error) {
	return (*DB)(s).join(ctx, nil, key)
}

func (db *DB) join(ctx context.Context, ks *keyspace.Space, key string) (collection.Line, error) {
	if err := db.mayWait(ctx); err != nil {
		return nil, err
	}
	line, err := db.txns.Join(ctx, ks, key)
	if err != nil {
		return nil, err
	}
	return line, nil
}

// begun keeps a nil transaction from becoming an interface that is not nil.
func begun(t *txn.Txn, err error) (collection.Txn, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// keyspaceSource is a keyspace as the source of one-shot calls.
type keyspaceSource Keyspace

func (s *keyspaceSource) Begin(write bool, key string, attempt int) (collection.Txn, error) {
	if (*Keyspace)(s).unmade() {
		return nil, ErrClosed
	}
	return begun(s.db.txns.BeginCall(s.space, write, key, attempt))
}

func (s *keyspaceSource) End(t collection.Txn, err error) (again bool, e error) {
	return s.db.txns.EndCall(t.(*txn.Txn), err)
}

// Join makes calls on a keyspace wait; see collection.Waits.
func (s *keyspaceSource) Join(ctx context.Context, key string) (collection.Line, error) {
	db, space := (*Keyspace)(s).parts()
	return db.join(ctx, space, key)
}

// refusedWrite refuses a typed call that writes where only reads are. key is empty for a
// call on several keys.
func refusedWrite(key, where string) error {
	if key == "" {
		return base.Errorf(ErrReadOnly, "a call that writes %s", where)
	}
	return base.Errorf(ErrReadOnly, "key %s: a call that writes %s", base.Quote(key), where)
}

// snapSource is a snapshot as the source of reads.
type snapSource Snapshot

func (s *snapSource) Begin(write bool, key string, _ int) (collection.Txn, error) {
	if write {
		return nil, refusedWrite(key, "on a snapshot")
	}
	rs, n, err := (*Snapshot)(s).pin()
	if err != nil {
		return nil, err
	}
	return s.db.txns.BeginRead(s.ks, rs, n, s.point.Seq, s.point.Now), nil
}

func (s *snapSource) End(t collection.Txn, err error) (again bool, e error) {
	return s.db.txns.EndCall(t.(*txn.Txn), err)
}
