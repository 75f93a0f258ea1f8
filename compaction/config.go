package compaction

// Config is the policy's numbers. Zero fields take the default, which suits
// memtables of 64 MiB; tests use very small ones.
type Config struct {
	FlushRuns int // flush runs that are left alone; 8. Fewer: cheaper reads, dearer writes
	TierRuns  int // runs of a tier that are left alone; 4

	// YoungPercent is how large the young runs may get, in percent of the last
	// level, before too many of them go down instead of into one run of a tier.
	// It bounds both the cost of going down and the space garbage takes; 20.
	YoungPercent int

	TableSize     int64 // of the tables of young runs, bytes; 8 MiB
	LastTableSize int64 // of the last level's tables; 32 MiB
	MaxInput      int64 // bytes one merge into the last level should read; 256 MiB

	// Garbage is left alone below this share of the bytes a merge would have to
	// read, unless it is as many bytes as GarbageBytes: overwriting one byte per
	// table must not rewrite the store. Shares are percents: when idle, and when
	// not.
	GarbagePercent     int   // 10
	BusyGarbagePercent int   // 30
	GarbageBytes       int64 // 64 MiB

	// ExpiryAge is how long (milliseconds) the earliest expiry of a table of which
	// at least GarbagePercent expires may lie back, whatever the estimate says; an
	// hour. A table is rewritten at most so often for that.
	ExpiryAge int64

	// TellEnded has tables whose records have all expired read by a merge, which can tell of
	// them, instead of dropped unread.
	TellEnded bool
}

// WithDefaults returns c with zero fields replaced by the defaults.
func (c Config) WithDefaults() Config {
	ints := []struct {
		field *int
		value int
	}{
		{&c.FlushRuns, 8}, {&c.TierRuns, 4}, {&c.YoungPercent, 20},
		{&c.GarbagePercent, 10}, {&c.BusyGarbagePercent, 30},
	}
	for _, f := range ints {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	sizes := []struct {
		field *int64
		value int64
	}{
		{&c.TableSize, 8 << 20}, {&c.LastTableSize, 32 << 20}, {&c.MaxInput, 256 << 20},
		{&c.GarbageBytes, 64 << 20}, {&c.ExpiryAge, 3600 * 1000},
	}
	for _, f := range sizes {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return c
}

// SizeAt returns the size aimed at for tables of the given level.
func (c Config) SizeAt(level uint8) int64 {
	c = c.WithDefaults()
	if level == lastLevel {
		return c.LastTableSize
	}
	return c.TableSize
}
