package siltstone

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/feed"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/manifest"
)

// ChangeOptions say which changes DB.Changes shows.
type ChangeOptions struct {
	// After is the position behind which the feed begins. The zero Position is before
	// the first commit. DB.Position, Tx.Position, Snapshot.Position and each Change
	// have others.
	After changes.Position
	// Keyspace, if not nil, leaves out the changes of all others.
	Keyspace *Keyspace
	// Range leaves out the changes of keys that are not in it, in each keyspace. What
	// concerns whole keyspaces is shown.
	Range Range
	// NoWait ends the loop where it would wait for commits to come.
	NoWait bool
}

// Changes loops over what was committed after a position: in the order of the commits,
// each commit whole, its last change marked as such. When all has been shown the loop
// waits for the next commit, until ctx ends or the store is closed. An error is the last
// item. Options.KeepChanges must be set, else the error is ErrBadOption. A store that is
// open for reading needs no option: it shows what its writer has kept. Where Options.Beside
// is set as well the loop shows the commits up to the state that is read, and waits for a
// Refresh that finds a newer one. With ReadOnly alone it ends there, as with NoWait.
//
// Only what is durable is shown. So a follower never knows more than the store does
// after a crash. At SyncDurability that is each commit that has returned. While somebody
// waits in a feed the store syncs what weaker levels leave, within about 10 ms.
//
// If a change after the position is not kept any more, the error is a
// *changes.TooOldError, which is ErrTooOld and names the oldest position there is; that may
// also happen in the middle of the loop, to a reader that is slower than the bound of
// KeepChanges. A position of another store, or one that this store has not reached, is
// ErrBadOption. To find the position, the log that has it is read from its beginning: of the
// size of a memtable, or so. A reader holds up nobody, and no file; it takes the memory
// of about 1 MiB of the log, or of one commit group if that is larger.
func (db *DB) Changes(ctx context.Context, o ChangeOptions) iter.Seq2[changes.Change, error] {
	return func(yield func(changes.Change, error) bool) {
		if err := db.readChanges(ctx, o, yield); err != nil {
			yield(changes.Change{}, err)
		}
	}
}

// readChanges calls the reader. Its error is one of before that.
func (db *DB) readChanges(ctx context.Context, o ChangeOptions, yield func(changes.Change, error) bool) error {
	if o.Range.bad() {
		_, _, err := o.Range.rows(nil)
		return err
	}
	source, after, err := db.feedAfter(ctx, o.After)
	if err != nil {
		return err
	}
	in := feed.Options{After: after, NoWait: o.NoWait || db.still(), Lower: o.Range.Lower, Upper: o.Range.Upper}
	if o.Keyspace != nil {
		if o.Keyspace.unmade() || o.Keyspace.db != db {
			return errForeign
		}
		in.InKeyspace, in.Keyspace = true, o.Keyspace.space.Name
	}
	source.Read(ctx, in, yield)
	return nil
}

// feedAfter returns where readers find the changes after a position, and its sequence.
func (db *DB) feedAfter(ctx context.Context, after changes.Position) (*feed.Source, base.SeqNum, error) {
	switch {
	case ctx == nil:
		return nil, 0, errNilContext
	case db.unopened():
		return nil, 0, ErrClosed
	}
	if err := db.life.ClosedErr(); err != nil {
		return nil, 0, err
	}
	if db.section.Files().Kept() == nil && !db.opts.ReadOnly {
		return nil, 0, base.Errorf(ErrBadOption, "there is no change feed: Options.KeepChanges is not set, set its Bytes")
	}
	history := historyOf(db.set.State())
	seq, err := history.after(after)
	if err != nil {
		return nil, 0, err
	}
	// A log may be durable, and replaced by the next one, before its commits are visible.
	if seq > db.section.Visible() && seq > db.section.LastSeq() {
		return nil, 0, base.Errorf(ErrBadOption, "position %v is ahead of this store, which is at %v", after, db.Position())
	}
	source := &feed.Source{
		Dir: db.storeDir(), Logs: db.feedLogs(), Quit: db.life.Quit(), At: history.at, Keyspace: db.keyspaceName,
		Failed: func(err error) error {
			if closed := db.life.ClosedErr(); closed != nil {
				return closed
			}
			return db.life.Poison(err)
		},
	}
	return source, seq, nil
}

// still reports whether nothing will be committed that the store shows: it is open for
// reading, and not beside a writer.
func (db *DB) still() bool { return db.opts.ReadOnly && !db.opts.Beside }

// feedLogs returns the logs that readers of changes go through.
func (db *DB) feedLogs() feed.Logs {
	if db.past != nil {
		return db.past
	}
	return feed.Live{Log: db.section.Log(), Kept: db.section.Files().Kept()}
}

// keyspaceName returns the name of the keyspace with a number.
func (db *DB) keyspaceName(number uint32) (name string, found bool) {
	rs := db.states.Hold()
	if rs == nil {
		return "", false
	}
	defer db.states.Drop(rs)
	v := rows.View{State: rs, Seq: db.section.Visible(), Now: db.clock.Now()}
	_ = rows.Registry(db.rows, v, func(n string, prefix []byte) error { // what cannot be read is not found
		if keyspace.Number(prefix) == number {
			name, found = n, true
		}
		return nil
	})
	return name, found
}

// Position returns the position behind the last commit that readers see. A feed after it
// begins with what is committed from then on.
func (db *DB) Position() changes.Position {
	if db.unopened() || db.set == nil {
		return changes.Position{}
	}
	return historyOf(db.set.State()).at(db.section.Visible())
}

// Origin returns where a checkpoint was made: the position in the store that it is a copy
// of, behind which that one's feed goes on from the copy's first state. A store that is no
// checkpoint has the zero Position. What the store commits by itself once it is open,
// as it frees what has expired, does not change it.
func (db *DB) Origin() changes.Position {
	if db.unopened() || db.set == nil {
		return changes.Position{}
	}
	h := historyOf(db.set.State())
	return h.at(min(h.branch, db.section.Visible()))
}

// Position returns the position of the snapshot's state: a feed after it shows what has
// been committed since, and nothing else. Of a closed one it is the same.
func (s *Snapshot) Position() changes.Position {
	if s.unmade() {
		return changes.Position{}
	}
	return historyOf(s.db.set.State()).at(s.point.Seq)
}

// Position returns the position of the state that the transaction reads, and once it has
// committed writes the one behind its commit: in an OnCommit function, for instance.
func (tx *Tx) Position() changes.Position {
	if tx.unbegun() {
		return changes.Position{}
	}
	return historyOf(tx.db.set.State()).at(tx.t.Seq())
}

// history tells which sequences of a store are of its own history. Those up to the branch
// are of the store that it is a checkpoint or replica of.
type history struct {
	store, parent uint64
	branch        base.SeqNum
}

func historyOf(s *manifest.State) history {
	return history{store: s.DBID, parent: s.Parent, branch: s.Branch}
}

// at returns the position behind a sequence.
func (h history) at(seq base.SeqNum) (p changes.Position) {
	if seq == 0 {
		return p
	}
	store := h.store
	if seq <= h.branch {
		store = h.parent
	}
	binary.LittleEndian.PutUint64(p[:8], store)
	binary.LittleEndian.PutUint64(p[8:], uint64(seq))
	return p
}

// after returns the sequence before a position.
func (h history) after(p changes.Position) (base.SeqNum, error) {
	if p.IsZero() {
		return 0, nil
	}
	store, n := p.Parts()
	// A backup of this store names its state by this store, whoever had it before.
	if seq := base.SeqNum(n); h.at(seq) == p || store == h.store {
		return seq, nil
	}
	return 0, base.Errorf(ErrBadOption, "position %v is of another store", p)
}
