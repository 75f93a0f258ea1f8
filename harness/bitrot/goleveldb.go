package main

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// goleveldbStore is goleveldb. It writes its log to a table when it is opened.
type goleveldbStore struct{ db *leveldb.DB }

func openGoleveldb(dir string) (store, error) { return goleveldbWith(dir, nil) }

func openGoleveldbStrict(dir string) (store, error) {
	return goleveldbWith(dir, &opt.Options{Strict: opt.StrictAll})
}

func goleveldbWith(dir string, o *opt.Options) (store, error) {
	db, err := leveldb.OpenFile(dir, o)
	if err != nil {
		return nil, err
	}
	return goleveldbStore{db}, nil
}

func (s goleveldbStore) Commit(ops []op) error {
	var b leveldb.Batch
	for _, o := range ops {
		if o.value == "" {
			b.Delete([]byte(o.key))
		} else {
			b.Put([]byte(o.key), []byte(o.value))
		}
	}
	return s.db.Write(&b, &opt.WriteOptions{Sync: true})
}

func (s goleveldbStore) Flush() error { return nil }

func (s goleveldbStore) Get(key string) (string, bool, error) {
	v, err := s.db.Get([]byte(key), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return "", false, nil
	}
	return string(v), err == nil, err
}

func (s goleveldbStore) Scan(fn func(key, value string)) error {
	it := s.db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		fn(string(it.Key()), string(it.Value()))
	}
	return it.Error()
}

func (s goleveldbStore) Close() error { return s.db.Close() }
