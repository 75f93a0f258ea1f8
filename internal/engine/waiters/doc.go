// Package waiters knows who waits for a key to be written, and wakes them when a
// commit that wrote it has become visible.
//
//	commit ──► visible ──► rows it wrote ──► topic ─┬─► line: wakes its first caller
//	                                                └─► watch: notes the key, wakes
//
// A topic is a row that somebody waits for: the row of a key, or what all rows of a
// collection begin with. A line has the callers who wait to take an element of one key,
// in the order in which they came. A watch has the keys of one caller who wants to know
// of every change.
//
// Only the first caller of a line is ever woken. It looks for an element. If it finds
// one, its commit takes it out of the line, and the same commit wakes the next caller if
// the key is still there: so the callers are served in their order, and about one of them
// is woken for each element. If it finds none, it keeps its place and sleeps.
//
// No wake is lost. A caller is in its line before it looks, so a commit that it does not
// see finds it there. A wake that comes while a caller looks stays with it: it looks
// again, or, if it leaves, the wake goes to the next one. Whoever leaves from the head of
// a line without an element wakes the next one, too.
//
// A commit pays one atomic load while nobody waits in the store.
//
// Locks: Registry.mu is held for a few instructions, and nothing is taken under it. The
// package starts no goroutine: a caller sleeps in its own. It imports internal/base,
// internal/clock, internal/keyenc and internal/record.
package waiters
