// Package storedir is the directory of a store on its file system: the names in
// it, the lock, and how a whole new directory gets its name in one step.
//
//	dir/
//	  LOCK            held while the store is open
//	  BALLAST           space that is kept for a full disk
//	  CURRENT         names the manifest
//	  MANIFEST-000001
//	  000002.wal      …
//	  000003.sst      …
//	  READER-NNNN/    of a reader beside the writer (internal/engine/beside)
//
// The package imports vfs, internal/base and internal/invariants. It does not read the
// files. A Dir is a value without state; a Partial belongs to one goroutine.
package storedir
