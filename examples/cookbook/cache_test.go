package cookbook

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
)

// cacheOptions are those of a store for what can be had again. It is a store of its own: what
// is in it may be forgotten, and its directory deleted, without harm to anything else.
func cacheOptions(disk int64) siltstone.Options {
	return siltstone.Options{
		Durability:   siltstone.BufferedDurability, // a put waits for nothing
		MaxDiskBytes: disk,                         // beyond it a put is ErrNoSpace
	}
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
	var now atomic.Int64
	now.Store(1_900_000_000)
	o := cacheOptions(10 << 30)
	o.FS, o.Clock = vfs.NewMem(), func() time.Time { return time.Unix(now.Load(), 0) }
	db, err := siltstone.Open("cache", &o)
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
	now.Add(60)
	v, err := cached(context.Background(), db, "/index.html", time.Minute, load)
	fmt.Printf("%s, %v\n", v, err)
	// Output:
	// page, version 1, <nil>
	// page, version 1, <nil>
	// page, version 1, <nil>
	// page, version 2, <nil>
}
