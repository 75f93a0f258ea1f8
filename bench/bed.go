package main

import (
	"fmt"
	"os"
	"time"
)

// bed is the store that the steps of a scenario work on, one after the other.
type bed struct {
	kind   engineKind
	config Config
	engine Engine
	rare   func(dst, key []byte) ([]byte, bool, error) // reads keys that hardly exist
	keys   keyShape
	values *values
	limit  time.Duration // of a row
	hasty  bool          // does not wait until the engine rests: for tests
	n      uint64        // keys to be stored
	stored uint64        // keys 0..stored-1 are

	user   int64 // bytes of keys and values written since the mark
	marked int64 // bytes written by the process up to the mark
	peak   int64 // the largest resident size of the rows so far

	capacity float64  // puts a second, as fast as they go
	gets     *paced   // beside the sustained fill
	whole    *measure // the sustained fill until the engine rested
}

// open opens the store in the bed's directory, which it makes if need be.
func (b *bed) open() error {
	if err := os.MkdirAll(b.config.Dir, 0o755); err != nil {
		return err
	}
	e, err := b.kind.open(b.config)
	if err != nil {
		return err
	}
	b.engine, b.rare = e, e.Get
	if r, ok := e.(rareReader); ok {
		b.rare = r.GetRare
	}
	return nil
}

// close ends the store; closing twice is fine.
func (b *bed) close() error {
	if b.engine == nil {
		return nil
	}
	err := b.engine.Close()
	b.engine = nil
	return err
}

// pairLen returns the bytes of a key and its value.
func (b *bed) pairLen() int64 { return int64(b.keys.len() + b.values.size) }

// writers tells the engine how many goroutines are about to write.
func (b *bed) writers(n int) {
	if s, ok := b.engine.(sharedWriters); ok {
		s.SetWriters(n)
	}
}

const loadBatch = 1000 // pairs in a batch, or as many as make loadBytes
const loadBytes = 1 << 20

// load stores what is missing of the keys, in batches and untimed.
func (b *bed) load() error {
	var keys []byte
	size := uint64(max(1, min(loadBatch, loadBytes/b.pairLen())))
	pairs := make([]Pair, 0, size)
	for b.stored < b.n {
		end := min(b.stored+size, b.n)
		keys, pairs = keys[:0], pairs[:0]
		for i := b.stored; i < end; i++ {
			at := len(keys)
			keys = b.keys.append(keys, i)
			pairs = append(pairs, Pair{keys[at:len(keys):len(keys)], b.values.of(i, 0)})
		}
		if err := b.engine.Apply(pairs); err != nil {
			return err
		}
		b.user += int64(end-b.stored) * b.pairLen()
		b.stored = end
	}
	return nil
}

// get reads key i and complains if it is not there, or there and unwanted.
func (b *bed) get(w *worker, i uint64, wanted bool) error {
	w.key = b.keys.append(w.key[:0], i)
	var (
		v     []byte
		found bool
		err   error
	)
	if wanted {
		v, found, err = b.engine.Get(w.value[:0], w.key)
	} else {
		v, found, err = b.rare(w.value[:0], w.key)
	}
	if err != nil {
		return err
	}
	w.value = v
	if found != wanted || found && len(v) != b.values.size {
		return fmt.Errorf("%s: key %s: found %v with %d bytes", b.kind.name, w.key, found, len(v))
	}
	return nil
}

// put writes key i.
func (b *bed) put(w *worker, i, version uint64) error {
	w.key = b.keys.append(w.key[:0], i)
	return b.engine.Put(w.key, b.values.of(i, version))
}
