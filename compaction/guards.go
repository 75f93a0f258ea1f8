package compaction

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/manifest"
)

// Guards returns the keys at which the tables of c's outputs had better end,
// for outputs of about the given size: some of those at which tables of the last
// level begin. nil for outputs that go to the last level themselves.
//
// What goes down takes whole tables, so young runs should be cut alike: if every
// run were cut at places of its own, each older run would widen the merge by a
// table on either side. A guard's rank is how many zero bits its hash ends in,
// and an output takes all guards from some rank on, the higher the smaller it
// is. So the cuts of a small run are among those of a large one, whenever either
// was written, without anybody remembering them.
//
//	last level   |  a  |  b  |  c  |  d  |  e  |  f  |  g  |
//	rank               0     2     0     1     0     0
//	tier         |    rank ≥ 1     |           |           |
//	flush        |    rank ≥ 2     |                       |
func (c *Compaction) Guards(v *manifest.Version, cfg Config, size int64) (keys [][]byte) {
	last, ok := lastRun(v)
	if !ok || c.Level == manifest.LastLevel {
		return nil
	}
	tables := overlapping(last.Tables, c.Span)
	pieces := uint64(max(1, size*guardsPerTable/cfg.SizeAt(c.Level)))
	rank := bits.Len64(uint64(len(tables)) / pieces)
	for _, t := range tables {
		if bits.TrailingZeros64(xxhash.Sum64(t.Smallest)) >= rank {
			keys = append(keys, t.Smallest)
		}
	}
	return keys
}

const (
	// About so many guards stand to a table's worth of bytes.
	guardsPerTable = 2
	// A table ends at a guard from this part of its full size on.
	leastTable = 16
)
