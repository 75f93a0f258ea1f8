package siltstone

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
