// Package beside reads a store that another process writes to, without its help.
//
//	DIR/                     the writer's: CURRENT, manifest, tables, logs
//	DIR/READER-NNNN/         a reader's, NNNN random: LOCK, held while the reader lives,
//	                         and hard links of the tables of the states that it shows
//
// # What is promised
//
// Each state that is found is the state after one commit. It has every commit that had
// reached the file system when Next began: those that had returned at level
// SyncDurability or OSDurability. It has none that a power cut could take back: what was
// read of the newest log is synced before it is shown. So the reader never knows more
// than the store that is opened after a crash. The one exception is a disk that failed to
// sync, told the writer so, and tells the reader the contrary.
//
// # How a state is found
//
//  1. CURRENT and the manifest that it names are read: what has come since the manifest
//     was read last, for edits are only ever added to one. An edit that is not whole yet
//     ends the manifest.
//  2. The directory is listed, and the logs that the manifest has not retired are opened.
//  3. Its tables are linked into the reader's directory.
//  4. The logs are read, from oldest to newest, each to its last whole frame. What is
//     behind that is space reserved ahead, or a frame that is being written.
//  5. The logs are judged as a chain, as Open of a store does it.
//  6. The newest log is synced.
//
// Why that is one state: tables never change, and an opened or linked file goes on
// however often the writer removes its name. A flush removes a log only once the edit
// that retires it is durable. So if steps 2 and 3 found everything, the tables of step 1
// hold all that came before the oldest of the logs, and the logs all that came since, a
// flush that is done meanwhile included. A log has a header only when the one before it
// has its trailer, and headers are read in step 2. So no log is read that has a commit
// which the logs before it, as they are read in step 4, do not lead up to; step 5 would
// refuse it.
//
// If a file was gone in step 2 or 3 the writer has moved on, and it begins again with
// step 1. So it does after what looks like damage: bytes that were read first may be older
// than those that were read behind them. What is met a second time at the same place is
// damage. After a hundred attempts the error says what was in the way at last.
//
// Step 6 writes nothing: it is a sync of the log by a descriptor of the reader. Only the
// newest log needs it. Those before it were synced before the newest got its header. The
// manifest needs none: an edit that a power cut takes back has changed where the records
// are, not which there are, and the files that it replaced are still there.
//
// What was read of a log is kept, in memtables that do not change any more. The next state
// reads what has come since, and joins young memtables into larger ones, so that a log has
// a number of them that grows with the logarithm of its length.
//
// # The reader's directory
//
// It lies in the store's, for there is the same file system. Nobody else looks at it: its
// name is none of a store's. It goes with Close. Who is killed leaves it, and its lock
// file then is locked by nobody: by that the next reader beside finds and removes it.
// The steps of making it leave no moment at which it can be taken for that of a dead one:
// it is empty until its lock is held. Where the system has no file locks between processes
// (aix, solaris, plan9, js) two readers in two processes would remove each other's.
//
// An open file must not keep the writer from removing or replacing it, as it does on
// windows, and there must be hard links: Open tries both out and refuses what cannot be.
//
// # Locks
//
// The turn, a token, is held across Next, until its state is shown and what older ones
// had is removed. There is no other. The package imports engine/recovery, for its Loader,
// engine/readstate, and below them manifest, wal, internal/storedir, internal/base and
// vfs. It starts no goroutine.
package beside
