package main

import (
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// bboltEngine is bbolt with one bucket. Several writers share commits by
// DB.Batch; a single one would only wait for company and uses DB.Update.
type bboltEngine struct {
	db     *bbolt.DB
	shared bool
}

const (
	bboltMap   = 4 << 30 // bytes mapped from the start, so that growing need not wait for readers
	bboltDelay = time.Millisecond
)

func openBbolt(c Config) (Engine, error) {
	db, err := bbolt.Open(filepath.Join(c.Dir, "bolt"), 0o644, &bbolt.Options{
		Timeout:         time.Second, // a lock held is an error, not a wait
		NoSync:          !c.Sync,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: bboltMap,
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay = bboltDelay
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bboltBucket())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &bboltEngine{db: db}, nil
}

func bboltBucket() []byte { return []byte("b") }

// SetWriters chooses how Put commits.
func (e *bboltEngine) SetWriters(n int) {
	e.shared = n > 1
	e.db.MaxBatchSize = n
}

func (e *bboltEngine) Put(key, value []byte) error {
	put := func(tx *bbolt.Tx) error { return tx.Bucket(bboltBucket()).Put(key, value) }
	if e.shared {
		return e.db.Batch(put)
	}
	return e.db.Update(put)
}

func (e *bboltEngine) Apply(pairs []Pair) error {
	return e.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bboltBucket())
		for _, p := range pairs {
			if err := b.Put(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *bboltEngine) Get(dst, key []byte) ([]byte, bool, error) {
	found := false
	err := e.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bboltBucket()).Get(key); v != nil {
			dst, found = append(dst, v...), true
		}
		return nil
	})
	return dst, found, err
}

func (e *bboltEngine) NewCursor(bool) (Cursor, error) {
	tx, err := e.db.Begin(false)
	if err != nil {
		return nil, err
	}
	return &bboltCursor{tx: tx, c: tx.Bucket(bboltBucket()).Cursor()}, nil
}

func (e *bboltEngine) Close() error { return e.db.Close() }

// bboltCursor holds a read transaction until it is closed.
type bboltCursor struct {
	tx         *bbolt.Tx
	c          *bbolt.Cursor
	key, value []byte
}

func (c *bboltCursor) First() bool { c.key, c.value = c.c.First(); return c.key != nil }
func (c *bboltCursor) Last() bool  { c.key, c.value = c.c.Last(); return c.key != nil }
func (c *bboltCursor) Next() bool  { c.key, c.value = c.c.Next(); return c.key != nil }
func (c *bboltCursor) Prev() bool  { c.key, c.value = c.c.Prev(); return c.key != nil }

func (c *bboltCursor) SeekGE(key []byte) bool {
	c.key, c.value = c.c.Seek(key)
	return c.key != nil
}

func (c *bboltCursor) Key() []byte   { return c.key }
func (c *bboltCursor) Value() []byte { return c.value }
func (c *bboltCursor) Close() error  { return c.tx.Rollback() }
