package foreign

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// LevelDB reads the LevelDB directory dir.
func LevelDB(dir string) iter.Seq2[*entry.Entry, error] {
	return loop(func(yield func(*entry.Entry, error) error) (err error) {
		if _, err := os.Stat(filepath.Join(dir, "CURRENT")); err != nil {
			return fmt.Errorf("%s is no leveldb directory: %w", dir, err)
		}
		defer recovered(&err, "leveldb "+dir)
		db, err := leveldb.OpenFile(dir, &opt.Options{ReadOnly: true, ErrorIfMissing: true, Strict: opt.StrictAll})
		if err != nil {
			return levelDBError(dir, err)
		}
		defer db.Close() // it was only read
		it := db.NewIterator(nil, nil)
		defer it.Release()
		for it.Next() {
			if err := yield(pair("", it.Key(), it.Value())); err != nil {
				return err
			}
		}
		if err := it.Error(); err != nil {
			return levelDBError(dir, err)
		}
		return nil
	})
}

func levelDBError(dir string, err error) error {
	if errors.IsCorrupted(err) {
		return fmt.Errorf("leveldb %s: %w: %w", dir, entry.ErrDamaged, err)
	}
	return fmt.Errorf("leveldb %s: %w", dir, err)
}
