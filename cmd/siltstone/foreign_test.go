package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/syndtr/goleveldb/leveldb"
	"go.etcd.io/bbolt"
)

// makeForeign makes stores of other engines in dir.
func makeForeign(dir string) error {
	for name, make := range map[string]func(string) error{"old.bolt": makeBbolt, "old.badger": makeBadger, "old.leveldb": makeLevelDB} {
		if err := make(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func makeBbolt(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		users, err := tx.CreateBucket([]byte("users"))
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket([]byte("empty")); err != nil {
			return err
		}
		inner, err := users.CreateBucket([]byte("inner"))
		if err != nil {
			return err
		}
		w := &filler{}
		for i := range 5000 {
			w.do(users.Put(fmt.Appendf(nil, "user:%05d", i), fmt.Appendf(nil, "value %d", i)))
		}
		w.do(inner.Put([]byte("\xff"), nil))
		return w.err
	})
}

func makeBadger(path string) error {
	db, err := badger.Open(badger.DefaultOptions(path).WithLogger(nil))
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(txn *badger.Txn) error {
		w := &filler{}
		w.do(txn.Set([]byte("a"), []byte("1")))
		w.do(txn.Set([]byte("gone"), []byte("1")))
		w.do(txn.Delete([]byte("gone")))
		e := badger.NewEntry([]byte("temp"), []byte("2"))
		e.ExpiresAt = uint64(farAway.Unix())
		w.do(txn.SetEntry(e))
		w.do(txn.SetEntry(badger.NewEntry([]byte("over"), []byte("3")).WithTTL(-time.Hour)))
		return w.err
	})
}

func makeLevelDB(path string) error {
	db, err := leveldb.OpenFile(path, nil)
	if err != nil {
		return err
	}
	w := &filler{}
	w.do(db.Put([]byte("a"), []byte("1"), nil))
	w.do(db.Put(nil, []byte("of no key"), nil))
	w.do(db.Put([]byte("\x00b"), nil, nil))
	w.do(db.Close())
	return w.err
}
