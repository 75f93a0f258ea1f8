package siltstone

import (
	"fmt"
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

// inEveryForm runs the test under each of the limits.
func inEveryForm(t *testing.T, test func(t *testing.T)) {
	for _, limit := range inlineLimits {
		t.Run(fmt.Sprintf("inline up to %d", limit.Elements), func(t *testing.T) {
			inlineUpTo(t, limit.Elements, limit.Bytes)
			test(t)
		})
	}
}

// InEveryForm is inEveryForm for tests from outside.
func InEveryForm(t *testing.T, test func(t *testing.T)) { inEveryForm(t, test) }
