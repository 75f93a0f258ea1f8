package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

// read is a way to read.
type read struct {
	name string
	ops  int
	do   func(*siltstone.DB, *rand.Rand) error
}

// reads returns all of them.
func (s *settings) reads() []read {
	return []read{
		{"get", 20_000, s.get},
		{"get missing", 20_000, s.getMissing},
		{"seek + 1", 5_000, s.walk(1, false)},
		{"seek + 10", 5_000, s.walk(10, false)},
		{"seek + 100", 2_000, s.walk(100, false)},
		{"seek + 100 back", 2_000, s.walk(100, true)},
		{"scan of 10,000", 40, s.walk(10_000, false)},
		{"10,000 back", 40, s.walk(10_000, true)},
		{"10,000 keys", 40, s.keys(10_000)},
	}
}

func (s *settings) get(db *siltstone.DB, rng *rand.Rand) error {
	buf, err := db.AppendGet(scratch.value[:0], scratch.at(rng.Uint64N(s.Keys)))
	scratch.value = buf
	return err
}

func (s *settings) getMissing(db *siltstone.DB, rng *rand.Rand) error {
	_, err := db.AppendGet(nil, scratch.at(s.Keys+rng.Uint64N(1<<40)))
	if !errors.Is(err, siltstone.ErrNotFound) {
		return fmt.Errorf("a key that is missing: %w", err)
	}
	return nil
}

// walk seeks to a key and looks at n rows.
func (s *settings) walk(n int, back bool) func(*siltstone.DB, *rand.Rand) error {
	return func(db *siltstone.DB, rng *rand.Rand) error {
		return s.look(db, rng, &siltstone.IterOptions{}, n, back)
	}
}

// keys seeks to a key and looks at n keys.
func (s *settings) keys(n int) func(*siltstone.DB, *rand.Rand) error {
	return func(db *siltstone.DB, rng *rand.Rand) error {
		return s.look(db, rng, &siltstone.IterOptions{KeysOnly: true}, n, false)
	}
}

func (s *settings) look(db *siltstone.DB, rng *rand.Rand, o *siltstone.IterOptions, n int, back bool) error {
	it, err := db.NewIter(o)
	if err != nil {
		return err
	}
	seek, move := it.SeekGE, it.Next
	if back {
		seek, move = it.SeekLT, it.Prev
	}
	for ok := seek(scratch.at(rng.Uint64N(s.Keys))); ok && n > 0; n-- {
		if !o.KeysOnly && uint64(len(it.Value())) != s.ValueSize {
			return errors.Join(fmt.Errorf("a value has %d bytes", len(it.Value())), it.Close())
		}
		if n > 1 {
			ok = move()
		}
	}
	return it.Close()
}

// scratch is the memory of the one goroutine that reads.
var scratch memory

type memory struct{ key, value []byte }

// at returns the key of a number.
func (m *memory) at(i uint64) []byte {
	m.key = load.Key(m.key, i)
	return m.key
}
