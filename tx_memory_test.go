//go:build !race && !invariants

package siltstone_test

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// TestATransactionHoldsWhatItWrites fills transactions, and holds what the heap has
// of them to what they wrote, and what the metrics say to what the heap has.
func TestATransactionHoldsWhatItWrites(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes int
		value  int
		read   int // own writes are read back after each so many
		most   float64
	}{
		{"many small", 100_000, 200, 0, 1.5},
		{"few large", 24, 1 << 20, 0, 1.5},
		{"one huge", 1, 24 << 20, 0, 1.5},
		// The index copies small values.
		{"small ones that are read back", 100_000, 200, 1000, 3},
		{"large ones that are read back", 24, 1 << 20, 1, 1.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t, func(o *siltstone.Options) { o.MemoryLimit, o.MaxTxBytes = 16<<20, 1<<30 })
			value := make([]byte, c.value)
			before, said := liveHeap(), s.DB.Metrics().Memory.Transactions
			err := s.DB.Update(bg, func(tx *siltstone.Tx) error {
				var key [16]byte
				for i := range c.writes {
					binary.BigEndian.PutUint64(key[8:], uint64(i)*0x9E3779B97F4A7C15)
					ok(t, tx.Put(key[:], value))
					if c.read > 0 && i%c.read == 0 {
						for _, k := range [][]byte{make([]byte, len(key)), key[:]} { // the first one, too
							v, err := tx.Get(k)
							ok(t, err)
							if len(v) != c.value {
								t.Fatalf("%x has %d bytes", k, len(v))
							}
						}
					}
				}
				held, wrote := liveHeap()-before, int64(c.writes*(len(key)+c.value))
				said = s.DB.Metrics().Memory.Transactions - said
				t.Logf("wrote %d bytes, holds %d: %.2f; the metrics say %d", wrote, held, float64(held)/float64(wrote), said)
				if float64(held) > c.most*float64(wrote) {
					t.Errorf("a transaction that wrote %d bytes holds %d", wrote, held)
				}
				if off := float64(said)/float64(held) - 1; off < -0.15 || off > 0.15 {
					t.Errorf("a transaction holds %d bytes, the metrics say %d", held, said)
				}
				return errors.New("enough")
			})
			if err == nil || err.Error() != "enough" {
				t.Fatal(err)
			}
		})
	}
}

// liveHeap returns the bytes of the heap that are not garbage.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held goes with the second one
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
