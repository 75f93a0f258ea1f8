package changes_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/leaktest"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// origin is a store that keeps changes, under a history of random calls.
type origin struct {
	*siltstone.DB
	t     *testing.T
	disk  *vfstest.Disk
	clock *handClock
	rng   *rand.Rand
	keep  changes.Keep
	// checkpoints are copies of the store, each to be followed from its moment on.
	checkpoints []checkpoint
}

type checkpoint struct {
	dir string
	fs  vfs.FS
	now time.Time
}

func newOrigin(t *testing.T, n uint64) *origin {
	o := &origin{t: t, disk: vfstest.NewDisk(n), clock: newHandClock(), rng: rand.New(rand.NewPCG(n, 0xfeed)), keep: changes.Keep{Bytes: 1 << 30}}
	o.open()
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func (o *origin) open() {
	o.t.Helper()
	db, err := siltstone.Open("db", &siltstone.Options{
		FS: o.disk, Clock: o.clock.Now, KeepChanges: o.keep, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10,
	})
	done(o.t, err)
	o.DB = db
}

func (o *origin) Now() int64 { return o.clock.Now().UnixMilli() }

func (o *origin) Advance(ms int64) {
	o.clock.to(o.clock.Now().Add(time.Duration(ms) * time.Millisecond))
}

func (o *origin) Update(fn func(tx typedtest.API) error) error {
	return o.DB.Update(context.Background(), func(tx *siltstone.Tx) error { return fn(tx) })
}

// disturb does something beside the typed calls on the default keyspace.
func (o *origin) disturb() {
	o.t.Helper()
	ctx := context.Background()
	switch o.rng.IntN(12) {
	case 0:
		done(o.t, o.Close())
		o.open()
	case 1:
		image := o.disk.Image(vfstest.Profiles()[o.rng.IntN(6)], o.rng)
		_ = o.Close()
		o.disk = image
		o.open()
	case 2:
		done(o.t, o.Flush(ctx))
	case 3:
		done(o.t, o.Compact(ctx, siltstone.Range{}))
	case 4:
		if len(o.checkpoints) < 4 {
			dir := fmt.Sprintf("copy%d", len(o.checkpoints))
			done(o.t, o.Checkpoint(ctx, dir))
			o.checkpoints = append(o.checkpoints, checkpoint{dir, o.disk, o.clock.Now()})
		}
	case 5:
		if name := o.space(); o.rng.IntN(2) == 0 {
			_ = o.DropKeyspace(name) // there may be none
		}
	case 6:
		if o.rng.IntN(30) == 0 {
			// The model of the history knows the default keyspace alone, so that must be empty.
			done(o.t, o.clearNamed())
		}
	default:
		o.raw()
	}
}

func (o *origin) space() string { return fmt.Sprintf("space %d", o.rng.IntN(2)) }

func (o *origin) clearNamed() error {
	names, err := o.Keyspaces()
	for _, name := range names {
		if err == nil {
			err = o.DropKeyspace(name)
		}
	}
	return err
}

// raw makes raw and typed changes in a named keyspace, of some of them one batch that is
// larger than a memtable takes.
func (o *origin) raw() {
	ks, err := o.CreateKeyspace(o.space())
	done(o.t, err)
	key := func() []byte { return fmt.Appendf(nil, "key %d", o.rng.IntN(6)) }
	var b siltstone.Batch
	in := b.In(ks)
	for range 1 + o.rng.IntN(5) {
		switch o.rng.IntN(6) {
		case 0:
			in.Delete(key())
		case 1:
			lo, hi := key(), key()
			if bytes.Compare(lo, hi) < 0 {
				in.DeleteRange(siltstone.Range{Lower: lo, Upper: hi})
			}
		case 2:
			in.PutTTL(key(), key(), time.Duration(1+o.rng.IntN(100))*time.Millisecond)
		case 3:
			if o.rng.IntN(4) == 0 {
				in.DeleteRange(siltstone.Range{})
			}
		default:
			in.Put(key(), key())
		}
	}
	if o.rng.IntN(5) == 0 {
		many := make([][]byte, 90)
		_, _ = ks.List("long").PushBack(many...)
		done(o.t, ks.List("long").Trim(80, -1)) // by a range delete
		done(o.t, ks.Key("long").Rename("longer"))
		for i := range 300 {
			in.Put(fmt.Appendf(nil, "large %d", i), make([]byte, 100))
		}
	}
	done(o.t, o.Apply(&b, siltstone.SyncDurability))
	done(o.t, ks.DeleteRange(siltstone.Range{Lower: []byte("large 1"), Upper: []byte("large 2")}))
	done(o.t, o.DB.Update(context.Background(), func(tx *siltstone.Tx) error {
		if _, err := tx.Set("collection").Add("in a transaction with another"); err != nil {
			return err
		}
		if _, err := tx.Key("collection").Drop(); err != nil {
			return err
		}
		name := string(key())
		_, _ = tx.In(ks).Hash(name).SetTTL("f", key(), time.Duration(1+o.rng.IntN(200))*time.Millisecond) // may hold a string
		_, _ = tx.In(ks).List("list "+name).PushBack(key(), key(), bytes.Repeat(key(), o.rng.IntN(40)))
		return nil
	}))
}

func TestAFollowerOfARandomHistoryHasAnEqualStore(t *testing.T) {
	seeds, steps, first := uint64(6), 1200, uint64(1)
	if testing.Short() {
		seeds, steps = 3, 500
	}
	if n, ok := seed.Given(); ok {
		seeds, steps, first = 1, 5000, n
	}
	kinds := map[changes.Kind]int{}
	for n := first; n < first+seeds; n++ {
		limit := typedtest.InlineLimits[n%3]
		typedtest.InlineUpTo(t, limit.Elements, limit.Bytes)
		o := newOrigin(t, n)
		whole := newFollower(t, vfs.NewMem(), "whole", time.Time{})
		now := o.clock.Now()
		err := typedtest.History(o, typedtest.HistoryOptions{Seed: n, Steps: steps, Each: func(int) error {
			if o.rng.IntN(8) == 0 {
				o.disturb()
			}
			if o.rng.IntN(100) == 0 {
				whole.follow(o.DB)
			}
			return nil
		}})
		if err != nil {
			t.Fatalf("%v\n%s", err, seed.Replay(t, n))
		}
		equal := func(what string, f *follower) {
			f.follow(o.DB)
			f.clock.to(o.clock.Now())
			if got, want := picture(t, f.db), picture(t, o.DB); got != want {
				t.Errorf("seed %d, %s: the follower differs\n%s\n%s", n, what, firstDifference(got, want), seed.Replay(t, n))
			}
			for k, n := range f.kinds {
				kinds[k] += n
			}
		}
		equal("followed on the way", whole)
		equal("followed from the beginning", newFollower(t, vfs.NewMem(), "late", now))
		for _, c := range o.checkpoints {
			equal("followed from "+c.dir, newFollower(t, c.fs, c.dir, c.now))
		}
	}
	for k := changes.KindPut; k < changes.KindDropAll; k++ {
		if kinds[k] == 0 {
			t.Errorf("no history had a %v", k)
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("has:\n  %s\nwants:\n  %s", strings.Join(g[min(i, len(g)):min(i+6, len(g))], "\n  "), strings.Join(w[min(i, len(w)):min(i+6, len(w))], "\n  "))
		}
	}
	return ""
}
