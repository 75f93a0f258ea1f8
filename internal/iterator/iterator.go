// Package iterator holds the contract every source of records fulfils, and the
// two combinators over it: Merging (several sources in one order) and Concat
// (disjoint sources one behind the other).
package iterator

import "github.com/siltstonedb/siltstone/internal/base"

// Entry is one record as an iterator lends it.
type Entry struct {
	Key   []byte // row key; borrowed until the iterator's next move
	Value []byte // nil if the iterator was opened for keys only; borrowed likewise
	base.Trailer
	// Lasting says that Value stays as it is for as long as its source is open;
	// otherwise the next move may overwrite it.
	Lasting bool
	// LastingKey says the same of Key.
	LastingKey bool
	// Sole says that its source has no other entry with this key.
	Sole bool
}

// Iterator walks records in internal order: key ascending, sequence descending
// within a key. Every move returns the entry it stands on, or nil at either end
// or on an error; after nil, Err tells which. The entry and its slices are
// borrowed until the next move, and never fault afterwards (they may be
// stale).
//
// Range tombstones are not entries: a source hands them out as a
// rangedel.List beside its iterator.
//
// Next and Prev may only be called on an iterator that stands on an entry; the
// direction may change at any time. An Iterator is not safe for concurrent use.
type Iterator interface {
	First() *Entry
	Last() *Entry
	// SeekGE moves to the first entry at or after (key, seq) in internal order:
	// the newest version of key that is not newer than seq, or the first
	// version of the next key. SeqMax seeks to the newest version of key.
	SeekGE(key []byte, seq base.SeqNum) *Entry
	// SeekLT moves to the last entry whose key is below key (its oldest version).
	SeekLT(key []byte) *Entry
	Next() *Entry
	Prev() *Entry
	// Block describes the stretch the iterator stands in; ok is false if the source
	// has no such knowledge (a memtable). Valid only while on an entry.
	Block() (r Block, ok bool)
	Err() error
	// Close releases what the iterator holds; closing twice is fine. It returns
	// Err.
	Close() error
}

// Aimer is an Iterator whose seeks can be begun, so that a merge begins those of all its
// sources before it waits for any. Aim says that SeekGE or, backward, SeekLT of key is
// the next move. It asks for the memory that this will wait for, and reports whether it
// will read a file. Begin, called after that alone, begins the read. Neither waits.
type Aimer interface {
	Aim(key []byte, backward bool) (reads bool)
	Begin()
}

// Block describes the block an iterator stands in, so that a merge may stream it
// without comparing while the block's far end lies before the next source and
// before the next range-tombstone boundary. What it says holds for the entries
// still to come in the direction of travel: those already passed may have had
// company from another source.
type Block struct {
	First, Last []byte      // smallest and largest key of the block; borrowed like Entry.Key
	MaxSeq      base.SeqNum // largest sequence in the block
	Plain       bool        // no tombstone, no expiry, one version per key
	// Entries of the block behind (After) and in front of (Before) the current
	// one in internal order, so that a stretch is walked by counting. 0 where the
	// source does not count.
	After, Before int
}
