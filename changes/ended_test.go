package changes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/vfs"
)

// expiredKeys returns the keys of which the feed tells that their time had come.
func expiredKeys(t *testing.T, db *siltstone.DB, after changes.Position) (keys []string) {
	t.Helper()
	all, err := present(db, siltstone.ChangeOptions{After: after})
	done(t, err)
	for _, c := range all {
		if c.Kind == changes.KindExpired {
			keys = append(keys, c.Keyspace+"/"+string(c.Key))
		}
	}
	slices.Sort(keys)
	return keys
}

func TestAMergeTellsOfEachKeyThatHasEndedOnce(t *testing.T) {
	ctx := context.Background()
	fsys, clock := vfs.NewMem(), newHandClock()
	withClock := func(o *siltstone.Options) { o.Clock = clock.Now }
	db := openKeeping(t, fsys, "db", plenty, withClock)
	ks, err := db.CreateKeyspace("space")
	done(t, err)
	ttl := func(ks siltstone.ReadWriter, key string) { done(t, ks.PutTTL([]byte(key), nil, time.Second)) }
	var want []string
	for i := range 700 { // more than are told at once
		ttl(db, fmt.Sprintf("ends %03d", i))
		want = append(want, fmt.Sprintf("/ends %03d", i))
	}
	for _, key := range []string{"put again", "put with a longer time", "deleted", "deleted in a range", "persists"} {
		ttl(db, key)
	}
	_, err = ks.Hash("small").Set("f", nil)
	done(t, err)
	done(t, ks.Hash("small").Expire(time.Second))
	ttl(ks, "in a keyspace")
	want = append(want, "space/in a keyspace", "space/small")
	_, err = db.Key("persists").Persist()
	done(t, err)
	done(t, db.Flush(ctx))
	done(t, db.PutTTL([]byte("put with a longer time"), nil, time.Hour))

	after := db.Position()
	clock.to(clock.Now().Add(time.Minute))
	done(t, db.Put([]byte("put again"), nil))
	done(t, db.Delete([]byte("deleted")))
	done(t, db.DeleteRange(siltstone.Prefix([]byte("deleted in a range"))))
	var got []string
	for n := 0; n < 100 && !slices.Equal(got, want); n++ { // a merge that had begun before goes by its beginning
		done(t, db.Compact(ctx, siltstone.Range{}))
		got = slices.DeleteFunc(expiredKeys(t, db, after), func(key string) bool {
			// A merge of the store's own may have told of these before they were written.
			return strings.HasPrefix(key, "/deleted") || key == "/put again"
		})
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d keys are told of, want %d:\n%.300v", len(got), len(want), got)
	}
	after = db.Position()
	done(t, db.Compact(ctx, siltstone.Range{}))
	done(t, db.Close())
	db = openKeeping(t, fsys, "db", plenty, withClock)
	done(t, db.Compact(ctx, siltstone.Range{}))
	if got := expiredKeys(t, db, after); len(got) > 0 {
		t.Errorf("told of again: %v", got)
	}
	n := 0
	for _, err := range db.Scan(siltstone.Range{}) {
		done(t, err)
		n++
	}
	if n != 3 {
		t.Errorf("%d keys are left", n)
	}
	done(t, db.Check(ctx))
}

// TestNobodyIsToldOfTheEndOfAKeyThatLives has writers that put keys again whose time has
// come, beside merges that tell of those.
func TestNobodyIsToldOfTheEndOfAKeyThatLives(t *testing.T) {
	ctx := context.Background()
	clock := newHandClock()
	db := openKeeping(t, vfs.NewMem(), "db", plenty, func(o *siltstone.Options) {
		o.Clock, o.Durability = clock.Now, siltstone.BufferedDurability
	})
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	key := func(i int) []byte { return fmt.Appendf(nil, "key %02d", i%50) }
	told, ended := 0, make(chan error, 1)
	for range rounds {
		for i := range 50 {
			done(t, db.PutTTL(key(i), nil, time.Second))
		}
		done(t, db.Flush(ctx))
		clock.to(clock.Now().Add(2 * time.Second))
		go func() { ended <- db.Compact(ctx, siltstone.Range{}) }()
		for i := range 50 {
			done(t, db.Put(key(i*7), []byte("lives")))
		}
		done(t, <-ended)
		done(t, db.Sync())
	}
	alive := map[string]changes.Change{}
	for c, err := range db.Changes(ctx, siltstone.ChangeOptions{NoWait: true}) {
		done(t, err)
		last := alive[string(c.Key)]
		if c.Kind == changes.KindExpired {
			if told++; last.Kind != changes.KindPut || last.ExpiresAt.IsZero() || last.ExpiresAt.After(c.Time) {
				t.Fatalf("%s has ended at %v, and is %v until %v", c.Key, c.Time, last.Kind, last.ExpiresAt)
			}
		}
		alive[string(c.Key)] = c
	}
	t.Logf("%d of %d were told of, the others were put again before", told, rounds*50)
}

// TestAMergeOnAFullDiskWaitsForNobodyToTellOfEnds has all keys of a full store end: merges
// bring the space back, told of or not.
func TestAMergeOnAFullDiskWaitsForNobodyToTellOfEnds(t *testing.T) {
	fsys, clock := vfs.NewMem(), newHandClock()
	fsys.SetCapacity(6 << 20)
	db := openKeeping(t, fsys, "db", changes.Keep{Bytes: 256 << 10}, func(o *siltstone.Options) {
		o.Clock, o.Durability, o.Compression = clock.Now, siltstone.BufferedDurability, siltstone.NoCompression
	})
	value := make([]byte, 1000)
	var err error
	for i := 0; err == nil; i++ {
		err = db.PutTTL(fmt.Appendf(nil, "key %05d", i), value, time.Second)
	}
	if !errors.Is(err, siltstone.ErrNoSpace) {
		t.Fatal(err)
	}
	rest, err := fsys.Create("other") // the last bytes
	done(t, err)
	for n := 1 << 20; n > 0; {
		if _, err := rest.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	clock.to(clock.Now().Add(time.Minute))
	// Either may be refused while the disk is full, and neither may hang.
	if err := db.Compact(context.Background(), siltstone.Range{}); err != nil && !errors.Is(err, siltstone.ErrNoSpace) {
		t.Fatal(err)
	}
	done(t, rest.Close())
	done(t, fsys.Remove("other"))
	done(t, db.DeleteRange(siltstone.Range{}))
	done(t, db.Compact(context.Background(), siltstone.Range{}))
	done(t, db.Put([]byte("again"), value))
}
