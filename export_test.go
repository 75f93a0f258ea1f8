package siltstone

import (
	"context"
	"testing"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/leaktest"
)

// The knobs that tests outside the package turn.

// Extremes are the unexported options.
type Extremes struct {
	BlockSize, RunLimit, FilterBits int
	TableBytes                      int64
	ManualWork                      bool
}

// Extreme sets the unexported options of o.
func (o *Options) Extreme(e Extremes) {
	o.blockSize, o.runLimit, o.tableFilters = e.BlockSize, e.RunLimit, e.FilterBits
	o.tableBytes, o.manualWork = e.TableBytes, e.ManualWork
}

// Step does all background work there is in a store without workers.
func (db *DB) Step() error { return db.step() }

// CompactTables merges what is in tables down to the last level, and leaves what
// is in memory where it is.
func (db *DB) CompactTables() error {
	for {
		did, err := db.work.CompactStep(context.Background(), &compaction.KeyRange{})
		if !did || err != nil {
			return err
		}
	}
}

// FillMemory leaves the cache no room until release is called.
func FillMemory(db *DB) (release func()) {
	limit := db.opts.MemoryLimit
	db.states.Tables.Cache().Reserve(limit)
	return func() { db.states.Tables.Cache().Release(limit) }
}

func TestMain(m *testing.M) { leaktest.Main(m) }
