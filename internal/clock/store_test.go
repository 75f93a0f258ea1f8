package clock_test

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

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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
	ok(t, db.Check(context.Background()))
	ok(t, db.Close())
	clock = right.Add(time.Hour)
	if was, now, err := siltstone.ResetClock("db", o); err != nil || !was.Equal(now) {
		t.Errorf("of a clock that is right: %v, %v, %v", was, now, err)
	}
}
