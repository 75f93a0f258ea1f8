package main

import (
	"errors"
	"path/filepath"

	"github.com/tidwall/buntdb"
)

// buntdbEngine is BuntDB: everything in memory, an append-only file on disk.
type buntdbEngine struct{ db *buntdb.DB }

func openBuntdb(c Config) (Engine, error) {
	db, err := buntdb.Open(filepath.Join(c.Dir, "bunt"))
	if err != nil {
		return nil, err
	}
	var o buntdb.Config
	if err := db.ReadConfig(&o); err != nil {
		return nil, err
	}
	o.SyncPolicy = buntdb.Never
	if c.Sync {
		o.SyncPolicy = buntdb.Always
	}
	return &buntdbEngine{db}, db.SetConfig(o)
}

func (e *buntdbEngine) Put(key, value []byte) error {
	return e.db.Update(func(tx *buntdb.Tx) error {
		_, _, err := tx.Set(string(key), string(value), nil)
		return err
	})
}

func (e *buntdbEngine) Apply(pairs []Pair) error {
	return e.db.Update(func(tx *buntdb.Tx) error {
		for _, p := range pairs {
			if _, _, err := tx.Set(string(p.Key), string(p.Value), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *buntdbEngine) Get(dst, key []byte) ([]byte, bool, error) {
	err := e.db.View(func(tx *buntdb.Tx) error {
		v, err := tx.Get(string(key))
		if err == nil {
			dst = append(dst, v...)
		}
		return err
	})
	if errors.Is(err, buntdb.ErrNotFound) {
		return dst, false, nil
	}
	return dst, err == nil, err
}

func (e *buntdbEngine) NewCursor(back bool) (Cursor, error) {
	tx, err := e.db.Begin(false)
	if err != nil {
		return nil, err
	}
	return &buntdbCursor{tx: tx, back: back}, nil
}

func (e *buntdbEngine) Close() error { return e.db.Close() }

// buntdbCursor makes a cursor out of BuntDB's callback loops: it takes pairs by
// the chunk, small at first, without copying them.
type buntdbCursor struct {
	tx         *buntdb.Tx
	back       bool
	chunk      []buntdbItem
	at, size   int
	key, value []byte
	err        error
}

type buntdbItem struct{ key, value string }

const (
	buntdbFirstChunk = 16
	buntdbChunk      = 512
)

func (c *buntdbCursor) First() bool { return c.start("") }
func (c *buntdbCursor) Last() bool  { return c.start("") }

func (c *buntdbCursor) SeekGE(key []byte) bool { return c.start(string(key)) }

func (c *buntdbCursor) start(key string) bool {
	c.size = buntdbFirstChunk
	c.fill(key, false)
	return c.show()
}

func (c *buntdbCursor) Next() bool { return c.step() }
func (c *buntdbCursor) Prev() bool { return c.step() }

func (c *buntdbCursor) step() bool {
	if c.at++; c.at == len(c.chunk) && c.at > 0 {
		last := c.chunk[c.at-1].key
		c.size = buntdbChunk
		c.fill(last, true)
	}
	return c.show()
}

// fill takes the next chunk from key on, behind it if skip is set.
func (c *buntdbCursor) fill(key string, skip bool) {
	c.chunk, c.at = c.chunk[:0], 0
	take := func(k, v string) bool {
		if !skip || k != key {
			c.chunk = append(c.chunk, buntdbItem{k, v})
		}
		return len(c.chunk) < c.size
	}
	switch {
	case c.back && key == "":
		c.err = c.tx.Descend("", take)
	case c.back:
		c.err = c.tx.DescendLessOrEqual("", key, take)
	default:
		c.err = c.tx.AscendGreaterOrEqual("", key, take)
	}
}

func (c *buntdbCursor) show() bool {
	if c.at >= len(c.chunk) {
		return false
	}
	c.key = append(c.key[:0], c.chunk[c.at].key...)
	c.value = append(c.value[:0], c.chunk[c.at].value...)
	return true
}

func (c *buntdbCursor) Key() []byte   { return c.key }
func (c *buntdbCursor) Value() []byte { return c.value }

func (c *buntdbCursor) Close() error {
	return errors.Join(c.err, c.tx.Rollback())
}
