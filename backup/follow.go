package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

// FollowOptions are the settings of a Follower. Nil, and zeros, are the defaults.
type FollowOptions struct {
	// Store is the id of the store that is followed, if the repository has several. Zero is
	// that of the newest backup.
	Store uint64
	// Every is how often the repository is asked for more. Zero is a second.
	Every time.Duration
	// Options are those of siltstone.OpenReplica. Without a Durability commits reach the
	// disk a moment later: after a power cut they are replayed once more.
	Options *siltstone.Options
	// Applied is called after each object of changes, by the goroutine of Run. Nil is none.
	Applied func(Shipped)
}

// Follower is a warm copy of a store: a replica, to which Run brings what is shipped.
type Follower struct {
	r    *Repository
	db   *siltstone.DB
	opts FollowOptions
	dir  string
	idle int // how often nothing was found in a row
}

// ErrGone is wrapped by the error of a follower that lacks changes.
var ErrGone = errors.New("backup: changes are missing")

// Follow opens the copy in dir, or makes it of the newest backup if dir does not exist. It
// goes on where it ended, also after kill -9: where it stands is in its data. The caller
// closes the Follower.
func (r *Repository) Follow(ctx context.Context, dir string, o *FollowOptions) (*Follower, error) {
	f := &Follower{r: r, dir: dir}
	if o != nil {
		f.opts = *o
	}
	if f.opts.Every <= 0 {
		f.opts.Every = defaultEvery
	}
	opts := siltstone.Options{}
	if f.opts.Options != nil {
		opts = *f.opts.Options
	}
	if opts.Durability == siltstone.DefaultDurability {
		opts.Durability = siltstone.BufferedDurability
	}
	var err error
	if f.db, err = siltstone.OpenReplica(dir, &opts); errors.Is(err, fs.ErrNotExist) {
		if _, err = r.restoreNewest(ctx, dir, f.opts.Store, &opts); err == nil {
			f.db, err = siltstone.OpenReplica(dir, &opts)
		}
	}
	if err != nil {
		return nil, err
	}
	if f.opts.Store, err = r.followed(ctx, f.db, f.opts.Store); err != nil {
		return nil, errors.Join(err, f.db.Close())
	}
	return f, nil
}

// restoreNewest restores the newest backup of a store, zero being any.
func (r *Repository) restoreNewest(ctx context.Context, dir string, store uint64, o *siltstone.Options) (Backup, error) {
	all, err := r.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	b, err := (&RestoreOptions{Store: store}).choose(all)
	if err != nil {
		return b, err
	}
	return b, r.Restore(ctx, b.Name, dir, o)
}

// followed returns the id of the store that the replica is one of. That of an empty store's
// backup has no position to say it.
func (r *Repository) followed(ctx context.Context, db *siltstone.DB, store uint64) (uint64, error) {
	is, _ := db.Position().Parts()
	if is != 0 && store != 0 && is != store {
		return 0, fmt.Errorf("backup: the copy is of store %016x, and store %016x is to be followed", is, store)
	}
	if is != 0 || store != 0 {
		return max(is, store), nil
	}
	all, err := r.List(ctx)
	if err != nil {
		return 0, err
	}
	b, err := (&RestoreOptions{}).choose(all)
	return b.Store, err
}

// DB returns the copy. It is read while Run goes on, and refuses writes with
// siltstone.ErrReadOnly. Its Position is how far it has come.
func (f *Follower) DB() *siltstone.DB { return f.db }

// Close closes the copy, once Run has returned. To have it take the place of the store open
// it with siltstone.Open, when nobody writes to that store any more.
func (f *Follower) Close() error { return f.db.Close() }

// Run replays what is shipped, as it arrives, until ctx ends or it cannot go on, and returns
// why. It may be called again. If changes that the copy lacks are not in the repository, and
// later ones are, the error is ErrGone: then close the Follower, remove its directory and
// follow anew, from the newest backup.
func (f *Follower) Run(ctx context.Context) error {
	for {
		did, err := f.step(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if did {
			f.idle = 0
			continue
		}
		f.idle++
		if err := sleep(ctx, f.opts.Every); err != nil {
			return err
		}
	}
}

// CatchUp replays what has been shipped and returns when there is no more. It is not called
// while Run goes on.
func (f *Follower) CatchUp(ctx context.Context) error {
	for {
		f.idle = 0
		if did, err := f.step(ctx); err != nil || !did {
			return err
		}
	}
}

// lookAround is how often nothing may follow before all segments are looked at: two that
// shipped at the same time have divided the commits otherwise, or some are gone.
const lookAround = 8

// step replays a segment; did tells whether there was one.
func (f *Follower) step(ctx context.Context) (did bool, err error) {
	_, at := f.db.Position().Parts()
	all, _, err := f.r.segments(ctx, segmentPrefix(f.opts.Store, at))
	if err == nil && len(all) == 0 && f.idle%lookAround == 0 {
		all, _, err = f.r.segments(ctx, storePrefix(f.opts.Store))
	}
	if err != nil {
		return false, err
	}
	s, ok := next(all, at)
	if !ok && beyond(all, at) {
		return false, fmt.Errorf("%w: those behind %v are not in the repository, and later ones are: close the copy, remove %s and follow anew, from the newest backup",
			ErrGone, f.db.Position(), f.dir)
	}
	if !ok {
		return false, nil
	}
	commits, err := f.r.readSegment(ctx, s)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // removed meanwhile
	}
	if err != nil {
		return false, err
	}
	return true, f.replay(s, commits)
}

// replay replays the commits of a segment that the copy does not have.
func (f *Follower) replay(s segment, commits []changes.Commit) error {
	_, at := f.db.Position().Parts()
	n := 0
	for _, c := range commits {
		if _, seq := c.Position.Parts(); seq <= at {
			continue
		}
		if err := f.db.Replay(c); err != nil {
			return err
		}
		n++
	}
	if f.opts.Applied != nil {
		f.opts.Applied(Shipped{s.position(), moment(s.end), n, s.size})
	}
	return nil
}
