package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
)

// load changes a store from several goroutines and knows what it must hold.
type load struct {
	*settings
	db      *siltstone.DB
	writers []*writer
	lat     latencies
	ops     atomic.Int64

	snapshots, checkpoints int // each is counted by one goroutine
}

const writers = 3

func (s *settings) open() (*siltstone.DB, error) {
	return siltstone.Open(s.storeDir(), &siltstone.Options{
		Durability: siltstone.BufferedDurability, MemoryLimit: s.memory, MaxDiskBytes: s.disk,
	})
}

func newLoad(s *settings, db *siltstone.DB) *load {
	l := &load{settings: s, db: db}
	for i := range writers {
		l.writers = append(l.writers, newWriter(l, i, rand.New(rand.NewPCG(s.seed, uint64(i)))))
	}
	return l
}

// fill writes every key once, so that the samples begin with all data there.
func (l *load) fill() error {
	for _, w := range l.writers {
		for i := range w.plain {
			if err := w.put(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn changes the data for the time that is set, samples meanwhile, and verifies what
// came of it.
func (l *load) turn(r *recorder) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.total)
	defer cancel()
	sampled := make(chan struct{})
	errs := make([]error, writers+3)
	var changing, sampling sync.WaitGroup
	run := func(g *sync.WaitGroup, i int, fn func() error) {
		g.Go(func() {
			if errs[i] = fn(); errs[i] != nil {
				cancel()
			}
		})
	}
	for i, w := range l.writers {
		run(&changing, i, func() error { return w.run(ctx) })
	}
	run(&changing, writers, func() error { return l.holdSnapshots(ctx) })
	run(&changing, writers+1, func() error { return l.makeCheckpoints(ctx) })
	run(&sampling, writers+2, func() error { return r.record(sampled) })
	<-ctx.Done()
	close(sampled)
	sampling.Wait()
	changing.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return l.verify()
}

// verify compares every answer, and checks the store.
func (l *load) verify() error {
	for _, w := range l.writers {
		if err := w.verify(); err != nil {
			return err
		}
	}
	if err := l.db.Check(context.Background()); err != nil {
		return fmt.Errorf("check of the store: %w", err)
	}
	return nil
}

// pause waits for a part of the run, and reports whether it goes on.
func (l *load) pause(ctx context.Context, part time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(l.total / part):
		return true
	}
}

// holdSnapshots holds snapshots, one at a time, for a twentieth of the run each. One shows
// the same at its end as at its beginning.
func (l *load) holdSnapshots(ctx context.Context) error {
	for goesOn := true; goesOn; l.snapshots++ {
		s, err := l.db.NewSnapshot()
		if err != nil {
			return err
		}
		before, err := sumOf(s)
		if err == nil {
			goesOn = l.pause(ctx, 20)
			var after uint64
			if after, err = sumOf(s); err == nil && after != before {
				err = errors.New("a snapshot has changed while it was held")
			}
		}
		s.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// sumOf hashes the raw keys and values that a snapshot shows.
func sumOf(s *siltstone.Snapshot) (uint64, error) {
	h := fnv.New64a()
	for kv, err := range s.Scan(siltstone.Prefix([]byte("plain"))) {
		if err != nil {
			return 0, err
		}
		h.Write(kv.Key)
		h.Write(kv.Value)
	}
	return h.Sum64(), nil
}

// makeCheckpoints makes copies, one at a time. Each is there for a thirtieth of the run,
// is opened, and removed.
func (l *load) makeCheckpoints(ctx context.Context) error {
	dir := filepath.Join(l.dir, "copy")
	for goesOn := true; goesOn; l.checkpoints++ {
		if err := l.db.Checkpoint(context.Background(), dir); err != nil {
			return err
		}
		goesOn = l.pause(ctx, 30)
		db, err := siltstone.Open(dir, &siltstone.Options{ReadOnly: true, MemoryLimit: 8 << 20})
		if err != nil {
			return fmt.Errorf("a checkpoint: %w", err)
		}
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			return err
		}
		goesOn = goesOn && l.pause(ctx, 30)
	}
	return nil
}

// bytes returns how many bytes of keys and values live, and how many were written.
func (l *load) bytes() (live, written int64) {
	for _, w := range l.writers {
		live += w.live()
		written += w.written
	}
	return live, written
}

func (l *load) keyspaces() (n int) {
	for _, w := range l.writers {
		n += w.spaces
	}
	return n
}
