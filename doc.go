// Package siltstone is an embedded, persistent key-value store for Go services.
//
// Writes go to a write-ahead log and an in-memory skiplist table, which flushes
// into sorted table files with bloom filters; a background compactor merges
// those. Strings, hashes, sets, sorted sets and lists are key ranges of the
// same ordered store, so that one transaction may span them, with time to live
// on any key, field and member. Their calls are in package typed, and package
// codec gives them Go types.
//
//	db, err := siltstone.Open("data", nil)
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	err = db.Put([]byte("user:1"), []byte("Ada"))
//	v, err := db.Get([]byte("user:1"))
//	for kv, err := range db.Scan(siltstone.Prefix([]byte("user:"))) {
//		...
//	}
//
// # Durability
//
// A commit is durable when it returns: it survives power loss, with everything
// before it. Options.Durability, PutDurability, Apply and Tx.SetDurability choose
// another level by name. After a crash the store is exactly the state after one commit,
// without a hole, and opens by itself.
//
//	SyncDurability      survives power loss
//	OSDurability        survives the end of the process (kill -9), not power loss
//	BufferedDurability  may lose the last moments when the process is killed: it is
//	                    process memory, about 10 ms or 64 KiB of it, and up to 4 MiB
//	                    while the log is being written
//
// # Keyspaces
//
// DB.CreateKeyspace makes parts of the store with keys of their own, and DB.Keyspace
// finds them. A Keyspace has the calls that DB has, and so has a Tx: code that takes a
// ReadWriter works on each. Tx.In, Batch.In and Snapshot.In reach several keyspaces in
// one transaction. DropKeyspace drops one at a cost that does not depend on its size.
//
// # Limits
//
// Options.MemoryLimit is one budget for memtables, cached blocks, filters and
// indexes. Options.MaxDiskBytes bounds the files; past it, and on a disk that is
// nearly full, writes are ErrNoSpace while reads, deletes, expiry and merges go
// on, and writes too once there is space.
//
// # Looking after a store
//
// Nothing has to be called now and then: space comes back by itself. Checkpoint
// makes a copy while writers go on, and Backup writes one to a stream, of which Restore
// makes a store again. Check reads everything and names each fault, and Repair makes a
// new store of the readable parts of a damaged one.
//
// Metrics returns figures (package metrics). Options.Logger and Options.OnEvent receive
// what background work did (package event). Explain shows, source by source, why a read
// of a key returns what it does (package explain). Package debughttp shows all of it on a
// page.
//
// # Whose bytes
//
// Keys and values given to the store are copied; the caller may reuse them at
// once. Get returns a copy, which belongs to the caller. A slice from an iterator or
// a loop is valid until its next step. A slice that is kept longer may change, but
// reading it never faults.
//
// # Errors
//
// Absence is ErrNotFound. A refusal (empty key, wrong type, no space) changes
// nothing. After a failed write or sync of the log or the manifest the store
// takes no more writes and returns ErrPoisoned with the first cause; reads go
// on. A misuse, after Close for instance, is an error, never a panic.
package siltstone
