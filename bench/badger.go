package main

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// badgerEngine is Badger with one version per key, no conflict detection (the
// workloads' puts are blind), two compactors, and large values in its value log.
type badgerEngine struct{ db *badger.DB }

func openBadger(c Config) (Engine, error) {
	threshold := c.Memtable / 10 // Badger wants it below a batch, 15 % of a memtable
	if c.Value >= separatedValue {
		threshold = separatedValue
	}
	o := badger.DefaultOptions(c.Dir).
		WithLogger(nil).
		WithSyncWrites(c.Sync).
		WithMemTableSize(c.Memtable).
		WithBlockCacheSize(c.Cache).
		WithNumCompactors(2).
		WithValueThreshold(min(threshold, 1<<20)).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithCompression(options.Snappy)
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return &badgerEngine{db}, nil
}

// Badger keeps the slices of an entry until its commit returns, which is long
// enough here.
func (e *badgerEngine) Put(key, value []byte) error {
	return e.db.Update(func(tx *badger.Txn) error { return tx.Set(key, value) })
}

func (e *badgerEngine) Apply(pairs []Pair) error {
	return e.db.Update(func(tx *badger.Txn) error {
		for _, p := range pairs {
			if err := tx.Set(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *badgerEngine) Get(dst, key []byte) ([]byte, bool, error) {
	tx := e.db.NewTransaction(false)
	defer tx.Discard()
	item, err := tx.Get(key)
	if err != nil {
		if errors.Is(err, badger.ErrKeyNotFound) {
			return dst, false, nil
		}
		return dst, false, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err == nil, err
}

func (e *badgerEngine) NewCursor(back bool) (Cursor, error) {
	tx := e.db.NewTransaction(false)
	o := badger.IteratorOptions{Reverse: back} // values are inline: nothing to fetch ahead
	return &badgerCursor{tx: tx, it: tx.NewIterator(o)}, nil
}

func (e *badgerEngine) Close() error { return e.db.Close() }

// badgerCursor walks one way only, the one it was made for: Badger's iterators
// cannot turn.
type badgerCursor struct {
	tx  *badger.Txn
	it  *badger.Iterator
	err error
}

func (c *badgerCursor) First() bool            { c.it.Rewind(); return c.it.Valid() }
func (c *badgerCursor) Last() bool             { c.it.Rewind(); return c.it.Valid() }
func (c *badgerCursor) SeekGE(key []byte) bool { c.it.Seek(key); return c.it.Valid() }
func (c *badgerCursor) Next() bool             { c.it.Next(); return c.it.Valid() }
func (c *badgerCursor) Prev() bool             { c.it.Next(); return c.it.Valid() }
func (c *badgerCursor) Key() []byte            { return c.it.Item().Key() }

func (c *badgerCursor) Value() []byte {
	var value []byte
	if err := c.it.Item().Value(func(v []byte) error { value = v; return nil }); err != nil {
		c.err = err
	}
	return value
}

func (c *badgerCursor) Close() error {
	c.it.Close()
	c.tx.Discard()
	return c.err
}
