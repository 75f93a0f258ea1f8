// Package backup sends the state of an open store as a stream, and makes a store of
// streams that were received.
//
//	memory ──Flush──► tables
//	checkpoint.Pinned ──► Version ──► tables that the receiver does not have ──► archive.Writer
//	                             └──► state                                  ──►      │
//	                                                                           stream ▼
//	dst ◄──Publish── dst.NNNN.partial ◄── tables, manifest ◄── chain ◄──────── archive.Reader
//
// Writers, flushes and merges go on while a backup is sent: what is pinned keeps its
// files. A store that is open for reading is not flushed: the records of its logs are
// written to tables in the stream.
//
// A restored store is a store of its own, as a checkpoint is: it has an id of its own and
// notes that of its parent. Its tables are numbered anew, in the order in which they
// came: tables of several streams may have had the same number.
//
// Locks: those of checkpoint.Source.Pin, while the state is pinned, and none while the
// stream is written or read. The package imports engine/checkpoint, and below it archive,
// compaction, manifest, vfs, internal/storedir and internal/base.
package backup
