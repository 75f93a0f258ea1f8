package siltstone

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/manifest"
)

// Metrics returns the store's figures. It lists the store's directory and reads
// table indexes, and costs about a millisecond for a thousand tables. After
// Close it returns zeros.
func (db *DB) Metrics() Metrics {
	rs, n := db.states.pin()
	if rs == nil {
		return Metrics{}
	}
	defer db.states.unpin(rs, n)
	var m Metrics
	db.tally.into(&m)
	m.Compactions.Running = db.running()
	m.Compactions.WriteAmplification = writeAmplification(m.Flushes.Bytes, m.Compactions.BytesOut)
	m.Stalls.Delay = delayPerByte(db.debt()) << 20
	rs.measure(&m)
	if db.log != nil {
		s := db.log.Stats()
		m.Commits.Count, m.Commits.Operations, m.Commits.Groups, m.Commits.Bytes = s.Commits, s.Operations, s.Groups, s.Bytes
		m.Log = LogMetrics{Unsynced: s.Unsynced, Syncs: LatencyMetrics(s.Syncs)}
		m.Memory.LogBuffers = s.Buffered
	}
	c := db.blocks.Metrics()
	m.Cache = CacheMetrics{Blocks: c.Blocks, Bytes: c.Bytes, Hits: c.Hits, Misses: c.Misses, Evictions: c.Evictions}
	m.Memory.Limit, m.Memory.Blocks, m.Memory.Rows, m.Memory.ReadAhead = db.opts.MemoryLimit, c.Bytes, c.Rows, c.Lent
	m.Memory.Memtables, m.Memory.Spare = db.states.memtableBytes(), db.spare.held()+db.writers.Bytes()
	m.Disk = db.diskMetrics(m.Tables.Bytes, rs.version)
	m.Open = db.holders.metrics(time.Now())
	m.Memory.Iterators = m.Open.Iterators * int64(unsafe.Sizeof(Iterator{})+unsafe.Sizeof(rowIter{}))
	m.Memory.Transactions = m.Open.Transactions * int64(unsafe.Sizeof(Tx{}))
	for _, r := range db.reaper.undecided() {
		m.Dead.Collections += int64(r.Last - r.First + 1)
		lo, hi := keyenc.CollectionRange(keyspacePrefix(r.Keyspace), r.First, r.Last)
		m.Dead.Bytes += rs.bytesBelow(lo, hi, base.SeqMax)
	}
	m.Dead.Bytes += rs.coveredElements()
	return m
}

// memtableBytes returns what the memtables hold that any state in use lists: an
// iterator left open keeps those of its beginning.
func (s *states) memtableBytes() (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[*memState]bool{}
	for rs := range s.alive {
		rs.eachMem(func(m *memState) {
			if !seen[m] {
				seen[m] = true
				sum += m.Bytes()
			}
		})
	}
	return sum
}

// running returns how many merges and flushes run.
func (db *DB) running() int {
	w := &db.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.merging.running)
}

// measure fills in what the state knows.
func (rs *readState) measure(m *Metrics) {
	m.Memtables = MemtableMetrics{Waiting: len(rs.imms), Records: int64(rs.mem.Len()), Bytes: rs.mem.Bytes()}
	for _, mem := range rs.imms {
		m.Memtables.Records += int64(mem.Len())
		m.Memtables.Bytes += mem.Bytes()
	}
	for i, r := range rs.version.Runs {
		run := RunMetrics{Age: r.Age, Level: int(r.Level), Tables: len(r.Tables), Bytes: int64(r.Size())}
		m.Runs = append(m.Runs, run)
		m.Tables.Count += run.Tables
		m.Tables.Bytes += run.Bytes
		for _, t := range rs.runs[i].tables {
			m.Tables.Records += int64(t.Records())
			if o := t.reader.Load(); o != nil {
				m.Tables.Open++
				m.Memory.TableMetadata += o.MemoryBytes()
			}
		}
	}
}

// diskMetrics measures the store's files; those of live tables are known.
func (db *DB) diskMetrics(tables int64, v *manifest.Version) DiskMetrics {
	m := DiskMetrics{Tables: tables, Free: db.opts.FS.Free(db.dir)}
	live := map[base.FileNum]bool{}
	for _, t := range v.AllTables() {
		live[t.Num] = true
	}
	names, err := db.opts.FS.List(db.dir)
	if err != nil {
		return m
	}
	for _, name := range names {
		kind, num := base.ParseFilename(name)
		into := map[base.FileType]*int64{base.FileTable: &m.Obsolete, base.FileLog: &m.Logs, base.FileManifest: &m.Manifest}[kind]
		if into == nil || kind == base.FileTable && live[num] {
			continue
		}
		if st, err := db.opts.FS.Stat(join(db.dir, name)); err == nil { // it may be gone by now
			*into += st.Size()
		}
	}
	return m
}

// undecided returns the collections that are waiting for the reaper.
func (r *reaper) undecided() []manifest.IDRange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(r.pending[:len(r.pending):len(r.pending)], r.deciding...)
}

// coveredElements returns about how many bytes of tables the element rows, and the
// rows of dropped keyspaces, take that range tombstones cover.
func (rs *readState) coveredElements() (sum int64) {
	older, err := rs.olderDeletes()
	if err != nil {
		return 0 // the next read of the damaged table tells
	}
	lists := []*rangedel.List{rs.mem.RangeDeletes()}
	for _, run := range older {
		lists = append(lists, run...)
	}
	for _, d := range rangedel.Merge(lists...).Newest() {
		if from, ok := deadPart(d.Start, d.End); ok {
			sum += rs.bytesBelow(from, d.End, d.Seq)
		}
	}
	return sum
}

// deadPart returns where, in what a range tombstone covers, begins what counts as
// dead: elements of collections, and all rows of a keyspace that was dropped.
func deadPart(lo, hi []byte) (from []byte, ok bool) {
	prefix, rest, in := keyenc.KeyspaceOf(lo)
	switch {
	case !in: // a bare prefix, as a drop begins with
		return lo, len(lo) > 0 && lo[0] == keyenc.SpaceNamed
	case rest[0] == keyenc.SpaceElements:
		return lo, true
	case len(prefix) > 0 && bytes.Compare(hi, base.Successor(prefix)) >= 0: // the rest of a drop
		return lo, true
	}
	elements := append(bytes.Clone(prefix), keyenc.SpaceElements)
	return elements, bytes.Compare(hi, elements) > 0
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
