package main

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleStore is Pebble with its default options and the newest format, which lets it
// tell damage in the middle of a log from a torn end.
type pebbleStore struct{ db *pebble.DB }

func openPebble(dir string) (store, error) { return pebbleWith(dir, nil) }

func openPebbleHandling(dir string) (store, error) {
	return pebbleWith(dir, &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}})
}

func pebbleWith(dir string, events *pebble.EventListener) (store, error) {
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, EventListener: events, Logger: quietPebble{}})
	if err != nil {
		return nil, err
	}
	return pebbleStore{db}, nil
}

// quietPebble tells nothing but why the process ends.
type quietPebble struct{}

func (quietPebble) Infof(string, ...any)           {}
func (quietPebble) Errorf(string, ...any)          {}
func (quietPebble) Fatalf(format string, a ...any) { pebble.DefaultLogger.Fatalf(format, a...) }

func (s pebbleStore) Commit(ops []op) error {
	b := s.db.NewBatch()
	defer b.Close()
	for _, o := range ops {
		var err error
		if o.value == "" {
			err = b.Delete([]byte(o.key), nil)
		} else {
			err = b.Set([]byte(o.key), []byte(o.value), nil)
		}
		if err != nil {
			return err
		}
	}
	return b.Commit(pebble.Sync)
}

func (s pebbleStore) Flush() error { return s.db.Flush() }

func (s pebbleStore) Get(key string) (string, bool, error) {
	v, closer, err := s.db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value := string(v)
	return value, true, closer.Close()
}

func (s pebbleStore) Scan(fn func(key, value string)) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		fn(string(it.Key()), string(v))
	}
	return errors.Join(it.Error(), it.Close())
}

func (s pebbleStore) Close() error { return s.db.Close() }
