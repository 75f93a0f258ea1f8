package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
)

// ShipOptions are the settings of Ship. Nil, and zeros, are the defaults.
type ShipOptions struct {
	// Every is how long changes are gathered before they are put as one object, unless
	// they are 8 MiB before. It is how much is lost if the store's machine is. Zero is a
	// second.
	Every time.Duration
	// Shipped is called after each object that was put, by the goroutine of Ship. Nil is
	// none.
	Shipped func(Shipped)
}

// Shipped is an object of changes, or what was made of it.
type Shipped struct {
	Position changes.Position // behind its last commit
	Time     time.Time        // of that
	Commits  int
	Bytes    int64
}

const (
	defaultEvery = time.Second
	// segmentBytes is at how many bytes a segment is put before its time. A commit is
	// never divided.
	segmentBytes = 8 << 20
)

// Ship puts what an open store commits into the repository, a moment later, until ctx ends
// or it cannot go on, and returns why. The store must keep changes
// (siltstone.Options.KeepChanges), and have a backup in the repository: changes are of use
// behind one. Ship goes on behind what is there already, whoever shipped it: after an error,
// and after the process was killed, call it again. Several may ship the same store; what is
// there twice is harmless.
//
// If the store does not keep the changes any more that follow what is there the error is
// siltstone.ErrTooOld: make a backup with Run, and call Ship again, which goes on behind it.
// Restores to a moment between the two are not possible then.
//
// It takes the memory of two objects of 8 MiB, or of two commits if these are larger.
func (r *Repository) Ship(ctx context.Context, db *siltstone.DB, o *ShipOptions) error {
	if o == nil {
		o = &ShipOptions{}
	}
	every := o.Every
	if every <= 0 {
		every = defaultEvery
	}
	starts, err := r.shipStarts(ctx, db.ID())
	if err != nil {
		return err
	}
	for i, at := range starts {
		err = r.shipFrom(ctx, db, at, every, o.Shipped)
		if !errors.Is(err, siltstone.ErrTooOld) {
			return err
		}
		err = fmt.Errorf("backup: the store does not keep the changes any more that follow %v: make a backup with Run, and call Ship again, which goes on behind it: %w",
			changes.NewPosition(db.ID(), starts[i]), err)
	}
	return err
}

// shipStarts returns the sequences behind which changes are missing, oldest first: where
// what there is behind each backup of the store ends.
func (r *Repository) shipStarts(ctx context.Context, store uint64) ([]uint64, error) {
	backups, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	segments, _, err := r.segments(ctx, storePrefix(store))
	if err != nil {
		return nil, err
	}
	var starts []uint64
	for _, b := range backups {
		if b.Store == store {
			_, at := b.Position.Parts()
			_, end := chain(segments, at)
			starts = append(starts, end)
		}
	}
	if len(starts) == 0 {
		return nil, fmt.Errorf("%w of store %016x: make one with Run first, changes are of use behind it", ErrNotFound, store)
	}
	slices.Sort(starts)
	return slices.Compact(starts), nil
}

// shipFrom ships the commits behind a sequence.
func (r *Repository) shipFrom(ctx context.Context, db *siltstone.DB, after uint64, every time.Duration, shipped func(Shipped)) error {
	ctx, cancel := context.WithCancel(ctx)
	g := &gathering{builder: newBuilder(db.ID(), after), some: make(chan struct{}, 1), full: make(chan struct{}, 1), taken: make(chan struct{}, 1), ended: make(chan struct{})}
	go g.gather(ctx, db, changes.NewPosition(db.ID(), after))
	defer func() { cancel(); <-g.ended }()
	for {
		select {
		case <-g.some:
		case <-g.ended:
		}
		t := time.NewTimer(every)
		select {
		case <-t.C:
		case <-g.full:
		case <-g.ended:
		}
		t.Stop()
		b, err := g.take()
		if b == nil && err == nil {
			continue // what was there has been taken before
		}
		if b == nil {
			return err
		}
		if perr := r.putSegment(ctx, b); perr != nil {
			return errors.Join(perr, err)
		}
		if shipped != nil {
			shipped(Shipped{b.position(), moment(b.end), int(b.count), b.size})
		}
	}
}

func (r *Repository) putSegment(ctx context.Context, b *builder) error {
	if err := b.finish(); err != nil {
		return err
	}
	return r.store.Put(ctx, b.name(), bytes.NewReader(b.object))
}

// gathering is the commits that wait to be put: a goroutine reads them, and waits while
// there are enough.
type gathering struct {
	some, full chan struct{} // there are commits; enough for a segment
	taken      chan struct{} // room has come
	ended      chan struct{} // closed when no more come

	mu      sync.Mutex
	builder *builder
	err     error // why no more come
}

func (g *gathering) gather(ctx context.Context, db *siltstone.DB, after changes.Position) {
	defer close(g.ended)
	for c, err := range db.Commits(ctx, siltstone.ChangeOptions{After: after}) {
		if err == nil {
			err = g.add(ctx, &c)
		}
		if err != nil {
			g.mu.Lock()
			g.err = err
			g.mu.Unlock()
			return
		}
	}
}

// add adds a commit, once there is room.
func (g *gathering) add(ctx context.Context, c *changes.Commit) error {
	for {
		g.mu.Lock()
		room := len(g.builder.object) < segmentBytes
		var err error
		if room {
			err = g.builder.add(c)
		}
		g.mu.Unlock()
		if room {
			signal(g.some)
			return err
		}
		signal(g.full)
		select {
		case <-g.taken:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take returns the commits that have gathered; nil if there are none, and why.
func (g *gathering) take() (*builder, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.builder
	if b.count == 0 {
		return nil, g.err
	}
	g.builder = newBuilder(b.store, b.last)
	signal(g.taken)
	for _, c := range []chan struct{}{g.some, g.full} { // they were of b
		select {
		case <-c:
		default:
		}
	}
	return b, g.err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
