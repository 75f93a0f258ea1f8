package siltstone

import (
	"time"
	"unsafe"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/metrics"
)

// Metrics returns the store's figures. It lists the store's directory and reads
// table indexes, and costs about a millisecond for a thousand tables. After
// Close it returns zeros.
func (db *DB) Metrics() metrics.Metrics {
	if db.unopened() {
		return metrics.Metrics{}
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return metrics.Metrics{}
	}
	defer db.states.Unpin(rs, n)
	m := metrics.Metrics{Dir: db.storeDir().Path, Uptime: time.Since(db.report.opened)}
	db.report.tally.into(&m)
	m.Troubles.Frozen = db.work.Frozen()
	m.Compactions.Running = db.work.Running()
	db.latencies(&m)
	db.delays(&m.Stalls)
	measure(rs, &m)
	m.Commits.Conflicts = db.txns.Conflicts.Load()
	if log := db.section.Log(); log != nil {
		s := log.Stats()
		m.Commits.Count, m.Commits.Operations, m.Commits.Groups, m.Commits.Bytes = s.Commits, s.Operations, s.Groups, s.Bytes
		m.Log = metrics.Log{Unsynced: s.Unsynced, Oldest: s.Oldest, Syncs: metrics.Latency(s.Syncs)}
	}
	c := db.states.Tables.Cache().Metrics()
	m.Cache = metrics.Cache{Blocks: c.Blocks, Bytes: c.Bytes, Hits: c.Hits, Misses: c.Misses, Evictions: c.Evictions}
	m.Memory = db.memory(rs)
	m.Memory.Iterators = db.handles.open[holdIterator].Load() * int64(unsafe.Sizeof(Iterator{})+unsafe.Sizeof(rows.Iter{}))
	m.Memory.Transactions += db.handles.open[holdTransaction].Load() * int64(unsafe.Sizeof(Tx{}))
	m.Memory.Garbage = db.work.Garbage(m.Memory.Total())
	m.Disk = db.diskMetrics(m.Tables.Bytes, rs.Version)
	m.Disk.Kept = db.section.Files().Kept().Held()
	m.Open = db.handles.metrics(time.Now())
	if _, age, ok := db.states.Oldest(); ok && db.handles.any() {
		m.Open.Oldest = max(m.Open.Oldest, age)
	}
	m.Waits = metrics.Waits{Callers: db.section.Waiters.Waiting(), Woken: db.section.Waiters.Wakes()}
	m.Open.OldestSnapshot = db.states.Points.OldestSnapshot()
	var suspected []readstate.Dead
	for _, r := range db.set.Nominations.Undecided() {
		m.Dead.Collections += int64(r.Last - r.First + 1)
		lo, hi := keyenc.CollectionRange(keyspace.Prefix(r.Keyspace), r.First, r.Last)
		suspected = append(suspected, readstate.Dead{Lo: lo, Hi: hi, Seq: base.SeqMax})
	}
	m.Dead.Bytes = rs.DeadBytes(suspected)
	return m
}

// Layout returns where the tables lie in the key space. It reads no file and costs about a
// microsecond for each table. After Close it returns no runs.
func (db *DB) Layout() metrics.Layout {
	if db.unopened() {
		return metrics.Layout{}
	}
	v := db.states.Version()
	places := readstate.Places(v)
	l := metrics.Layout{Runs: make([]metrics.LayoutRun, len(v.Runs))}
	for i, r := range v.Runs {
		run := metrics.LayoutRun{Age: r.Age, Level: int(r.Level), Tables: make([]metrics.LayoutTable, len(r.Tables))}
		for j, t := range r.Tables {
			run.Tables[j] = metrics.LayoutTable{
				From: places[i][j].From, To: places[i][j].To, Bytes: int64(t.Size),
				Records: int64(t.Puts + t.Deletes + t.RangeDeletes), Deletes: int64(t.Deletes + t.RangeDeletes),
			}
		}
		l.Runs[i] = run
	}
	return l
}

// latencies fills in those that are sampled.
func (db *DB) latencies(m *metrics.Metrics) {
	m.Gets, m.Seeks = metrics.Latency(db.report.gets.Counts()), metrics.Latency(db.report.seeks.Counts())
	m.Commits.Latency = metrics.Latency(db.section.Commits.Counts())
}

// delays fills in how long writers have waited, but for stalls, and wait now.
func (db *DB) delays(m *metrics.Stalls) {
	w := &db.section.Waits
	m.SlowedByFlushes, m.SlowedByMerges = w.Flushes.Duration(), w.Merges.Duration()
	m.Space, m.Turns = w.Space.Duration(), w.Turns.Duration()
	delay, flushes := db.section.DelayPerMiB()
	switch m.Delay = delay; {
	case delay > 0 && flushes:
		m.Behind = "flushes"
	case delay > 0:
		m.Behind = "merges"
	}
}

// measure fills in the figures of the state.
func measure(rs *readstate.State, m *metrics.Metrics) {
	m.Memtables = metrics.Memtables{Waiting: len(rs.Imms), Records: int64(rs.Mem.Len()), Bytes: rs.Mem.Bytes()}
	for _, mem := range rs.Imms {
		m.Memtables.Records += int64(mem.Len())
		m.Memtables.Bytes += mem.Bytes()
	}
	for i, r := range rs.Version.Runs {
		run := metrics.Run{Age: r.Age, Level: int(r.Level), Tables: len(r.Tables), Bytes: int64(r.Size())}
		m.Runs = append(m.Runs, run)
		if run.Level < manifest.LastLevel {
			m.Compactions.Waiting += run.Bytes
		}
		m.Tables.Count += run.Tables
		m.Tables.Bytes += run.Bytes
		for _, t := range rs.Runs[i].Tables {
			m.Tables.Records += int64(t.Records())
			if t.Opened() != nil {
				m.Tables.Open++
			}
		}
	}
}

// diskMetrics measures the store's files; those of live tables are known. A reader beside
// the writer has the tables that it reads in a directory of its own, and what else there
// is in the writer's.
func (db *DB) diskMetrics(tables int64, v *manifest.Version) metrics.Disk {
	m := metrics.Disk{Tables: tables, Free: db.dir.Free()}
	live := map[base.FileNum]bool{}
	for _, t := range v.AllTables() {
		live[t.Num] = true
	}
	obsolete := func(num base.FileNum) bool { return !live[num] }
	if r := db.reader(); r != nil {
		addFiles(r.Store(), &m, func(base.FileNum) bool { return false })
	}
	addFiles(db.dir, &m, obsolete)
	return m
}

// addFiles adds the sizes of the files in d to m: those of tables if they are obsolete.
func addFiles(d storedir.Dir, m *metrics.Disk, obsolete func(base.FileNum) bool) {
	names, err := d.FS.List(d.Path)
	if err != nil {
		return
	}
	for _, name := range names {
		kind, num := base.ParseFilename(name)
		into := map[base.FileType]*int64{base.FileTable: &m.Obsolete, base.FileLog: &m.Logs, base.FileManifest: &m.Manifest, base.FileBallast: &m.Ballast}[kind]
		if into == nil || kind == base.FileTable && !obsolete(num) {
			continue
		}
		if st, err := d.FS.Stat(d.Join(name)); err == nil { // it may be gone by now
			*into += st.Size()
		}
	}
}
