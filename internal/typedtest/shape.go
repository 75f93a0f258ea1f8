package typedtest

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/collection"
)

// SmallRanks has the order of every set of more than four members counted, by
// small nodes, until the test ends. The test must not be parallel, nor another
// that uses sorted sets.
func SmallRanks(t testing.TB) {
	alone(t)
	was := collection.Shape
	collection.Shape = collection.RankShape{Build: 4, Drop: 2, Bucket: 4, Fan: 4, Bytes: 16, Near: 2}
	t.Cleanup(func() { collection.Shape = was })
}

// PurgeUpTo has a purge end after n elements, until the test ends, under the same
// condition.
func PurgeUpTo(t testing.TB, n uint64) {
	alone(t)
	was := collection.PurgeLimit
	collection.PurgeLimit = n
	t.Cleanup(func() { collection.PurgeLimit = was })
}

// alone fails a test that is parallel, for what it changes is the package's: it says
// to package testing what a test says that changes the environment.
func alone(t testing.TB) { t.Setenv("SILTSTONE_TEST_ALONE", t.Name()) }
