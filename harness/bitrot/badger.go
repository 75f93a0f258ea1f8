package main

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// badgerStore is Badger, with synced commits and small files: it reserves their full
// sizes. Its memtable is written to a table by Close.
type badgerStore struct{ db *badger.DB }

const badgerFile = 1 << 20

func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithMemTableSize(badgerFile).
		WithValueLogFileSize(badgerFile).
		WithValueThreshold(badgerFile / 10). // Badger wants it below a batch, which is a part of a memtable
		WithLoggingLevel(badger.ERROR)
}

func openBadger(dir string) (store, error) { return badgerWith(badgerOptions(dir)) }

func openBadgerBlock(dir string) (store, error) {
	return badgerWith(badgerOptions(dir).WithChecksumVerificationMode(options.OnBlockRead).WithVerifyValueChecksum(true))
}

func openBadgerTableAndBlock(dir string) (store, error) {
	return badgerWith(badgerOptions(dir).WithChecksumVerificationMode(options.OnTableAndBlockRead).WithVerifyValueChecksum(true))
}

func badgerWith(o badger.Options) (store, error) {
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return badgerStore{db}, nil
}

func (s badgerStore) Commit(ops []op) error {
	return s.db.Update(func(tx *badger.Txn) error {
		for _, o := range ops {
			var err error
			if o.value == "" {
				err = tx.Delete([]byte(o.key))
			} else {
				err = tx.Set([]byte(o.key), []byte(o.value))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s badgerStore) Flush() error { return nil }

func (s badgerStore) Get(key string) (value string, found bool, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get([]byte(key))
		if err != nil {
			return err
		}
		v, err := item.ValueCopy(nil)
		value, found = string(v), err == nil
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return "", false, nil
	}
	return value, found, err
}

func (s badgerStore) Scan(fn func(key, value string)) error {
	return s.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			v, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			fn(string(it.Item().Key()), string(v))
		}
		return nil
	})
}

func (s badgerStore) Close() error { return s.db.Close() }
