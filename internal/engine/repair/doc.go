// Package repair makes a whole store out of what is left of a damaged one.
//
//	Mend   keyspaces without a name ──► named
//	       collections ──► follow the elements that are left of them
//
// The package takes no lock. It imports engine/check, whose faults it mends, and
// below it engine/rows, engine/readstate, internal/record and internal/keyenc.
package repair
