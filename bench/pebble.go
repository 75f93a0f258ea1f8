package main

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// pebbleEngine is Pebble, tuned: its defaults are the oldest format, a 4 MiB
// memtable, no filters and one compaction.
type pebbleEngine struct {
	db    *pebble.DB
	cache *pebble.Cache
	write *pebble.WriteOptions
}

// separatedValue is the value size from which engines that can keep values apart
// from keys do so.
const separatedValue = 1 << 10

func openPebble(c Config) (Engine, error) {
	cache := pebble.NewCache(c.Cache)
	o := &pebble.Options{
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(c.Memtable),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 2, 2 },
		Logger:                      silentPebble{},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	if c.Value >= separatedValue {
		o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
			return pebble.ValueSeparationPolicy{Enabled: true, MinimumSize: separatedValue, MaxBlobReferenceDepth: 10}
		}
	}
	db, err := pebble.Open(c.Dir, o)
	if err != nil {
		cache.Unref()
		return nil, err
	}
	e := &pebbleEngine{db: db, cache: cache, write: pebble.NoSync}
	if c.Sync {
		e.write = pebble.Sync
	}
	return e, nil
}

func (e *pebbleEngine) Put(key, value []byte) error { return e.db.Set(key, value, e.write) }

func (e *pebbleEngine) Apply(pairs []Pair) error {
	b := e.db.NewBatch()
	defer b.Close()
	for _, p := range pairs {
		if err := b.Set(p.Key, p.Value, nil); err != nil {
			return err
		}
	}
	return e.db.Apply(b, e.write)
}

func (e *pebbleEngine) Get(dst, key []byte) ([]byte, bool, error) {
	v, closer, err := e.db.Get(key)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return dst, false, nil
		}
		return dst, false, err
	}
	dst = append(dst, v...)
	return dst, true, closer.Close()
}

// GetRare asks the filters of the last level too, which Get never does. For keys
// that exist it is slower than Get, for others several times faster.
func (e *pebbleEngine) GetRare(dst, key []byte) ([]byte, bool, error) {
	it, err := e.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return dst, false, err
	}
	found := it.SeekPrefixGE(key)
	if found {
		dst = append(dst, it.Value()...)
	}
	return dst, found, it.Close()
}

func (e *pebbleEngine) NewCursor(bool) (Cursor, error) {
	it, err := e.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	return pebbleCursor{it}, nil
}

func (e *pebbleEngine) Close() error {
	defer e.cache.Unref()
	return e.db.Close()
}

// pebbleCursor has every method of a Cursor from the iterator it holds.
type pebbleCursor struct{ *pebble.Iterator }

// silentPebble drops what Pebble logs.
type silentPebble struct{}

func (silentPebble) Infof(string, ...any)      {}
func (silentPebble) Errorf(string, ...any)     {}
func (silentPebble) Fatalf(f string, a ...any) { pebble.DefaultLogger.Fatalf(f, a...) }
