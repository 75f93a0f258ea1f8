package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

func keeping() *siltstone.Options {
	return &siltstone.Options{KeepChanges: changes.Keep{Bytes: 64 << 20}}
}

// makeChanges makes a store that keeps its changes, and some of several kinds.
func makeChanges(dir string) (err error) {
	db, err := siltstone.Open(dir, keeping())
	if err != nil {
		return err
	}
	defer closing(db, &err)
	w := &filler{}
	w.do(db.Put([]byte("a"), []byte("1")))
	w.do(db.Update(context.Background(), func(tx *siltstone.Tx) error {
		w.do(tx.Put([]byte("b"), []byte("2 3")))
		return tx.Key("b").ExpireAt(farAway)
	}))
	w.do(db.Delete([]byte("a")))
	w.n(db.Hash("h").Set("f", []byte("x")))
	tenant, err := db.CreateKeyspace("tenant")
	if err != nil {
		return err
	}
	w.n(tenant.ZSet("z").Add("m", 1.5))
	w.do(db.DeleteRange(siltstone.Prefix([]byte("b"))))
	return w.err
}

// holdChanges opens the store for writing, says so with a file, and writes until that has
// gone.
func holdChanges(dir string) (err error) {
	db, err := siltstone.Open(dir, keeping())
	if err != nil {
		return err
	}
	defer closing(db, &err)
	tenant, err := db.Keyspace("tenant")
	if err != nil {
		return err
	}
	if err := os.WriteFile(dir+".held", nil, 0o600); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if _, err := os.Stat(dir + ".held"); err != nil && n > 0 {
			return nil
		}
		if err := tenant.Put([]byte("live"), strconv.AppendInt(nil, int64(n), 10)); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
