package siltstone_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// NoTTL is what TTL returns of a key that does not expire. Given back, to whatever
// call, it means the same: so a key is copied with its time to live.
func TestNoTTLGivenBackMeansNone(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	ok(t, err)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	ok(t, db.Put([]byte("from"), nil))
	ttl, err := db.TTL([]byte("from"))
	if err != nil || ttl != siltstone.NoTTL {
		t.Fatal(ttl, err)
	}
	var b siltstone.Batch
	b.PutTTL([]byte("Batch.PutTTL"), nil, ttl)
	b.PutTTL([]byte("short"), nil, time.Hour)
	b.Put([]byte("Expire"), nil)
	for op, err := range b.Ops() {
		if err != nil || op.TTL != 0 && string(op.Key) != "short" {
			t.Errorf("%s: TTL %v, %v", op.Key, op.TTL, err)
		}
	}
	ok(t, db.Apply(&b, siltstone.Default))
	ok(t, db.PutTTL([]byte("PutTTL"), nil, ttl))
	ok(t, db.Expire([]byte("Expire"), ttl))
	ok(t, ks.PutTTL([]byte("Keyspace.PutTTL"), nil, ttl))
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { return tx.PutTTL([]byte("Tx.PutTTL"), nil, ttl) }))
	for _, k := range []string{"Batch.PutTTL", "PutTTL", "Expire", "Tx.PutTTL", "Keyspace.PutTTL"} {
		get, key := db.TTL, db.Key(k)
		if k == "Keyspace.PutTTL" {
			get, key = ks.TTL, ks.Key(k)
		}
		if got, err := get([]byte(k)); err != nil || got != siltstone.NoTTL {
			t.Errorf("%s: TTL is %v, %v", k, got, err)
		}
		if d, err := key.Deadline(); err != nil || !d.IsZero() {
			t.Errorf("%s: deadline %v, %v", k, d, err)
		}
	}
	if got, err := db.TTL([]byte("short")); err != nil || got > time.Hour || got <= 0 {
		t.Errorf("beside a key without: TTL is %v, %v", got, err)
	}
	ok(t, db.Close())
}

func TestNilsAndLevelsThatDoNotExistAreRefused(t *testing.T) {
	mem := vfs.NewMem()
	db, err := siltstone.Open("db", &siltstone.Options{FS: mem})
	ok(t, err)
	ks, err := db.CreateKeyspace("ks")
	ok(t, err)
	var none context.Context
	var b siltstone.Batch
	b.Put([]byte("k"), nil)
	nothing := func(*siltstone.Tx) error { return nil }
	put := func(tx *siltstone.Tx) error {
		tx.SetDurability(77)
		tx.OnCommit(nil)
		return tx.Put([]byte("k"), nil)
	}
	for name, call := range map[string]func() error{
		"Apply(nil)":        func() error { return db.Apply(nil, siltstone.Default) },
		"Apply(b, 77)":      func() error { return db.Apply(&b, 77) },
		"SetDurability(77)": func() error { return db.Update(bg, put) },
		"Begin(ctx, 0)":     func() error { _, err := db.Begin(bg, 0); return err },
		"Begin(ctx, 3)":     func() error { _, err := db.Begin(bg, 3); return err },
		"Begin(nil)":        func() error { _, err := db.Begin(none, siltstone.ReadOnly); return err },
		"View(nil, fn)":     func() error { return db.View(none, nothing) },
		"View(ctx, nil)":    func() error { return db.View(bg, nil) },
		"Update(nil, fn)":   func() error { return db.Update(none, nothing) },
		"Update(ctx, nil)":  func() error { return db.Update(bg, nil) },
		"Flush":             func() error { return db.Flush(none) },
		"Compact":           func() error { return db.Compact(none, siltstone.Range{}) },
		"Keyspace.Compact":  func() error { return ks.Compact(none, siltstone.Range{}) },
		"Check":             func() error { return db.Check(none) },
		"Checkpoint":        func() error { return db.Checkpoint(none, "copy") },
		"Repair(nil context)": func() error {
			_, err := siltstone.Repair(none, "db", "mended", &siltstone.Options{FS: mem})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if has, err := db.Has([]byte("k")); has || err != nil {
		t.Error("what was refused has changed something", err)
	}
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error { tx.OnCommit(nil); return nil }))
	ok(t, db.Close())
}

// Tests like to give a clock that starts at the zero Time.
func TestTimeToLiveRunsOnAClockBeforeTheEpoch(t *testing.T) {
	for _, start := range []time.Time{{}, time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		t.Run(start.UTC().String(), func(t *testing.T) {
			var off atomic.Int64
			db, err := siltstone.Open("db", &siltstone.Options{
				FS:    vfs.NewMem(),
				Clock: func() time.Time { return start.Add(time.Duration(off.Load())) },
			})
			ok(t, err)
			ok(t, db.PutTTL([]byte("key"), nil, time.Minute))
			_, err = db.Hash("hash").SetTTL("field", nil, time.Minute)
			ok(t, err)
			if ttl, err := db.TTL([]byte("key")); err != nil || ttl != time.Minute {
				t.Errorf("key: TTL %v, %v", ttl, err)
			}
			off.Add(int64(time.Hour))
			if _, err := db.Get([]byte("key")); !errors.Is(err, siltstone.ErrNotFound) {
				t.Errorf("key, an hour later: %v", err)
			}
			if has, err := db.Hash("hash").Has("field"); has || err != nil {
				t.Errorf("field, an hour later: %v %v", has, err)
			}
			ok(t, db.Close())
		})
	}
}

// One wrong reading of the clock, of a board that has lost its time, is kept: no
// later deadline would ever hold. ResetClock is the way back.
func TestAClockThatWasWrongOnceCanBeSetBack(t *testing.T) {
	wrong, right := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	clock := wrong
	disk := vfstest.NewDisk(1)
	o := &siltstone.Options{FS: disk, Clock: func() time.Time { return clock }}
	open := func() *siltstone.DB {
		t.Helper()
		db, err := siltstone.Open("db", o)
		ok(t, err)
		return db
	}
	db := open()
	ok(t, db.Put([]byte("k"), []byte("v")))
	ok(t, db.PutTTL([]byte("x"), nil, time.Minute))
	if _, _, err := siltstone.ResetClock("db", o); !errors.Is(err, siltstone.ErrLocked) {
		t.Errorf("of an open store: %v", err)
	}
	o.FS = disk.Image(vfstest.P0, rand.New(rand.NewPCG(1, 1))) // killed: the clock is in the log, too
	ok(t, db.Close())
	if _, _, err := siltstone.ResetClock("nothing", o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no store: %v", err)
	}
	clock = right
	was, now, err := siltstone.ResetClock("db", o)
	if err != nil || !now.Equal(right) || was.Sub(wrong).Abs() > time.Second {
		t.Fatalf("from %v to %v, %v", was, now, err)
	}
	db = open()
	if _, err := db.String("token").SetWith([]byte("v"), typed.SetOptions{At: right.Add(24 * time.Hour)}); err != nil {
		t.Error(err)
	}
	if ttl, err := db.TTL([]byte("token")); err != nil || ttl != 24*time.Hour {
		t.Errorf("token: TTL %v, %v", ttl, err)
	}
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("k: %q, %v", v, err)
	}
	if d, err := db.Key("x").Deadline(); err != nil || d.Year() != 2099 {
		t.Errorf("x keeps its deadline: %v, %v", d, err)
	}
	ok(t, db.Check(bg))
	ok(t, db.Close())
	clock = right.Add(time.Hour)
	if was, now, err := siltstone.ResetClock("db", o); err != nil || !was.Equal(now) {
		t.Errorf("of a clock that is right: %v, %v, %v", was, now, err)
	}
}
