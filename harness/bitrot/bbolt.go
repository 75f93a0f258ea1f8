package main

import (
	"errors"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// bboltStore is bbolt with its default options and one bucket.
type bboltStore struct{ db *bbolt.DB }

func openBbolt(dir string) (store, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o644, nil)
	if err != nil {
		return nil, err
	}
	return bboltStore{db}, nil
}

func bboltBucket() []byte { return []byte("b") }

// errNoBucket is for a bucket that was there: the harness looks for it, and a user would.
var errNoBucket = errors.New("the bucket is missing")

func (s bboltStore) Commit(ops []op) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bboltBucket())
		for _, o := range ops {
			if err != nil {
				return err
			}
			if o.value == "" {
				err = b.Delete([]byte(o.key))
			} else {
				err = b.Put([]byte(o.key), []byte(o.value))
			}
		}
		return err
	})
}

func (s bboltStore) Flush() error { return nil }

// view runs fn on the bucket.
func (s bboltStore) view(fn func(b *bbolt.Bucket) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bboltBucket()); b != nil {
			return fn(b)
		}
		return errNoBucket
	})
}

func (s bboltStore) Get(key string) (value string, found bool, err error) {
	err = s.view(func(b *bbolt.Bucket) error {
		v := b.Get([]byte(key))
		value, found = string(v), v != nil
		return nil
	})
	return value, found, err
}

func (s bboltStore) Scan(fn func(key, value string)) error {
	return s.view(func(b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			fn(string(k), string(v))
			return nil
		})
	})
}

func (s bboltStore) Close() error { return s.db.Close() }
