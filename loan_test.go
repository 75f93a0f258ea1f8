//go:build !race && !invariants

package siltstone

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
)

// A read that the cache has no room for borrows the memory of a block, and is to
// give it back. The race detector makes pools forget at random.
func TestReadsBesideAFullCacheAllocateNothing(t *testing.T) {
	typedtest.InRows(t)
	clock := newHandClock()
	db, err := Open("db", &Options{FS: vfs.NewMem(), Clock: clock.Now, manualWork: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 2000 {
		want(t, 1)(db.Set("s").Add(fmt.Sprint(i)))
	}
	if err := db.PutTTL([]byte("gone"), nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := db.Compact(context.Background(), Range{}); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(context.Background(), ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	clock.advance(2 * time.Minute)
	limit := db.opts.MemoryLimit
	db.states.Tables.Cache().Reserve(limit)
	defer db.states.Tables.Cache().Release(limit)
	for name, call := range map[string]func(){
		"Set.Has":      func() { want(t, true)(db.Set("s").Has("1234")) },
		"Key.Exists":   func() { want(t, true)(db.Key("s").Exists()) },
		"Has":          func() { want(t, true)(db.Has([]byte("s"))) },
		"Tx.Has":       func() { want(t, true)(tx.Has([]byte("s"))) },
		"Snapshot.Has": func() { want(t, true)(snap.Has([]byte("s"))) },
		"String.Get of what is gone": func() {
			if _, err := db.String("gone").AppendGet(nil); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		},
		"AppendGet of what is gone": func() {
			if _, err := db.AppendGet(nil, []byte("gone")); !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
		},
	} {
		call()
		if n := testing.AllocsPerRun(200, call); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
