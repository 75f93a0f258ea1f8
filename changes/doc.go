// Package changes has the types of a store's change feed, which DB.Changes yields:
// what was committed, in the order of the commits, each with a Position to go on from.
//
//	for c, err := range db.Changes(ctx, siltstone.ChangeOptions{After: pos}) {
//		if err != nil { … }
//		apply(c)
//		if c.Last { pos = c.Position } // keep it anywhere: it has a text and a binary form
//	}
//
// The package imports typed and internal/base.
package changes
