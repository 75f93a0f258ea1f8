package main

import (
	"context"
	"errors"

	"github.com/siltstonedb/siltstone"
)

// siltstoneStore is Siltstone with its default options.
type siltstoneStore struct{ db *siltstone.DB }

func openSiltstone(dir string) (store, error) {
	db, err := siltstone.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	return siltstoneStore{db}, nil
}

func (s siltstoneStore) Commit(ops []op) error {
	var b siltstone.Batch
	for _, o := range ops {
		if o.value == "" {
			b.Delete([]byte(o.key))
		} else {
			b.Put([]byte(o.key), []byte(o.value))
		}
	}
	return s.db.Apply(&b, siltstone.DefaultDurability)
}

func (s siltstoneStore) Flush() error { return s.db.Flush(context.Background()) }

func (s siltstoneStore) Get(key string) (string, bool, error) {
	v, err := s.db.Get([]byte(key))
	if errors.Is(err, siltstone.ErrNotFound) {
		return "", false, nil
	}
	return string(v), err == nil, err
}

func (s siltstoneStore) Scan(fn func(key, value string)) error {
	for kv, err := range s.db.Scan(siltstone.Range{}) {
		if err != nil {
			return err
		}
		fn(string(kv.Key), string(kv.Value))
	}
	return nil
}

func (s siltstoneStore) Close() error { return s.db.Close() }
