// Package wal writes and reads write-ahead logs: files of frames, each frame
// one commit group, all there or not at all.
//
//	000012.wal
//	+-------------+---------+---------+-----+---------+-------------+
//	| file header | frame   | frame   | ... | trailer | zeros, if   |
//	| 128 B       | group 1 | group 2 |     | 64 B    | preallocated|
//	+-------------+---------+---------+-----+---------+-------------+
//	               \
//	                +-----------------+----------------------+
//	                | frame header    | payload              |
//	                | 64 B, own sum   | the group's changes  |
//	                +-----------------+----------------------+
//
// The life of a log file:
//
//	prepared ──Start──► active ──Finish, Sync──► finished ──successor's Start──► sealed
//	(no header)         (frames)                 (trailer)   (its end is on record)
//
// A log exists once its header is valid. The header is made durable before any
// frame is written, and only after the predecessor's trailer is durable; it
// names the predecessor's end. So a successor proves where its predecessor
// must reach, and a log without one may end anywhere.
//
// The format distinguishes damage from a torn tail. Every frame says how much of the
// log was durable when it was written; bad bytes below such a mark had been
// durable once, so they are damage. Bad bytes nobody vouches for are what
// a power cut leaves of writes that were never acknowledged as durable.
//
// The package opens, names and deletes no files and never parses a payload.
// FrameWriter and FrameReader are the framing alone, for files with a header
// of their own.
//
// Part of the engine; no compatibility promise.
package wal
