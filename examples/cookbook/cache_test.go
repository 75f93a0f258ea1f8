package cookbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// openCache opens a store for what can be had again. It is a store of its own: what is in it
// may be forgotten, and its directory deleted, without harm to anything else.
func openCache(dir string, fs vfs.FS, disk int64) (*siltstone.DB, error) {
	return siltstone.Open(dir, &siltstone.Options{
		FS:           fs,                           // nil in a program
		Durability:   siltstone.BufferedDurability, // a write waits for nothing
		MaxDiskBytes: disk,                         // beyond it a put is ErrNoSpace
	})
}

// cached returns the value of key, from the cache if it is there, else from load, and keeps it
// for the time.
func cached(ctx context.Context, cache *siltstone.DB, key string, keep time.Duration, load func(context.Context) ([]byte, error)) ([]byte, error) {
	v, err := cache.Get([]byte(key))
	if err == nil || !errors.Is(err, siltstone.ErrNotFound) {
		return v, err
	}
	if v, err = load(ctx); err != nil {
		return nil, err
	}
	err = cache.PutTTL([]byte(key), v, keep)
	if errors.Is(err, siltstone.ErrNoSpace) {
		err = nil // full: old entries go when their time is over
	}
	return v, err
}

func Example_cache() {
	now := time.Unix(1_900_000_000, 0)
	db, err := siltstone.Open("cache", &siltstone.Options{FS: vfs.NewMem(), Clock: func() time.Time { return now }})
	check(err)
	defer db.Close()
	loads := 0
	load := func(context.Context) ([]byte, error) {
		loads++
		return fmt.Append(nil, "page, version ", loads), nil
	}
	for range 3 {
		v, err := cached(context.Background(), db, "/index.html", time.Minute, load)
		fmt.Printf("%s, %v\n", v, err)
	}
	now = now.Add(time.Minute)
	v, err := cached(context.Background(), db, "/index.html", time.Minute, load)
	fmt.Printf("%s, %v\n", v, err)
	// Output:
	// page, version 1, <nil>
	// page, version 1, <nil>
	// page, version 1, <nil>
	// page, version 2, <nil>
}
