package foreign

import (
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"go.etcd.io/bbolt"
)

// Bbolt reads the bbolt file at path. Each bucket is a keyspace; a bucket in a bucket is the
// keyspace "outer/inner".
func Bbolt(path string) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) (err error) {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Size() == 0 {
			return fmt.Errorf("%s is an empty file", path)
		}
		// The file is mapped: of one that was cut short a read is a fault of the machine.
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer recovered(&err, "bbolt "+path)
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
		if err != nil {
			return fmt.Errorf("bbolt %s: %w", path, err)
		}
		defer db.Close() // it was only read
		seen := map[string]bool{}
		return db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return bucket(string(name), b, seen, yield) })
		})
	})
}

// bucket yields a bucket's keyspace, its keys, and the buckets in it.
func bucket(name string, b *bbolt.Bucket, seen map[string]bool, yield func(*entry.Entry, error) error) error {
	if seen[name] {
		return fmt.Errorf("two buckets are called %q: one stands in another, and one has a slash in its name", name)
	}
	seen[name] = true
	if len(name) <= siltstone.MaxKeyspaceName { // else each key of it is left out
		if err := yield(&entry.Entry{Keyspace: name}, nil); err != nil {
			return err
		}
	}
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return bucket(name+"/"+string(k), b.Bucket(k), seen, yield)
		}
		return yield(pair(name, k, v))
	})
}

// recovered makes an error of a panic: a library panics on some damaged files.
func recovered(err *error, what string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: %w: %v", what, entry.ErrDamaged, r)
	}
}
