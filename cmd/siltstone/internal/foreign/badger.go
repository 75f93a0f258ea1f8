package foreign

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
)

// Badger reads the Badger 4 directory dir: each key's newest version, with its time to live.
// Badger opens a directory for reading only if it was closed.
func Badger(dir string) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) (err error) {
		if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err != nil {
			return fmt.Errorf("%s is no badger directory: %w", dir, err)
		}
		defer recovered(&err, "badger "+dir)
		db, err := badger.Open(badger.DefaultOptions(dir).WithReadOnly(true).WithLogger(nil))
		if err != nil {
			return fmt.Errorf("badger %s: %w", dir, err)
		}
		defer db.Close() // it was only read
		return db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.DefaultIteratorOptions)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				if err := badgerItem(it.Item(), yield); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func badgerItem(item *badger.Item, yield func(*entry.Entry, error) error) error {
	value, err := item.ValueCopy(nil)
	if err != nil {
		return fmt.Errorf("badger: key %q: %w", item.Key(), err)
	}
	e, err := pair("", item.Key(), value)
	if at := item.ExpiresAt(); e != nil && at > 0 {
		e.Expires = time.Unix(int64(min(at, 1<<42)), 0)
	}
	return yield(e, err)
}
