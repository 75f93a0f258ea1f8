package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

const (
	writers = 3
	names   = 200 // keys that the writers share: what one makes another one ends
)

// writer makes random changes.
type writer struct {
	db  *siltstone.DB
	rng *rand.Rand
}

// loadAndCheck changes the store and checks it until it is killed, or a check fails. It
// prints a line for each check.
func (s *settings) loadAndCheck() error {
	db, err := siltstone.Open(s.dir, &siltstone.Options{
		Durability: siltstone.BufferedDurability, MemoryLimit: 16 << 20, MemtableBytes: 256 << 10,
	})
	if err != nil {
		return err
	}
	errs := make(chan error, writers+1)
	var all sync.WaitGroup
	for i := range uint64(writers) {
		w := writer{db, rand.New(rand.NewPCG(s.seed, i))}
		all.Go(func() { errs <- w.write() })
	}
	all.Go(func() { errs <- checking(db) })
	return <-errs // the others are in the middle of it: no matter, the process ends
}

func checking(db *siltstone.DB) error {
	for {
		if err := db.Check(context.Background()); err != nil {
			return err
		}
		fmt.Println("checked")
		time.Sleep(time.Millisecond)
	}
}

// write makes changes without end. A change that the state refuses is none.
func (w *writer) write() error {
	refusals := []error{
		siltstone.ErrWrongType, siltstone.ErrNotFound, siltstone.ErrDropped, siltstone.ErrNotNumber,
		siltstone.ErrConflict, siltstone.ErrOutOfRange, siltstone.ErrBadOption,
	}
next:
	for {
		err := w.change()
		for _, r := range refusals {
			if errors.Is(err, r) {
				continue next
			}
		}
		if err != nil {
			return fmt.Errorf("a change: %w", err)
		}
	}
}

func keyOf(i int) []byte { return fmt.Appendf(nil, "key%03d", i) }

func (w *writer) key() []byte { return keyOf(w.rng.IntN(names)) }

func (w *writer) name() string { return string(w.key()) }

func (w *writer) value() []byte { return make([]byte, w.rng.IntN(300)) }

func (w *writer) ttl() time.Duration { return time.Duration(1+w.rng.IntN(2000)) * time.Millisecond }

// change makes one change: of the default keyspace or of one of two others, by itself or
// together with others in a transaction.
func (w *writer) change() error {
	switch w.rng.IntN(20) {
	case 0:
		return w.keyspaces()
	case 1, 2:
		return w.db.Update(context.Background(), func(tx *siltstone.Tx) error {
			for range 1 + w.rng.IntN(20) {
				if err := w.changeOf(tx); err != nil {
					return err
				}
			}
			return nil
		})
	case 3:
		var b siltstone.Batch
		for range 1 + w.rng.IntN(200) {
			b.Put(w.key(), w.value())
			b.Delete(w.key())
		}
		return w.db.Apply(&b, siltstone.DefaultDurability)
	case 4, 5:
		ks, err := w.db.Keyspace(w.space())
		if err != nil {
			return err
		}
		return w.changeOf(ks)
	}
	return w.changeOf(w.db)
}

func (w *writer) space() string { return fmt.Sprint("space", w.rng.IntN(2)) }

func (w *writer) keyspaces() error {
	if w.rng.IntN(4) == 0 {
		return w.db.DropKeyspace(w.space())
	}
	_, err := w.db.CreateKeyspace(w.space())
	return err
}

// changeOf makes one change of what holds keys.
func (w *writer) changeOf(a siltstone.ReadWriter) error {
	switch w.rng.IntN(12) {
	case 0, 1:
		return a.Put(w.key(), w.value())
	case 2:
		return a.Delete(w.key())
	case 3:
		if w.rng.IntN(10) > 0 {
			return a.PutTTL(w.key(), w.value(), w.ttl())
		}
		from := w.rng.IntN(names)
		return a.DeleteRange(siltstone.Range{Lower: keyOf(from), Upper: keyOf(from + w.rng.IntN(20))})
	case 4, 5:
		return w.hash(a.Hash(w.name()))
	case 6:
		_, err := a.Set(w.name()).Add(w.members(w.rng.IntN(60))...)
		return err
	case 7:
		_, err := a.Set(w.name()).Pop(1 + w.rng.IntN(10))
		return err
	case 8, 9:
		return w.zset(a.ZSet(w.name()))
	case 10:
		return w.list(a.List(w.name()))
	}
	return w.whole(a.Key(w.name()))
}

func (w *writer) members(n int) []string {
	all := make([]string, 0, n+1)
	for range n + 1 {
		all = append(all, fmt.Sprint("m", w.rng.IntN(500)))
	}
	return all
}

func (w *writer) hash(h typed.Hash) error {
	field := w.members(0)[0]
	switch w.rng.IntN(4) {
	case 0:
		_, err := h.SetTTL(field, w.value(), w.ttl())
		return err
	case 1:
		_, err := h.Remove(w.members(20)...)
		return err
	case 2:
		_, err := h.Incr("counter", 1)
		return err
	}
	for _, f := range w.members(20) {
		if _, err := h.Set(f, w.value()); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) zset(z typed.ZSet) error {
	switch w.rng.IntN(4) {
	case 0:
		_, err := z.PopMin(1 + w.rng.IntN(20))
		return err
	case 1:
		_, err := z.Remove(w.members(20)...)
		return err
	}
	var all []typed.Member
	for _, m := range w.members(w.rng.IntN(400)) {
		all = append(all, typed.Member{Name: m, Score: float64(w.rng.IntN(1000))})
	}
	_, err := z.AddMany(0, all...)
	return err
}

func (w *writer) list(l typed.List) error {
	switch w.rng.IntN(5) {
	case 0:
		_, err := l.PopFrontN(1 + w.rng.IntN(20))
		return err
	case 1:
		return l.Trim(int64(w.rng.IntN(5)), int64(-1-w.rng.IntN(5)))
	case 2:
		_, err := l.PushFront(w.value())
		return err
	}
	values := make([][]byte, 1+w.rng.IntN(30))
	for i := range values {
		values[i] = w.value()
	}
	_, err := l.PushBack(values...)
	return err
}

// whole changes a key, whatever it holds.
func (w *writer) whole(k typed.Key) error {
	switch w.rng.IntN(5) {
	case 0:
		return k.Rename(w.name())
	case 1:
		_, err := k.CopyTo(w.name(), true)
		return err
	case 2:
		return k.Expire(w.ttl())
	case 3:
		_, err := k.Persist()
		return err
	}
	_, err := k.Drop()
	return err
}
