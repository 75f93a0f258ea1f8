package typedtest

import (
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/record"
)

// InlineUpTo has collections be inline up to so many elements and bytes, until the
// test ends. The test must not be parallel, nor another that uses collections.
func InlineUpTo(t testing.TB, elements, bytes int) {
	alone(t)
	was := record.Inline
	record.Inline = record.InlineLimit{Elements: elements, Bytes: bytes}
	t.Cleanup(func() { record.Inline = was })
}

// InRows has every new collection begin in rows, until the test ends.
func InRows(t testing.TB) { InlineUpTo(t, 0, 0) }

// InlineLimits are what histories run under: none is inline, growing out of it is
// the usual case, and what is in force.
var InlineLimits = [...]record.InlineLimit{{}, {Elements: 4, Bytes: 64}, record.Inline}

// InEveryForm runs the test under each of the limits; with -short under the one that
// collections usually grow out of.
func InEveryForm(t *testing.T, test func(t *testing.T)) {
	limits := InlineLimits[:]
	if testing.Short() {
		limits = limits[1:2]
	}
	for _, limit := range limits {
		t.Run(fmt.Sprintf("inline up to %d", limit.Elements), func(t *testing.T) {
			InlineUpTo(t, limit.Elements, limit.Bytes)
			test(t)
		})
	}
}
