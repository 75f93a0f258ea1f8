// Package sstable writes and reads table files: sorted, immutable, checksummed
// down to the last byte.
//
//	file     [ data block ]* [ range tombstones ][ filter ][ index ][ properties ][ footer ]
//
//	block    header · common prefix · tags · next 8 key bytes · … · rest of keys │ values
//	                                  ▲          ▲                               │   ▲
//	         Get: scan 8 tags at once ┘          │   compressed apart from keys ─┘   │
//	         seek: search integers ──────────────┘        scans lend slices of ──────┘
//
//	read     filter line ─▶ index search ─▶ cache.Slot ─▶ tags ─▶ key ─▶ value
//	            one miss       integers      one load
//
// A table is written once, front to back, to a Sink and read through an
// io.ReaderAt: the package knows no file system, no levels and no versions. The
// bytes are described in docs/format/sstable.md.
//
// A Reader and everything read through it is safe for concurrent use, but for
// an Iter, which has one user at a time, and a Writer, likewise. Values are lent,
// not copied: they point into a block that the collector frees when nobody
// points at it, so a slice kept too long never faults.
//
// Bytes of a file are not trusted. Every byte is under a checksum that is bound
// to the table's random id and to the place in the file, checked whenever bytes
// come from disk; behind it every length is bounded before it is used.
//
// Part of the engine; no compatibility promise.
package sstable
