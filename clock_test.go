package siltstone

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// putFor puts a key with a time to live.
func putFor(t testing.TB, db *DB, key string, ttl time.Duration) {
	t.Helper()
	if err := db.PutTTL([]byte(key), []byte("v"), ttl); err != nil {
		t.Fatal(err)
	}
}

// alive reports whether the key can be read.
func alive(t testing.TB, db *DB, key string) bool {
	t.Helper()
	_, err := db.Get([]byte(key))
	if err != nil && !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestClockBackAfterRestartRevivesNothing(t *testing.T) {
	// What was committed after somebody had seen that the key is gone.
	acts := map[string]func(db *DB) error{
		"a blind put": func(db *DB) error { return db.Put([]byte("gone"), nil) },
		"a blind batch, large": func(db *DB) error {
			return db.Put([]byte("gone"), make([]byte, 5000))
		},
		"a transaction": func(db *DB) error {
			return db.Update(context.Background(), func(tx *Tx) error { return tx.Put([]byte("gone"), nil) })
		},
		"a flush":     func(db *DB) error { return db.Flush(context.Background()) },
		"a clean end": func(db *DB) error { return db.Close() },
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			disk, hand := vfstest.NewDisk(1), newHandClock()
			db := mustOpen(t, disk, hand)
			putFor(t, db, "k", time.Minute)
			hand.advance(2 * time.Minute)
			if alive(t, db, "k") {
				t.Fatal("the key has not expired")
			}
			if err := act(db); err != nil {
				t.Fatal(err)
			}
			image := disk.Image(vfstest.P1, nil)
			hand.advance(-time.Hour)
			again := mustOpen(t, image, hand)
			if alive(t, again, "k") {
				t.Error("the wall clock went back, and an expired key is back")
			}
			putFor(t, again, "new", time.Minute)
			hand.advance(59 * time.Second)
			if !alive(t, again, "new") {
				t.Error("a new key expired early")
			}
			hand.advance(2 * time.Second)
			if alive(t, again, "new") {
				t.Error("a new key does not expire while the wall clock is behind")
			}
			mustClose(t, again)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClockFarAheadOnceDoesNotFreezeTTL(t *testing.T) {
	const far = 80 * 365 * 24 * time.Hour
	for _, restart := range []bool{false, true} {
		disk, hand := vfstest.NewDisk(1), newHandClock()
		db := mustOpen(t, disk, hand)
		hand.advance(far)
		putFor(t, db, "a", time.Minute)
		hand.advance(-far)
		if restart {
			image := disk.Image(vfstest.P1, nil)
			mustClose(t, db)
			db = mustOpen(t, image, hand)
		}
		putFor(t, db, "b", time.Minute)
		hand.advance(59 * time.Second)
		if !alive(t, db, "a") || !alive(t, db, "b") {
			t.Errorf("restart %v: a key expired early", restart)
		}
		hand.advance(2 * time.Second)
		if alive(t, db, "a") || alive(t, db, "b") {
			t.Errorf("restart %v: the clock was far ahead once, and since then nothing expires", restart)
		}
		mustClose(t, db)
	}
}

func TestClockNeverGoesBackWhileTheWallDoes(t *testing.T) {
	hand := newHandClock()
	c := clock.New(hand.Now)
	rng, last := seeded(3), int64(0)
	for range 1000 {
		hand.advance(time.Duration(rng.IntN(2000)-900) * time.Millisecond)
		now := c.Now()
		if now < last {
			t.Fatalf("the clock showed %d after %d", now, last)
		}
		last = now
	}
}
