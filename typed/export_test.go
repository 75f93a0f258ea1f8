package typed

import "github.com/siltstonedb/siltstone/internal/collection"

// DrawPositions returns positions that Random draws.
func DrawPositions(t collection.Txn, count uint64, n int) (at []uint64) {
	for _, p := range drawPositions(t, count, n) {
		at = append(at, p.at)
	}
	return at
}
