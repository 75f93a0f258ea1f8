package backup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

// RestoreOptions say which moment of a store RestoreAt restores. Without At and Until it is
// the last one that was shipped.
type RestoreOptions struct {
	// At is the position behind the last commit that the restored store has.
	At changes.Position
	// Until is a time: the restored store has each commit that is not later. Times are
	// those of the store's clock.
	Until time.Time
	// Store is the id of the store, if the repository has several. Zero is that of At, or
	// of the newest backup that is not too late.
	Store uint64
	// Options are those of siltstone.RestoreReplay.
	Options *siltstone.Options
}

// Restored is what RestoreAt has restored.
type Restored struct {
	Backup   Backup           // that it began with
	Position changes.Position // behind the last commit
	Time     time.Time        // of that, or of the backup if there was none behind it
	Commits  int              // behind the backup
}

// RestoreAt makes dir a store as it was at a moment between the first backup and the last
// change that was shipped: of the newest backup that is not later, and of the changes behind
// it, each commit whole. The result says where that is. Like Restore it makes dir in one
// step, or leaves nothing.
//
// A moment before the first backup, a position up to which nothing was shipped, and changes
// that are missing before the moment, are ErrNotFound. That nothing was shipped up to a time
// is no error: there may have been no commit.
func (r *Repository) RestoreAt(ctx context.Context, dir string, o RestoreOptions) (Restored, error) {
	if !o.At.IsZero() && !o.Until.IsZero() {
		return Restored{}, errors.New("backup: a restore to a position and to a time: choose one")
	}
	all, err := r.List(ctx)
	if err != nil {
		return Restored{}, err
	}
	b, err := o.choose(all)
	if err != nil {
		return Restored{}, err
	}
	segments, _, err := r.segments(ctx, storePrefix(b.Store))
	if err != nil {
		return Restored{}, err
	}
	stream, err := r.Stream(ctx, b.Name)
	if err != nil {
		return Restored{}, err
	}
	done := Restored{Backup: b, Position: b.Position, Time: b.Time}
	_, err = siltstone.RestoreReplay(ctx, dir, o.Options, r.commits(ctx, segments, o, &done), stream)
	return done, errors.Join(err, stream.Close())
}

// choose returns the newest backup that is not later than the moment.
func (o *RestoreOptions) choose(all []Backup) (Backup, error) {
	store, at := o.At.Parts()
	if o.Store != 0 && store != 0 && store != o.Store {
		return Backup{}, fmt.Errorf("backup: position %v is of store %016x, and store %016x is asked for", o.At, store, o.Store)
	}
	if store == 0 {
		store = o.Store
	}
	var best Backup
	for _, b := range all {
		_, has := b.Position.Parts()
		_, most := best.Position.Parts()
		switch {
		case store != 0 && b.Store != store, !o.At.IsZero() && has > at, !o.Until.IsZero() && b.Time.After(o.Until):
		case best.Name == "" || best.Store != b.Store || has >= most:
			best = b
		}
	}
	switch {
	case best.Name != "":
		return best, nil
	case len(all) == 0:
		return best, fmt.Errorf("%w: the repository has none that is whole", ErrNotFound)
	case o.At.IsZero() && o.Until.IsZero():
		return best, fmt.Errorf("%w%s", ErrNotFound, ofStore(store))
	}
	return best, fmt.Errorf("%w%s that is not later%s", ErrNotFound, ofStore(store), oldestOf(all, store))
}

func ofStore(store uint64) string {
	if store == 0 {
		return ""
	}
	return fmt.Sprintf(" of store %016x", store)
}

// oldestOf says which backup of the store is the first one.
func oldestOf(all []Backup, store uint64) string {
	for _, b := range all {
		if store == 0 || b.Store == store {
			return fmt.Sprintf("; the first one is of %v, at %v", b.Time.UTC().Format(time.RFC3339Nano), b.Position)
		}
	}
	return ""
}

// commits yields the commits behind the backup, up to the moment, and notes how far it has
// come. Its error is one of what is missing or damaged.
func (r *Repository) commits(ctx context.Context, segments []segment, o RestoreOptions, done *Restored) iter.Seq2[changes.Commit, error] {
	return func(yield func(changes.Commit, error) bool) {
		_, at := done.Position.Parts()
		links, end := chain(segments, at)
		for _, s := range links {
			all, err := r.readSegment(ctx, s)
			if err != nil {
				yield(changes.Commit{}, err)
				return
			}
			for _, c := range all {
				if _, seq := c.Position.Parts(); seq <= at {
					continue // another segment had it
				}
				if o.isBefore(&c) {
					return
				}
				if !yield(c, nil) {
					return
				}
				_, at = c.Position.Parts()
				done.Position, done.Time = c.Position, c.Time
				done.Commits++
			}
		}
		if err := o.reached(segments, done.Backup.Store, end); err != nil {
			yield(changes.Commit{}, err)
		}
	}
}

// isBefore reports whether the moment is before the commit.
func (o *RestoreOptions) isBefore(c *changes.Commit) bool {
	if !o.Until.IsZero() {
		return c.Time.After(o.Until)
	}
	_, seq := c.Position.Parts()
	_, at := o.At.Parts()
	return !o.At.IsZero() && seq > at
}

// reached returns an error if the changes that lead to a sequence do not lead to the moment.
func (o *RestoreOptions) reached(segments []segment, store, end uint64) error {
	at := changes.NewPosition(store, end)
	if beyond(segments, end) && (o.At.IsZero() || o.At != at) {
		return fmt.Errorf("%w: the changes behind %v are missing, and later ones are there: restore up to that position", ErrNotFound, at)
	}
	if _, want := o.At.Parts(); want > end {
		return fmt.Errorf("%w: changes are shipped up to %v, and not up to %v", ErrNotFound, at, o.At)
	}
	return nil
}
