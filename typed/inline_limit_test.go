package typed_test

import (
	"testing"

	"github.com/siltstonedb/siltstone/internal/record"
)

// inlineUpTo has collections be inline up to so many elements and bytes, until the
// test ends.
func inlineUpTo(t testing.TB, elements, bytes int) {
	was := record.Inline
	record.Inline = record.InlineLimit{Elements: elements, Bytes: bytes}
	t.Cleanup(func() { record.Inline = was })
}

// inRows has every new collection begin in rows, until the test ends.
func inRows(t testing.TB) { inlineUpTo(t, 0, 0) }

// inlineLimits are what histories run under: none is inline, growing out of it is
// the usual case, and what is in force.
var inlineLimits = []record.InlineLimit{{}, {Elements: 4, Bytes: 64}, record.Inline}
