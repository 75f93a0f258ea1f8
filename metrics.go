package siltstone

import (
	"bytes"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// Metrics are figures of a store at one moment. Bytes are bytes.
type Metrics struct {
	Runs, Tables int
	TableBytes   int64 // of the tables of the current version

	MemtableBytes int64 // held by memtables, full ones included
	CacheBytes    int64 // held by cached blocks

	FlushedBytes   int64 // written to tables by flushes since Open
	CompactedBytes int64 // written to tables by compactions since Open

	// DeadCollections counts collections that are suspected to have ended and not
	// decided about yet; DeadBytes is about how many bytes of tables the elements
	// of those, and of collections that have ended, still take. Both return to 0
	// by themselves.
	DeadCollections int64
	DeadBytes       int64
}

// Metrics returns the store's figures. It reads table indexes, and after Close
// it returns zeros.
func (db *DB) Metrics() Metrics {
	rs, n := db.states.pin()
	if rs == nil {
		return Metrics{}
	}
	defer db.states.unpin(rs, n)
	m := Metrics{
		Runs: len(rs.version.Runs), MemtableBytes: rs.mem.Bytes(), CacheBytes: db.blocks.Metrics().Bytes,
		FlushedBytes: db.workers.flushedBytes.Load(), CompactedBytes: db.workers.compactedBytes.Load(),
	}
	for _, mem := range rs.imms {
		m.MemtableBytes += mem.Bytes()
	}
	for _, t := range rs.version.AllTables() {
		m.Tables++
		m.TableBytes += int64(t.Size)
	}
	for _, r := range db.reaper.undecided() {
		m.DeadCollections += int64(r.Last - r.First + 1)
		lo, hi := keyenc.CollectionRange(keyspacePrefix(r.Keyspace), r.First, r.Last)
		m.DeadBytes += rs.bytesBelow(lo, hi, base.SeqMax)
	}
	m.DeadBytes += rs.coveredElements()
	return m
}

// undecided returns the collections that are waiting for the reaper.
func (r *reaper) undecided() []manifest.IDRange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(r.pending[:len(r.pending):len(r.pending)], r.deciding...)
}

// coveredElements returns about how many bytes of tables the element rows take
// that range tombstones cover.
func (rs *readState) coveredElements() (sum int64) {
	older, err := rs.olderDeletes()
	if err != nil {
		return 0 // the next read of the damaged table tells
	}
	for _, f := range rangedel.Merge(rs.mem.RangeDeletes(), older).Fragments() {
		if _, rest, ok := keyenc.KeyspaceOf(f.Start); ok && rest[0] == keyenc.SpaceElements {
			sum += rs.bytesBelow(f.Start, f.End, f.Seqs[0])
		}
	}
	return sum
}

// bytesBelow returns about how many bytes the rows of [lo, hi) take in tables
// that hold something older than seq.
func (rs *readState) bytesBelow(lo, hi []byte, seq base.SeqNum) (sum int64) {
	for i := range rs.runs {
		for _, t := range rs.runs[i].tables {
			if t.MinSeq >= seq || bytes.Compare(t.Smallest, hi) >= 0 || t.endsBefore(lo) || t.Records() == 0 {
				continue
			}
			if r, err := t.get(); err == nil {
				sum += r.ApproximateSize(lo, hi)
			}
		}
	}
	return sum
}
