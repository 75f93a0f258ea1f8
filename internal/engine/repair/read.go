package repair

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/engine/recovery"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/rangedel"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

// salvage is one Salvage. It belongs to one goroutine.
type salvage struct {
	Config
	ctx    context.Context
	state  *manifest.State // of the source; nil: not known
	report Report
	files  []vfs.File // open while they are read
	tables []table    // newest first
	mems   []*readstate.Mem

	clock   int64
	lastSeq base.SeqNum
	ids     map[uint32]uint64 // of each keyspace met, the largest collection id met
}

// table is a table of the source that can be read, wholly or in part.
type table struct {
	*sstable.Salvage
	num base.FileNum
}

// read opens everything of the source that can be read.
func (r *salvage) read() error {
	files, err := r.From.List()
	if err != nil {
		return err
	}
	if len(files.Tables)+len(files.Logs)+len(files.Manifests) == 0 {
		return &fs.PathError{Op: "repair", Path: r.From.Path, Err: fs.ErrNotExist}
	}
	r.loadManifest(files)
	if err := r.openTables(files); err != nil {
		return err
	}
	return r.readLogs(files.Logs)
}

func (r *salvage) close() {
	for _, f := range r.files {
		_ = f.Close()
	}
}

// loadManifest reads the manifest that CURRENT names or, if it names none, the
// newest that verifies.
func (r *salvage) loadManifest(files storedir.Listing) {
	state, _, err := manifest.Load(r.From.FS, r.From.Path)
	if n := len(files.Manifests); err != nil && n > 0 {
		// An older one than the newest would name tables that are gone.
		if state = r.readManifest(files.Manifests[n-1]); state != nil {
			r.report.Current, err = err, nil
		}
	}
	r.report.Manifest = err
	if r.state = state; state != nil {
		r.clock, r.lastSeq = state.Clock, state.LastSeq
	}
}

func (r *salvage) readManifest(n base.FileNum) *manifest.State {
	f, size, err := r.openFile(base.FileManifest, n)
	if err != nil {
		return nil
	}
	s, _, err := manifest.Read(f, size, n)
	if err != nil {
		return nil
	}
	return s
}

func (r *salvage) openFile(t base.FileType, n base.FileNum) (vfs.File, int64, error) {
	f, err := r.From.FS.Open(r.From.Name(t, n))
	if err != nil {
		return nil, 0, err
	}
	r.files = append(r.files, f)
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// openTables opens the tables that count.
func (r *salvage) openTables(files storedir.Listing) error {
	listed := map[base.FileNum]*manifest.Table{}
	if r.state != nil {
		for _, t := range r.state.Version.AllTables() {
			listed[t.Num] = t
			if !slices.Contains(files.Tables, t.Num) {
				r.report.file(base.FileTable, t.Num).LeftOut = base.Corruptf(base.Filename(base.FileTable, t.Num), -1, "table is missing")
			}
		}
	}
	// Of two records on sequence 0 that of the newer file counts.
	for _, n := range slices.Backward(files.Tables) {
		m := listed[n]
		if m == nil && r.state != nil {
			continue // the rest of a merge
		}
		entry := r.report.file(base.FileTable, n)
		f, size, err := r.openFile(base.FileTable, n)
		if err != nil {
			return err
		}
		o := sstable.ReaderOptions{Name: entry.Name}
		if m != nil {
			o.ID = m.ID
		}
		s, err := sstable.OpenSalvage(f, size, o)
		switch {
		case errors.Is(err, base.ErrCorruption):
			entry.LeftOut = err
			continue
		case err != nil:
			return err
		}
		r.tables = append(r.tables, table{s, n})
	}
	return nil
}

// reportTables adds the findings on the tables to the report, once they were read to
// their ends.
func (r *salvage) reportTables() {
	for _, t := range r.tables {
		name := base.Filename(base.FileTable, t.num)
		i := slices.IndexFunc(r.report.Files, func(f File) bool { return f.Name == name })
		f := &r.report.Files[i]
		f.Kept = t.Records()
		for _, g := range t.Gaps() {
			f.Lost = append(f.Lost, Part(g))
		}
	}
}

// readLogs replays into memory the commits that verify, of the logs that count.
func (r *salvage) readLogs(numbers []base.FileNum) error {
	to := &recovery.Loader{MemtableBytes: r.MemtableBytes, Full: func(m *readstate.Mem) error {
		r.mems = append(r.mems, m)
		return nil
	}}
	for _, n := range numbers {
		if r.state != nil && n < r.state.MinLog {
			continue
		}
		f, size, err := r.openFile(base.FileLog, n)
		if err != nil {
			return err
		}
		name := base.Filename(base.FileLog, n)
		l, err := wal.OpenSalvage(f, size, name)
		switch {
		case errors.Is(err, wal.ErrNoHeader):
			continue // it was never in use
		case err != nil:
			return err
		}
		if err := r.readLog(to, l, r.report.file(base.FileLog, n)); err != nil {
			return err
		}
	}
	return to.Finish()
}

func (r *salvage) readLog(to *recovery.Loader, l *wal.Reader, entry *File) error {
	r.clock = max(r.clock, l.Header().Clock)
	r.lastSeq = max(r.lastSeq, l.Header().LastSeq)
	if l.Header().LogID == 0 {
		entry.Lost = append(entry.Lost, Part{Bytes: wal.HeaderSize, Err: base.Corruptf(entry.Name, 0, "log header does not verify")})
	}
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		at := l.End()
		frame, payload, err := l.Next()
		if err == nil {
			if err = to.Frame(frame, payload, false); err == nil {
				entry.Kept += int64(frame.Count)
				r.clock, r.lastSeq = max(r.clock, frame.Clock), max(r.lastSeq, frame.Last())
				continue
			}
			entry.Lost = append(entry.Lost, Part{Offset: at, Bytes: l.End() - at, Err: err})
			continue
		}
		torn, damaged := errors.Is(err, wal.ErrTorn), errors.Is(err, base.ErrCorruption)
		if !torn && !damaged {
			if err == io.EOF {
				return nil
			}
			return err
		}
		skipped, more := l.Resume()
		if torn && more == io.EOF {
			return nil // a commit that was never acknowledged
		}
		entry.Lost = append(entry.Lost, Part{Offset: at, Bytes: skipped, Err: err})
		if more == io.EOF {
			return nil
		}
		if more != nil {
			return more
		}
	}
}

// source is everything that was read, as one input of a merge: each record once,
// for a log that was retired and a table hold the same ones.
func (r *salvage) source() *onceEach {
	s := &onceEach{salvage: r}
	var its []iterator.Iterator
	for _, m := range slices.Backward(r.mems) {
		its = append(its, m.NewIter(false))
	}
	for _, t := range r.tables {
		its = append(its, t)
	}
	s.Merging.Init(its)
	return s
}

func (r *salvage) rangeDeletes() *rangedel.List {
	var lists []*rangedel.List
	for _, m := range r.mems {
		lists = append(lists, m.RangeDeletes())
	}
	for _, t := range r.tables {
		lists = append(lists, t.RangeDeletes())
		r.lastSeq = max(r.lastSeq, t.RangeDeletes().MaxSeq())
	}
	return rangedel.Merge(lists...)
}

// onceEach is a Merging that passes over records it has just shown, and notes the
// numbers it meets. It only goes forward.
type onceEach struct {
	iterator.Merging
	salvage *salvage
	last    []byte
	seq     base.SeqNum
	any     bool
}

// First implements iterator.Iterator.
func (s *onceEach) First() *iterator.Entry { return s.fresh(s.Merging.First()) }

// Next implements iterator.Iterator.
func (s *onceEach) Next() *iterator.Entry { return s.fresh(s.Merging.Next()) }

// Block implements iterator.Iterator: nothing may be passed unseen.
func (s *onceEach) Block() (iterator.Block, bool) { return iterator.Block{}, false }

func (s *onceEach) fresh(e *iterator.Entry) *iterator.Entry {
	for e != nil && s.any && s.seq == e.Seq && string(s.last) == string(e.Key) {
		e = s.Merging.Next()
	}
	if e != nil {
		s.last, s.seq, s.any = append(s.last[:0], e.Key...), e.Seq, true
		s.salvage.note(e)
	}
	return e
}

// note notes the sequence of a record, and the keyspace and the collection it
// names or belongs to.
func (r *salvage) note(e *iterator.Entry) {
	r.lastSeq = max(r.lastSeq, e.Seq)
	put := e.Attr.Kind() == base.KindPut
	prefix, rest, ok := keyenc.KeyspaceOf(e.Key)
	id, _, _, element := keyenc.ParseCollectionRow(rest)
	switch {
	case ok && !element && put:
		id, _ = record.CollectionID(record.Type(e.Attr.Type()), e.Value)
	case !ok && put && len(e.Key) > 0 && e.Key[0] == keyenc.SpaceSystem: // a timer or a registry row
		prefix = e.Value
		_, id, _ = keyenc.ParseTimerRow(e.Key)
	case !ok && len(e.Key) >= 5 && e.Key[0] == keyenc.SpaceNamed:
		prefix = e.Key[:5]
	}
	n := keyspace.Number(prefix)
	r.ids[n] = max(r.ids[n], id)
}
