package txn_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/leaktest"
)

// TestATransactionOfTinyWritesHoldsThem makes many writes of a few bytes, and bounds what
// the heap has of a call. Of a key that is written blindly it has key and value, three or
// four bytes, and what is not used yet. A call that reads before it writes has an index
// of what was written as well, and what was read.
func TestATransactionOfTinyWritesHoldsThem(t *testing.T) {
	const calls = 100_000
	value := []byte("12345678")
	for name, c := range map[string]struct {
		most float64 // bytes that a call holds
		call func(tx *siltstone.Tx, key []byte) error
	}{
		"Put":             {24, func(tx *siltstone.Tx, key []byte) error { return tx.Put(key, value) }}, // 16 bytes written
		"Put of no value": {16, func(tx *siltstone.Tx, key []byte) error { return tx.Put(key, nil) }},
		"Delete":          {16, func(tx *siltstone.Tx, key []byte) error { return tx.Delete(key) }},
		"Incr of one key": {43, func(tx *siltstone.Tx, _ []byte) error { _, err := tx.String("n").Incr(1); return err }},
		"Hash.Set":        {290, func(tx *siltstone.Tx, key []byte) error { _, err := tx.Hash("h").Set(string(key), value); return err }},
		"Set.Add":         {270, func(tx *siltstone.Tx, key []byte) error { _, err := tx.Set("s").Add(string(key)); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			db := newStore(t)
			enough := errors.New("enough")
			before, said := leaktest.LiveHeap(), db.Metrics().Memory.Transactions
			err := db.Update(bg, func(tx *siltstone.Tx) error {
				var key [8]byte
				for i := range uint64(calls) {
					binary.BigEndian.PutUint64(key[:], i*0x9E3779B97F4A7C15)
					if err := c.call(tx, key[:]); err != nil {
						return err
					}
				}
				held := float64(leaktest.LiveHeap()-before) / calls
				said := float64(db.Metrics().Memory.Transactions-said) / calls
				t.Logf("a call holds %.1f bytes, the metrics say %.1f", held, said)
				if held > c.most {
					t.Errorf("a call holds %.1f bytes, want at most %.1f", held, c.most)
				}
				return enough
			})
			if err != enough {
				t.Fatal(err)
			}
		})
	}
}

// TestRowsThatATransactionHasReplacedAreNotHeld makes calls on few keys, each of which puts
// the key's metadata again, and a sorted set's pages of counts.
func TestRowsThatATransactionHasReplacedAreNotHeld(t *testing.T) {
	const calls = 50_000
	for name, c := range map[string]struct {
		most float64 // bytes that a call holds
		call func(tx *siltstone.Tx, i int) error
	}{
		"ZSet.Add": {650, func(tx *siltstone.Tx, i int) error {
			_, err := tx.ZSet("z").Add(fmt.Sprint("member", i), float64(i*7919%calls))
			return err
		}},
		"ZSet.Incr of few": {30, func(tx *siltstone.Tx, i int) error {
			_, err := tx.ZSet("z").Incr(fmt.Sprint("member", i%10), 1)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db := newStore(t)
			before := leaktest.LiveHeap()
			ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
				for i := range calls {
					if err := c.call(tx, i); err != nil {
						return err
					}
				}
				held := float64(leaktest.LiveHeap()-before) / calls
				if t.Logf("a call holds %.1f bytes", held); held > c.most {
					t.Errorf("a call holds %.1f bytes, want at most %.1f", held, c.most)
				}
				return nil
			}))
			ok(t, db.Check(bg))
		})
	}
}

// TestMetricsSayWhatATransactionHoldsOfItsReads reads much in a transaction that could
// write, key by key and walk by walk.
func TestMetricsSayWhatATransactionHoldsOfItsReads(t *testing.T) {
	const reads = 100_000
	key := func(room []byte, i uint64) []byte {
		return binary.BigEndian.AppendUint64(room[:0], i*0x9E3779B97F4A7C15)
	}
	for name, read := range map[string]func(tx *siltstone.Tx) error{
		"points": func(tx *siltstone.Tx) error {
			var k [8]byte
			for i := range uint64(reads) {
				if _, err := tx.Has(key(k[:], i)); err != nil {
					return err
				}
			}
			return nil
		},
		"seeks of one iterator": func(tx *siltstone.Tx) error {
			it, err := tx.NewIter(nil)
			if err != nil {
				return err
			}
			defer it.Close()
			var k [8]byte
			for i := range uint64(reads) {
				it.SeekGE(key(k[:], i))
			}
			return it.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := newStore(t)
			ok(t, db.Put([]byte("\xff\xffthe last"), nil))
			enough := errors.New("enough")
			before, said := leaktest.LiveHeap(), db.Metrics().Memory.Transactions
			err := db.Update(bg, func(tx *siltstone.Tx) error {
				if err := read(tx); err != nil {
					return err
				}
				held, says := leaktest.LiveHeap()-before, db.Metrics().Memory.Transactions-said
				t.Logf("it holds %d bytes, the metrics say %d", held, says)
				if off := float64(says) / float64(held); off < 0.85 || off > 1.15 {
					t.Errorf("it holds %d bytes, the metrics say %d", held, says)
				}
				return enough
			})
			if err != enough {
				t.Fatal(err)
			}
			if says := db.Metrics().Memory.Transactions; says != said {
				t.Errorf("once it has ended the metrics say %d, before it they said %d", says, said)
			}
		})
	}
}

// TestACommitDoesNotBuildTheIndexAgain commits calls that have read what they wrote: the
// table that they read it in goes to the store.
func TestACommitDoesNotBuildTheIndexAgain(t *testing.T) {
	db := newStore(t)
	var before, after runtime.MemStats
	ok(t, db.Update(bg, func(tx *siltstone.Tx) error {
		var key [8]byte
		for i := range uint64(100_000) {
			binary.BigEndian.PutUint64(key[:], i)
			if _, err := tx.Hash("h").Set(string(key[:]), nil); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&before)
		return nil
	}))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 12<<20 {
		t.Errorf("the commit has allocated %d bytes", n)
	}
	if n, err := db.Hash("h").Len(); n != 100_000 || err != nil {
		t.Errorf("%d fields, %v", n, err)
	}
}
