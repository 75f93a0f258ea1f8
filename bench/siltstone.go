package main

import (
	"errors"
	"sync"

	"github.com/siltstonedb/siltstone"
)

// siltstoneEngine is this library. Its one memory budget is the sum of what the
// peers get as a cache and as two memtables.
type siltstoneEngine struct {
	db      *siltstone.DB
	batches sync.Pool // *siltstone.Batch
}

func openSiltstone(c Config) (Engine, error) {
	o := siltstone.Options{
		MemoryLimit:   c.Cache + 2*c.Memtable,
		MemtableBytes: c.Memtable,
		Durability:    siltstone.BufferedDurability,
	}
	if c.Sync {
		o.Durability = siltstone.SyncDurability
	}
	db, err := siltstone.Open(c.Dir, &o)
	if err != nil {
		return nil, err
	}
	e := &siltstoneEngine{db: db}
	e.batches.New = func() any { return new(siltstone.Batch) }
	return e, nil
}

func (e *siltstoneEngine) Put(key, value []byte) error { return e.db.Put(key, value) }

func (e *siltstoneEngine) Apply(pairs []Pair) error {
	b := e.batches.Get().(*siltstone.Batch)
	defer e.batches.Put(b)
	b.Reset()
	for _, p := range pairs {
		b.Put(p.Key, p.Value)
	}
	return e.db.Apply(b, siltstone.DefaultDurability)
}

func (e *siltstoneEngine) Get(dst, key []byte) ([]byte, bool, error) {
	v, err := e.db.AppendGet(dst, key)
	if err != nil {
		if errors.Is(err, siltstone.ErrNotFound) {
			return dst, false, nil
		}
		return dst, false, err
	}
	return v, true, nil
}

// NewCursor needs no adapter: *siltstone.Iterator is a Cursor.
func (e *siltstoneEngine) NewCursor(bool) (Cursor, error) { return e.db.NewIter(nil) }

func (e *siltstoneEngine) Close() error { return e.db.Close() }
