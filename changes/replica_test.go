package changes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// replica is a replica on a disk of its own.
type replica struct {
	*siltstone.DB
	t     *testing.T
	disk  *vfstest.Disk
	clock *handClock
	keep  changes.Keep
	count int
}

// backup returns a backup of the store.
func (o *origin) backup() []byte {
	o.t.Helper()
	var b bytes.Buffer
	_, err := o.Backup(context.Background(), &b, nil)
	done(o.t, err)
	return b.Bytes()
}

func newReplica(t *testing.T, n uint64, backup []byte, o *origin) *replica {
	t.Helper()
	r := &replica{t: t, disk: vfstest.NewDisk(n), clock: newHandClock()}
	if n%2 == 0 {
		r.keep = changes.Keep{Bytes: 1 << 20}
	}
	r.clock.to(o.clock.Now())
	_, err := siltstone.Restore(context.Background(), "db", &siltstone.Options{FS: r.disk}, bytes.NewReader(backup))
	done(t, err)
	r.open()
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (r *replica) options() *siltstone.Options {
	return &siltstone.Options{
		FS: r.disk, Clock: r.clock.Now, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10, KeepChanges: r.keep, Durability: siltstone.BufferedDurability,
		LogicalClock: true,
	}
}

func (r *replica) open() {
	r.t.Helper()
	db, err := siltstone.OpenReplica("db", r.options())
	done(r.t, err)
	r.DB = db
}

// follow replays what the origin has committed since, some of it twice.
func (r *replica) follow(o *origin) {
	r.t.Helper()
	for c, err := range o.Commits(context.Background(), siltstone.ChangeOptions{After: r.Position(), NoWait: true}) {
		done(r.t, err)
		b, err := c.MarshalBinary()
		done(r.t, err)
		var again changes.Commit
		done(r.t, again.UnmarshalBinary(b))
		for range 1 + r.count%3/2 {
			done(r.t, r.Replay(again))
		}
		if r.count++; r.Position() != c.Position {
			r.t.Fatalf("after commit %v the replica is at %v", c.Position, r.Position())
		}
	}
}

// equal compares the replica with the origin.
func (r *replica) equal(o *origin, what string) {
	r.t.Helper()
	r.clock.to(o.clock.Now())
	if got, want := picture(r.t, r.DB), picture(r.t, o.DB); got != want {
		r.t.Fatalf("%s: the replica differs\n%s", what, firstDifference(got, want))
	}
}

// upTo yields the commits up to a position, which may be in a gap that a crash has left.
func upTo(all []changes.Commit, p changes.Position) iter.Seq2[changes.Commit, error] {
	_, end := p.Parts()
	return func(yield func(changes.Commit, error) bool) {
		for _, c := range all {
			if _, at := c.Position.Parts(); at > end || !yield(c, nil) {
				return
			}
		}
	}
}

// moment is what a store held at a position.
type moment struct {
	position changes.Position
	now      time.Time
	picture  string
}

func TestAReplicaOfARandomHistoryIsEqualAtEachPosition(t *testing.T) {
	seeds, steps, first := uint64(4), 700, uint64(1)
	if testing.Short() {
		seeds, steps = 2, 300
	}
	if n, ok := seed.Given(); ok {
		seeds, steps, first = 1, 3000, n
	}
	for n := first; n < first+seeds; n++ {
		limit := typedtest.InlineLimits[n%3]
		typedtest.InlineUpTo(t, limit.Elements, limit.Bytes)
		o := newOrigin(t, n)
		backup, from := o.backup(), o.Position()
		r := newReplica(t, n, backup, o)
		var moments []moment
		err := typedtest.History(o, typedtest.HistoryOptions{Seed: n, Steps: steps, Each: func(int) error {
			if o.rng.IntN(8) == 0 {
				o.disturb()
			}
			if o.rng.IntN(30) == 0 {
				r.follow(o)
				r.equal(o, fmt.Sprint("seed ", n, " on the way"))
				r.disturb(o)
			}
			if o.rng.IntN(60) == 0 {
				moments = append(moments, moment{o.Position(), o.clock.Now(), picture(t, o.DB)})
			}
			if len(moments) == 2 && o.rng.IntN(60) == 0 {
				backup, from, moments = o.backup(), o.Position(), nil
			}
			return nil
		}})
		if err != nil {
			t.Fatalf("%v\n%s", err, seed.Replay(t, n))
		}
		r.follow(o)
		r.equal(o, fmt.Sprint("seed ", n, " at the end"))
		done(t, r.Check(context.Background()))
		var all []changes.Commit
		for c, err := range o.Commits(context.Background(), siltstone.ChangeOptions{After: from, NoWait: true}) {
			done(t, err)
			c.Body = bytes.Clone(c.Body)
			all = append(all, c)
		}
		for i, m := range moments {
			mem, dir := vfs.NewMem(), fmt.Sprint("at", i)
			clock := newHandClock()
			clock.to(m.now)
			options := &siltstone.Options{FS: mem, Clock: clock.Now, MemoryLimit: 8 << 20, MemtableBytes: 64 << 10}
			_, err := siltstone.RestoreReplay(context.Background(), dir, options, upTo(all, m.position), bytes.NewReader(backup))
			done(t, err)
			db, err := siltstone.Open(dir, options)
			done(t, err)
			if got := picture(t, db); got != m.picture {
				t.Fatalf("restored to %v of seed %d, the store differs\n%s\n%s", m.position, n, firstDifference(got, m.picture), seed.Replay(t, n))
			}
			_, origin := db.Origin().Parts()
			if _, at := m.position.Parts(); origin > at || at < uint64(base.SeqGap) && origin != at {
				t.Errorf("restored to %v, the store says it comes from %v", m.position, db.Origin())
			}
			done(t, errors.Join(db.Check(context.Background()), db.Close()))
		}
		// The replica becomes a store of its own.
		at := r.Position()
		done(t, r.Close())
		db, err := siltstone.Open("db", r.options())
		done(t, err)
		r.DB = db
		r.equal(o, fmt.Sprint("seed ", n, " as a store of its own"))
		if db.Origin() != at {
			t.Errorf("the store that was a replica up to %v says %v", at, db.Origin())
		}
		_, err = db.Hash("own").Set("f", make([]byte, 300))
		done(t, errors.Join(err, db.Check(context.Background()), db.Close()))
		if _, err := siltstone.OpenReplica("db", r.options()); !errors.Is(err, siltstone.ErrBadOption) {
			t.Errorf("a store with commits of its own is opened as a replica: %v", err)
		}
	}
}

// disturb closes the replica, or cuts its power, or has it work.
func (r *replica) disturb(o *origin) {
	r.t.Helper()
	ctx := context.Background()
	switch o.rng.IntN(5) {
	case 0:
		done(r.t, r.Close())
		r.open()
	case 1:
		image := r.disk.Image(vfstest.Profiles()[o.rng.IntN(6)], o.rng)
		_ = r.Close()
		r.disk = image
		r.open()
	case 2:
		done(r.t, r.Flush(ctx))
	case 3:
		done(r.t, r.Compact(ctx, siltstone.Range{}))
	case 4:
		done(r.t, r.Check(ctx))
	}
}

func TestAReplicaTakesNothingButCommitsOfItsStore(t *testing.T) {
	ctx := context.Background()
	o := newOrigin(t, 1)
	done(t, o.Put([]byte("a"), []byte("1")))
	_, err := o.CreateKeyspace("old")
	done(t, err)
	r := newReplica(t, 1, o.backup(), o)
	done(t, o.DropKeyspace("old"))
	old, err := r.Keyspace("old")
	done(t, err)
	_, err = r.CreateKeyspace("new")
	_, erra := r.Set("s").Add("m")
	_, errb := r.Begin(ctx, siltstone.ReadWriteMode)
	for i, err := range []error{
		err, erra, errb, r.Put([]byte("k"), nil), r.DeleteRange(siltstone.Range{}), r.DropKeyspace("old"), r.DropAll(), old.Put([]byte("k"), nil),
		r.Update(ctx, func(tx *siltstone.Tx) error { return tx.Put([]byte("k"), nil) }),
	} {
		if !errors.Is(err, siltstone.ErrReadOnly) || !strings.Contains(err.Error(), "OpenReplica") {
			t.Errorf("call %d that writes: %v", i, err)
		}
	}
	var drop changes.Commit
	for c, err := range o.Commits(ctx, siltstone.ChangeOptions{After: r.Position(), NoWait: true}) {
		done(t, err)
		drop = c
		drop.Body = bytes.Clone(c.Body)
		break
	}
	whole := drop.Body
	for _, wrong := range []string{
		"", "\x06", "\x06\x00", "\x06\x00\x02", "\x06\x00\x02\x01\x33", "\x06\x00\x02\x02\x00k", "\x06\x00\x02\x06\x10\x00\x00\x00\x01\x03", "\x06\x00\x01\x03\x00ka\x01x",
		string(whole[:len(whole)-1]), string(whole) + "\x00",
	} {
		bad := drop
		bad.Body = []byte(wrong)
		if err := r.Replay(bad); !errors.Is(err, siltstone.ErrCorruption) {
			t.Errorf("a commit of the bytes %q: %v", wrong, err)
		}
	}
	other := drop
	other.Position[0] ^= 1
	for err, db := range map[error]*siltstone.DB{r.Replay(other): r.DB, o.Replay(drop): o.DB, new(siltstone.DB).Replay(drop): nil} {
		if db != nil && !errors.Is(err, siltstone.ErrBadOption) || db == nil && !errors.Is(err, siltstone.ErrClosed) {
			t.Error(err)
		}
	}
	for _, err := range r.Commits(ctx, siltstone.ChangeOptions{NoWait: true}) {
		if !errors.Is(err, siltstone.ErrBadOption) {
			t.Errorf("commits of a replica: %v", err)
		}
	}
	done(t, r.Replay(drop))
	if _, err := old.Get([]byte("k")); !errors.Is(err, siltstone.ErrDropped) {
		t.Errorf("a keyspace whose drop was replayed: %v", err)
	}
	if names, err := r.Keyspaces(); len(names) != 0 || err != nil {
		t.Error(names, err)
	}
	if _, err := siltstone.OpenReplica("nothing", r.options()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	own, err := siltstone.Open("own", r.options())
	done(t, err)
	done(t, own.Close())
	if _, err := siltstone.OpenReplica("own", r.options()); !errors.Is(err, siltstone.ErrBadOption) {
		t.Errorf("a store that was never restored: %v", err)
	}
}

// A replica takes what has ended out like any store, and has nobody to tell: it commits
// nothing itself.
// A collection whose elements have rows gets an id, and the rows bear it. A replica has those
// of the commits behind the backup, too, once it is a store of its own.
func TestAReplicaThatBecomesAStoreGivesNoIDTwice(t *testing.T) {
	typedtest.InRows(t)
	o := newOrigin(t, 1)
	r := newReplica(t, 1, o.backup(), o)
	const sets = 9000 // more than a block of ids that the backup has reserved
	for i := range sets / 100 {
		done(t, o.DB.Update(context.Background(), func(tx *siltstone.Tx) error {
			for j := range 100 {
				if _, err := tx.Set(fmt.Sprint(i, j)).Add("old"); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	r.follow(o)
	done(t, r.Close())
	db, err := siltstone.Open("db", r.options())
	done(t, err)
	defer db.Close()
	for i := range sets {
		name := fmt.Sprint("new", i)
		_, err := db.Set(name).Add("new")
		done(t, err)
		for member, err := range db.Set(name).All() {
			if done(t, err); member != "new" {
				t.Fatalf("%s has %q, which is another set's", name, member)
			}
		}
	}
	done(t, db.Check(context.Background()))
}

// The replica's own clock is behind.
func TestAReplicaShowsNothingThatHadExpiredAtTheLastCommit(t *testing.T) {
	o := newOrigin(t, 1)
	r := newReplica(t, 1, o.backup(), o)
	done(t, o.PutTTL([]byte("short"), nil, time.Second))
	o.clock.to(o.clock.Now().Add(time.Hour))
	done(t, o.Put([]byte("later"), nil))
	r.follow(o)
	for key, want := range map[string]bool{"short": false, "later": true} {
		if has, err := r.Has([]byte(key)); has != want || err != nil {
			t.Errorf("%s is there: %v, %v", key, has, err)
		}
	}
}

func TestAReplicaThatKeepsChangesMergesWhatHasEnded(t *testing.T) {
	o := newOrigin(t, 1)
	done(t, o.PutTTL([]byte("ends"), []byte("v"), time.Minute))
	done(t, o.Put([]byte("stays"), []byte("v")))
	r := newReplica(t, 2, o.backup(), o) // the seed: it keeps changes
	r.clock.to(o.clock.Now().Add(time.Hour))
	done(t, r.Compact(context.Background(), siltstone.Range{}))
	if has, err := r.Has([]byte("ends")); has || err != nil {
		t.Errorf("the key that has ended: %v, %v", has, err)
	}
	if has, err := r.Has([]byte("stays")); !has || err != nil {
		t.Errorf("the key that stays: %v, %v", has, err)
	}
	if n := r.Metrics().Compactions.Failed; n != 0 {
		t.Errorf("%d merges failed", n)
	}
}

// TestTheBytesOfACommitAreTheseForEver: they are kept in repositories.
func TestTheBytesOfACommitAreTheseForEver(t *testing.T) {
	const want = "01" + "0800000000000000" + "0900000000000000" + "00c02ccba3010000" + "0700000000000000" + "06000901010176" + "5afd5718b3eeac77"
	c := changes.Commit{Position: changes.NewPosition(8, 9), Time: time.UnixMilli(1_803_000_004_608), Body: []byte("\x06\x00\x09\x01\x01\x01v")}
	b, err := c.MarshalBinary()
	done(t, err)
	if got := fmt.Sprintf("%x", b); got != want || len(b) != c.Size() {
		t.Errorf("the commit is written as\n%s, want\n%s", got, want)
	}
	for i := range b {
		wrong := bytes.Clone(b)
		wrong[i] ^= 4
		for _, wrong := range [][]byte{wrong, b[:i]} {
			if _, _, err := changes.ReadCommit(wrong); !errors.Is(err, siltstone.ErrCorruption) {
				t.Fatalf("damaged or cut at %d: %v", i, err)
			}
		}
	}
	c.Time = time.UnixMilli(-1)
	if _, err := c.MarshalBinary(); err == nil {
		t.Error("a time that no store shows is written")
	}
}
