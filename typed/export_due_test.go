package typed

import "testing"

// SetPurgeLimit has a purge end after n elements, until the test ends.
func SetPurgeLimit(t testing.TB, n uint64) {
	was := purgeLimit
	purgeLimit = n
	t.Cleanup(func() { purgeLimit = was })
}
