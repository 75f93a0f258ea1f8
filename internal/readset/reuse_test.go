//go:build !race && !invariants

package readset

import (
	"fmt"
	"testing"
)

func TestASetThatBeginsWhereOneHasEndedAllocatesNothing(t *testing.T) {
	var rows [][]byte
	for i := range 50 {
		rows = append(rows, fmt.Appendf(nil, "row %040d", i))
	}
	n := testing.AllocsPerRun(1000, func() {
		var s Set
		s.Begin(1, 2, nil)
		for i, row := range rows {
			s.AddPoint(uint64(i), row)
		}
		s.End()
	})
	if n >= 1 {
		t.Errorf("%v allocations a set", n)
	}
}
