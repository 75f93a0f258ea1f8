// Package feed reads what was committed out of the log files, for readers of changes.
//
//	kept logs        ── retired, as far as the bounds allow ──► log in use
//	frames           ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░
//	                    ▲ a reader, by its sequence               ▲ front: durable
//	frame  ─► commits, each behind its note ─► operations ─► changes
//
// # What is promised
//
// A reader that begins after a sequence is shown each commit above it once, in the order
// of the commits and whole, or is told that the log it needs is not kept any more, or
// that a file is damaged. It is shown what is durable: a log before the one in use was
// synced before the next one got its header, and of the one in use the log knows how far
// it is synced. So a reader never knows more than the store after a power cut.
//
// Why nothing is left out: each log's header names the log before it and the last
// sequence there. A log that ends below what the next one says is damage. A chain that
// has no oldest part is too old for who wants that part.
//
// # Readers and the store
//
// A reader holds nothing that a commit, a flush or the removal of a log waits for. It
// opens a file, reads some frames, closes it, and then shows them. A log that is removed
// meanwhile is missed at the next opening. A reader that waits does so on a channel
// which the log closes when it is durable further on: one for all readers.
//
// # A store that is open for reading
//
// Its logs are those of the state that it shows, and what its writer keeps before them
// (Past). The front is the end of the state, so a feed never runs ahead of what reads
// show. The writer removes logs without asking: one that is gone is missed at the next
// opening, and then the logs are looked for anew.
//
// # Whose rows
//
// An operation is of a row, and the row of an element names an id in place of a key.
// The note in front of the commit says whose the id was (record.NoteItem). Within the
// commit, owner rows say whose it becomes. What can be told of no key is of a
// collection that is dead, and is left out.
//
// The package imports engine/commitlog, changes, typed, and below them wal,
// internal/record, internal/keyenc, internal/storedir, internal/invariants and
// internal/base. It starts no goroutine. Its only lock is Past.mu, held for memory alone. A
// Source is safe for concurrent use.
package feed
