// Package foreign reads what other stores and formats hold, as entries. Each function
// returns a loop whose entries belong to whoever takes them. An error is the last item. Files
// of Redis are read by package rdb.
//
//	bbolt     a bucket is a keyspace, nested ones are called "outer/inner"
//	badger    keys with their times to live
//	leveldb   keys
//	csv       key,value, and the columns keyspace and expires if the first line names them
//	ndjson    {"key":…,"value":…} a line
package foreign

import (
	"errors"
	"fmt"
	"iter"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/typed"
)

// errStopped ends a walk whose loop was left.
var errStopped = errors.New("the loop was left")

// loop makes a loop of a function that calls yield for each entry and stops with the error
// that yield returns.
func loop(walk func(yield func(*entry.Entry, error) error) error) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		err := walk(func(e *entry.Entry, err error) error {
			if !yield(e, err) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// pair is an entry of a key with a string, of which copies are made; or why it is left out.
func pair(keyspace string, key, value []byte) (*entry.Entry, error) {
	switch {
	case len(keyspace) > siltstone.MaxKeyspaceName:
		return nil, fmt.Errorf("%w: a keyspace with a name of %d bytes, %q…, of key %q: %d are the most", entry.ErrLeftOut, len(keyspace), keyspace[:32], key[:min(32, len(key))], siltstone.MaxKeyspaceName)
	case len(key) == 0:
		return nil, fmt.Errorf("%w: a key of no bytes, with a value of %d", entry.ErrLeftOut, len(value))
	case len(key) > siltstone.MaxKeyLen:
		return nil, fmt.Errorf("%w: a key of %d bytes, %q…: %d are the most", entry.ErrLeftOut, len(key), key[:32], siltstone.MaxKeyLen)
	case len(value) > siltstone.MaxValueLen:
		return nil, fmt.Errorf("%w: a value of %d bytes, of key %q: %d are the most", entry.ErrLeftOut, len(value), key, siltstone.MaxValueLen)
	}
	return &entry.Entry{Keyspace: keyspace, Key: clone(key), Type: typed.TypeString, Value: clone(value)}, nil
}

func clone(b []byte) []byte { return append([]byte{}, b...) }
