package siltstone

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/feed"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// A replica is a store that was restored from another one's backup and goes on with the
// commits of that one, under their own sequences. Its manifest says so: all sequences are
// of its parent's history. So where it stands is where its log ends, and data and position
// cannot part. Nothing else commits, neither callers nor the reaper.

// ID returns the number by which backups and positions name the store; 0 for one that was
// never opened. A checkpoint, and a store that was restored, has another one than its parent.
func (db *DB) ID() uint64 {
	if db.unopened() || db.set == nil {
		return 0
	}
	return db.set.State().DBID
}

// Commits loops over what was committed after a position, as Changes does, and yields each
// commit as the log holds it, for Replay. Options.KeepChanges must be set. Of the options
// After and NoWait count, and others are ErrBadOption: a commit is shown whole. A replica
// has no Commits: follow the store that it is one of. A commit's Body is valid until the
// loop's next step. A reader takes the memory that one of Changes takes.
func (db *DB) Commits(ctx context.Context, o ChangeOptions) iter.Seq2[changes.Commit, error] {
	return func(yield func(changes.Commit, error) bool) {
		if err := db.readCommits(ctx, o, yield); err != nil {
			yield(changes.Commit{}, err)
		}
	}
}

// readCommits calls the reader. Its error is one of before that.
func (db *DB) readCommits(ctx context.Context, o ChangeOptions, yield func(changes.Commit, error) bool) error {
	if o.Keyspace != nil || o.Range.Lower != nil || o.Range.Upper != nil {
		return base.Errorf(ErrBadOption, "commits are whole: Changes shows those of a keyspace or of a range")
	}
	source, after, err := db.feedAfter(ctx, o.After)
	if err != nil {
		return err
	}
	if db.section.Replica() {
		return base.Errorf(ErrBadOption, "a replica has no commits of its own: those of the store that it follows are to be had there")
	}
	source.ReadCommits(ctx, feed.Options{After: after, NoWait: o.NoWait || db.still()}, yield)
	return nil
}

// OpenReplica opens a store that Restore has made, to go on with the commits of the store
// that it was restored from: those after Position, which Replay takes. All calls that write
// are ErrReadOnly, and all that read work as ever, beside Replay. A store that has commits of
// its own since it was restored is ErrBadOption, one that does not exist fs.ErrNotExist.
//
// Open ends that: it makes the replica a store of its own, which takes writes, and is a
// replica no more once it has committed anything. Options are those of Open. Time passes in
// a replica by its own clock, and is never behind that of the last commit.
func OpenReplica(dir string, o *Options) (*DB, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.ReadOnly {
		return nil, base.Errorf(ErrBadOption, "option ReadOnly: a replica takes the commits of another store")
	}
	opts.MustExist = true
	return open(dir, &opts, true)
}

// Replay makes a commit of the store that db is a replica of, whole and at once, and returns
// when it has reached Options.Durability. Commits come in their order, and none is left out:
// the store cannot know of one that never arrives. One that it has already is passed over.
// One of another store, or one whose beginning it has and whose end not, is ErrBadOption,
// and bytes that are no commit are ErrCorruption; both change nothing.
//
// Of several callers one replays at a time. It takes the memory that the commit took where
// it was made: MaxTxBytes does not bound it.
func (db *DB) Replay(c changes.Commit) error {
	switch {
	case db.unopened():
		return ErrClosed
	case !db.section.Replica():
		return base.Errorf(ErrBadOption, "the store was not opened by OpenReplica")
	}
	if store, _ := c.Position.Parts(); store != db.set.State().Parent {
		return base.Errorf(ErrBadOption, "position %v is of another store", c.Position)
	}
	r, err := readReplayed(c)
	if err != nil {
		return base.In(errors.Join(ErrCorruption, err), "commit %v", c.Position)
	}
	change := commit.NewChange()
	defer change.Free()
	ops := commit.OnePiece(r.ops)
	if err := change.Fill(&ops, false, 0); err != nil {
		return base.In(errors.Join(ErrCorruption, err), "commit %v", c.Position)
	}
	change.Items = append(change.Items, r.items...)
	db.spaces.Changing.Lock() // the handles of keyspaces that it drops end with it
	defer db.spaces.Changing.Unlock()
	if r.last <= db.section.LastSeq() {
		return db.life.ClosedErr()
	}
	if err := db.set.Raise(r.id, r.keyspace); err != nil {
		return err
	}
	if r.all {
		change.Drops = db.spaces.All()
	}
	for _, name := range r.dropped {
		if s := db.spaces.Get(name); s != nil {
			change.Drops = append(change.Drops, s)
		}
	}
	db.clock.Advance(c.Time.UnixMilli())
	err = db.section.Replay(change, r.last-base.SeqNum(r.count)+1, db.level(DefaultDurability))
	db.spaces.Forget(change.Drops...)
	return err
}

// replayed is what the bytes of a commit say.
type replayed struct {
	items, ops []byte
	count      int
	last       base.SeqNum
	id         uint64 // the largest of a collection
	keyspace   uint32 // the largest number of one
	dropped    []string
	all        bool // keyspaces are dropped
}

var (
	errReplayedRow   = errors.New("operation on a row that no store has")
	errReplayedCount = errors.New("operations do not end at the commit's position")
)

// readReplayed takes a commit apart. Any bytes are safe to pass.
func readReplayed(c changes.Commit) (r replayed, err error) {
	if r.items, r.ops, err = record.CutNote(c.Body); err != nil {
		return r, err
	}
	for rest := r.ops; len(rest) > 0; r.count++ {
		o, n, err := record.DecodeOp(rest)
		if err != nil {
			return r, err
		}
		if err := r.op(o); err != nil {
			return r, err
		}
		rest = rest[n:]
	}
	_, last := c.Position.Parts()
	if r.last = base.SeqNum(last); r.count == 0 || last > uint64(base.SeqMax) || last < uint64(r.count) || c.Time.UnixMilli() < 0 {
		return r, errReplayedCount
	}
	return r, nil
}

// op notes what an operation says of ids, keyspaces and their numbers.
func (r *replayed) op(o record.Op) error {
	registry, _ := keyenc.RegistryRange()
	if o.Attr.Kind() == base.KindRangeDelete {
		r.all = r.all || len(o.Key) >= len(registry) && string(o.Key[:len(registry)]) == string(registry)
		return nil
	}
	prefix, rest, ok := keyenc.KeyspaceOf(o.Key)
	if !ok {
		return r.system(o, registry)
	}
	r.keyspace = max(r.keyspace, keyspace.Number(prefix))
	if id, _, _, ok := keyenc.ParseCollectionRow(rest); ok {
		r.id = max(r.id, id)
	} else if rest[0] != keyenc.SpaceKeys {
		return errReplayedRow
	}
	if id, ok := record.CollectionID(record.Type(o.Attr.Type()), o.Value); ok {
		r.id = max(r.id, id)
	}
	return nil
}

// system is op for a row of no keyspace: a timer, or an entry of the registry.
func (r *replayed) system(o record.Op, registry []byte) error {
	if _, id, ok := keyenc.ParseTimerRow(o.Key); ok {
		r.id, r.keyspace = max(r.id, id), max(r.keyspace, keyspace.Number(o.Value))
		return nil
	}
	if len(o.Key) <= len(registry) || string(o.Key[:len(registry)]) != string(registry) {
		return errReplayedRow
	}
	if o.Attr.Kind() == base.KindDelete {
		r.dropped = append(r.dropped, string(o.Key[len(registry):]))
		return nil
	}
	n := keyspace.Number(o.Value)
	if r.keyspace = max(r.keyspace, n); n == 0 {
		return errReplayedRow
	}
	return nil
}

// RestoreReplay is Restore, behind which the commits are replayed, as Replay does it, before
// dir gets its name: it makes the store as it was after the last of them. An error that
// commits yields ends it and is returned. OpenReplica goes on behind them, Open makes it a
// store of its own. Of the options those for the memory of an open store count, too.
func RestoreReplay(ctx context.Context, dir string, o *Options, commits iter.Seq2[changes.Commit, error], streams ...io.Reader) (archive.Summary, error) {
	if commits == nil {
		return archive.Summary{}, base.Errorf(errMisuse, "the commits to be replayed are nil")
	}
	return restore(ctx, dir, o, streams, func(path string, o *Options) error { return replayAll(ctx, path, o, commits) })
}

// replayAll replays commits in the store in dir.
func replayAll(ctx context.Context, dir string, o *Options, commits iter.Seq2[changes.Commit, error]) (err error) {
	opts := *o
	opts.ReadOnly, opts.Beside, opts.MustExist = false, false, true
	opts.OnEvent, opts.Logger, opts.KeepChanges, opts.MaxDiskBytes = nil, nil, changes.Keep{}, 0
	opts.Durability = BufferedDurability // Close makes all of it durable
	db, err := open(dir, &opts, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for c, err := range commits {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = db.Replay(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
