// Package vfstest is for tests of programs that keep their data on a vfs.FS:
// it cuts the power, and makes the calls of a file system fail.
//
//	    the program under test
//	             │ vfs.FS
//	       ┌─────┴─────┐   fails the n-th write, sync, rename … ;
//	       │  Faults   │   damages what is read; counts calls
//	       └─────┬─────┘
//	       ┌─────┴─────┐   remembers of every byte and every name
//	       │   Disk    │   whether it was synced
//	       └─────┬─────┘
//	Image(P3, rng) │ at any operation, as often as wanted
//	       ┌─────┴─────┐
//	       │   Disk    │   what the next start finds after the power cut
//	       └───────────┘
//
// # Power cuts
//
// A Disk is an in-memory file system. It numbers the operations that change it,
// from 1. Whatever no Sync or SyncDir has covered is an *atom* that a power cut
// may take away: a Write, a Truncate, an Allocate, a Zero, a created, removed, linked or
// renamed name. Image makes a new Disk from the synced state and those atoms
// that a Profile lets survive. A test runs its workload once and asks for images
// in a hook at every operation (Disk.OnOp), or stops the power at one of them
// (Disk.CutAt) and asks afterwards.
//
// The rules are POSIX at its weakest:
//
//   - Bytes, and the length, are safe once File.Sync has returned. The file's
//     name is not; it is safe once SyncDir of its directory has returned. A new
//     directory is a name in its parent.
//   - Between syncs, any subset of the atoms may have reached the disk, in any
//     order, across files and directories.
//   - A rename within a directory is one atom. Between directories it is two, the
//     new name and the loss of the old one.
//   - A write may be torn. Bytes that were not being written keep their content,
//     also those in the same sector.
//
// # Faults
//
// Faults wraps any vfs.FS. A Fault says which calls fail (a predicate, the n-th
// match, how often) and how: not done, half done, done but reported as failed,
// or, for a read, silently damaged. Every error it makes wraps ErrInjected.
//
// Windows wraps any vfs.FS, too, and refuses to remove or rename a file that is
// open.
package vfstest
