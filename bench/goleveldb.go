package main

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// goleveldbEngine is goleveldb with filters and larger tables.
type goleveldbEngine struct {
	db    *leveldb.DB
	write *opt.WriteOptions
}

func openGoleveldb(c Config) (Engine, error) {
	db, err := leveldb.OpenFile(c.Dir, &opt.Options{
		BlockCacheCapacity:     int(c.Cache),
		WriteBuffer:            int(c.Memtable),
		CompactionTableSize:    8 << 20,
		CompactionTotalSize:    64 << 20,
		Filter:                 filter.NewBloomFilter(10),
		OpenFilesCacheCapacity: 2000,
	})
	if err != nil {
		return nil, err
	}
	return &goleveldbEngine{db: db, write: &opt.WriteOptions{Sync: c.Sync}}, nil
}

func (e *goleveldbEngine) Put(key, value []byte) error { return e.db.Put(key, value, e.write) }

func (e *goleveldbEngine) Apply(pairs []Pair) error {
	var b leveldb.Batch
	for _, p := range pairs {
		b.Put(p.Key, p.Value)
	}
	return e.db.Write(&b, e.write)
}

func (e *goleveldbEngine) Get(dst, key []byte) ([]byte, bool, error) {
	v, err := e.db.Get(key, nil)
	if err != nil {
		if errors.Is(err, leveldb.ErrNotFound) {
			return dst, false, nil
		}
		return dst, false, err
	}
	return append(dst, v...), true, nil
}

func (e *goleveldbEngine) NewCursor(bool) (Cursor, error) {
	return goleveldbCursor{e.db.NewIterator(nil, nil)}, nil
}

func (e *goleveldbEngine) Close() error { return e.db.Close() }

// goleveldbCursor has most methods of a Cursor from the iterator it holds.
type goleveldbCursor struct{ iterator.Iterator }

func (c goleveldbCursor) SeekGE(key []byte) bool { return c.Seek(key) }

func (c goleveldbCursor) Close() error {
	c.Release()
	return c.Error()
}
