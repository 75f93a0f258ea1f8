// Package commitlog turns concurrent commits into groups, and groups into log
// frames: one buffer to which all commits append, and one caller at a time that
// writes and syncs it for all that wait.
//
//	committers ──append──► pending group ──the leader──► frame ──► log file
//	     │                                                  │
//	     └──────────────── wait by position ◄───────────────┘
//
// It knows nothing of stores, memtables or keys, and starts no goroutine: the
// leader is always one of the callers that wait. Prepared makes the log files ahead.
//
// Locks, in the order in which they are taken:
//
//	Log.syncing      held while a file is synced, ended or begun
//	Log.alloc        held while a file is extended or closed
//	Log.mu           held for a few instructions
//	Kept.mu          held for a few instructions, under Log.syncing or alone
//	Prepared.making  held while files are made, across NewFileNum of the manifest's set
//	Prepared.mu      held for a few instructions
package commitlog
