// Package bench measures raftstore.LogStore beside raft-boltdb and raft-wal, with raft's
// own benchmarks and with entries of other sizes, and runs raft-wal's verifier over it.
//
//	go -C raftstore/bench test -run '^$' -bench . -count 6
//
// A disk's sync is most of what is measured of StoreLogs and Set: run it on the disk that
// is meant, by TMPDIR. It is a module of its own, so that raftstore does not depend on the
// other stores.
package bench
