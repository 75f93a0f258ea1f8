package siltstone

import (
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/collection"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/typed"
)

// Typed is what typed values are reached through: a *DB or *Keyspace, where each
// call is a transaction of its own; a *Tx; or a *Snapshot, which can only be
// read. The handles are values, cheap, and valid as long as what they come from.
type Typed interface {
	Keys() typed.Keys
	Key(name string) typed.Key
	String(name string) typed.String
	Hash(name string) typed.Hash
	Set(name string) typed.Set
	ZSet(name string) typed.ZSet
	List(name string) typed.List
}

var (
	_ Typed = (*DB)(nil)
	_ Typed = (*Tx)(nil)
	_ Typed = (*Snapshot)(nil)
)

// Keys returns the calls on all keys.
func (db *DB) Keys() typed.Keys { return typed.NewKeys((*dbSource)(db)) }

// Key returns a handle of the key called name, whatever it holds.
func (db *DB) Key(name string) typed.Key { return typed.NewKey((*dbSource)(db), name) }

// String returns a handle of the string called name.
func (db *DB) String(name string) typed.String { return typed.NewString((*dbSource)(db), name) }

// Hash returns a handle of the hash called name.
func (db *DB) Hash(name string) typed.Hash { return typed.NewHash((*dbSource)(db), name) }

// Set returns a handle of the set called name.
func (db *DB) Set(name string) typed.Set { return typed.NewSet((*dbSource)(db), name) }

// ZSet returns a handle of the sorted set called name.
func (db *DB) ZSet(name string) typed.ZSet { return typed.NewZSet((*dbSource)(db), name) }

// List returns a handle of the list called name.
func (db *DB) List(name string) typed.List { return typed.NewList((*dbSource)(db), name) }

// Keys returns the calls on all keys.
func (tx *Tx) Keys() typed.Keys { return typed.NewKeys((*txSource)(tx)) }

// Key returns a handle of the key called name, whatever it holds.
func (tx *Tx) Key(name string) typed.Key { return typed.NewKey((*txSource)(tx), name) }

// String returns a handle of the string called name.
func (tx *Tx) String(name string) typed.String { return typed.NewString((*txSource)(tx), name) }

// Hash returns a handle of the hash called name.
func (tx *Tx) Hash(name string) typed.Hash { return typed.NewHash((*txSource)(tx), name) }

// Set returns a handle of the set called name.
func (tx *Tx) Set(name string) typed.Set { return typed.NewSet((*txSource)(tx), name) }

// ZSet returns a handle of the sorted set called name.
func (tx *Tx) ZSet(name string) typed.ZSet { return typed.NewZSet((*txSource)(tx), name) }

// List returns a handle of the list called name.
func (tx *Tx) List(name string) typed.List { return typed.NewList((*txSource)(tx), name) }

// Keys returns the calls on all keys.
func (s *Snapshot) Keys() typed.Keys { return typed.NewKeys((*snapSource)(s)) }

// Key returns a handle of the key called name, whatever it holds.
func (s *Snapshot) Key(name string) typed.Key { return typed.NewKey((*snapSource)(s), name) }

// String returns a handle of the string called name.
func (s *Snapshot) String(name string) typed.String { return typed.NewString((*snapSource)(s), name) }

// Hash returns a handle of the hash called name.
func (s *Snapshot) Hash(name string) typed.Hash { return typed.NewHash((*snapSource)(s), name) }

// Set returns a handle of the set called name.
func (s *Snapshot) Set(name string) typed.Set { return typed.NewSet((*snapSource)(s), name) }

// ZSet returns a handle of the sorted set called name.
func (s *Snapshot) ZSet(name string) typed.ZSet { return typed.NewZSet((*snapSource)(s), name) }

// List returns a handle of the list called name.
func (s *Snapshot) List(name string) typed.List { return typed.NewList((*snapSource)(s), name) }

// txSource is a transaction as the source of its handles: it is its own.
type txSource Tx

func (s *txSource) Begin(write bool, _ string) (collection.Txn, error) {
	tx := (*Tx)(s)
	if err := tx.alive(); err != nil {
		return nil, err
	}
	if write && !tx.t.writes {
		return nil, ErrReadOnly
	}
	if tx.ks() == nil {
		return &tx.t, nil
	}
	return &tx.in, nil
}

func (s *txSource) End(_ collection.Txn, err error) (again bool, e error) { return false, err }

// dbSource is the store as the source of one-shot calls: each is a pooled
// transaction over one pinned state. It is not registered as a read point: its
// commit demands instead that the state is still the one it read.
type dbSource DB

var txnPool = sync.Pool{New: func() any { return new(txn) }}

func (s *dbSource) Begin(write bool, key string) (collection.Txn, error) {
	return beginCall((*DB)(s), nil, write, key)
}

func (s *dbSource) End(t collection.Txn, err error) (again bool, e error) { return endCall(t, err) }

// beginCall begins the transaction of a one-shot call.
func beginCall(db *DB, ks *keyspace.Space, write bool, key string) (collection.Txn, error) {
	if write && db.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	var lock *sync.Mutex
	if write && key != "" {
		lock = db.locks.of(ks, key)
		lock.Lock()
	}
	t := txnPool.Get().(*txn)
	rs, n := db.states.Pin()
	if rs == nil {
		txnPool.Put(t)
		if lock != nil {
			lock.Unlock()
		}
		return nil, ErrClosed
	}
	t.begin(db, ks, rs, base.SeqNum(db.visible.Load()), 0, write)
	t.stripe, t.pinned, t.lock = n, true, lock
	if err := ks.ReadableAt(t.view.Seq); err != nil {
		t.end()
		txnPool.Put(t)
		return nil, err
	}
	return t, nil
}

// begin makes a pooled transaction ready.
func (t *txn) begin(db *DB, ks *keyspace.Space, rs *readstate.State, seq base.SeqNum, now int64, write bool) {
	t.db, t.ks, t.writes, t.err = db, ks, write, nil
	t.spaces = t.spaces[:0]
	if ks != nil {
		t.spaces = append(t.spaces, ks)
	}
	t.view = rows.View{State: rs, Seq: seq, Now: now}
	t.fresh, t.dead = t.fresh[:0], t.dead[:0]
	t.reads.Reset(seq, now)
}

// endCall ends the transaction of a one-shot call.
func endCall(tt collection.Txn, err error) (again bool, e error) {
	t := tt.(*txn)
	wrote := t.change != nil && len(t.change.ops) > 0
	if err == nil {
		err = t.err
	}
	if err == nil && wrote {
		err = t.commit(Default, nil)
		again = isConflict(err)
	}
	db, writes := t.db, t.writes
	t.end()
	txnPool.Put(t)
	switch {
	case again:
		return true, db.life.ClosedErr()
	case err == nil && writes && !wrote:
		// A write that found nothing to do rests on what it saw, as an empty commit
		// does: that must be as durable as the write would have been.
		err = db.waitFor(db.log.Appended(), Default)
	}
	return false, err
}

// snapSource is a snapshot as the source of reads.
type snapSource Snapshot

func (s *snapSource) Begin(write bool, _ string) (collection.Txn, error) {
	if write {
		return nil, ErrReadOnly
	}
	rs, n, err := (*Snapshot)(s).pin()
	if err != nil {
		return nil, err
	}
	t := txnPool.Get().(*txn)
	t.begin(s.db, s.ks, rs, s.point.Seq, s.point.Now, false)
	t.stripe, t.pinned = n, true
	return t, nil
}

func (s *snapSource) End(tt collection.Txn, err error) (again bool, e error) {
	t := tt.(*txn)
	if err == nil {
		err = t.err
	}
	t.end()
	txnPool.Put(t)
	return false, err
}

// keyLocks keep one-shot calls that read, change and write back the same key
// from conflicting: they take turns.
type keyLocks struct {
	stripes [256]struct {
		sync.Mutex
		_ [56]byte
	}
}

func (l *keyLocks) of(ks *keyspace.Space, key string) *sync.Mutex {
	return &l.stripes[(xxhash.Sum64String(key)+uint64(ks.ID()))%uint64(len(l.stripes))].Mutex
}
