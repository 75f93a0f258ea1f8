package repair

import (
	"context"
	"math"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/sstable"
)

// Config is the settings of Salvage.
type Config struct {
	From          storedir.Dir // kept from writers by the caller
	MemtableBytes int64
	TableSize     int64
	Writer        sstable.WriterOptions // of tables of the last level
	NewTable      func(storedir.Dir, base.FileNum) (compaction.NewTable, error)
}

// Salvage makes to, and writes to it the records of c.From that can be read: one run
// of tables, a manifest and CURRENT. Mend then makes keyspaces and collections whole.
// The report lists the files that were read, also after an error; then the caller
// discards to.
//
//  1. source opened and its logs loaded into memory, reading only
//  2. to made; everything merged into one run of tables there
//  3. manifest and CURRENT written
func Salvage(ctx context.Context, c Config, to *storedir.Partial) (Report, error) {
	r := &salvage{Config: c, ctx: ctx, ids: map[uint32]uint64{}}
	defer r.close()
	err := r.read()
	if err == nil {
		err = to.Make()
	}
	if err == nil {
		err = r.write(to.Dir)
	}
	r.report.sort()
	return r.report, err
}

// write merges everything into one run in dir and names it in a manifest.
func (r *salvage) write(dir storedir.Dir) error {
	next := base.FileNum(1)
	env := compaction.Env{Yield: func(int) error { return r.ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
		next++
		return r.NewTable(dir, next-1)
	}}
	job := compaction.Job{
		Inputs: []compaction.Source{{Iter: r.source(), RangeDeletes: r.rangeDeletes(), Records: -1}},
		Now:    r.clock, Level: manifest.LastLevel, Age: 1,
		TableSize: r.TableSize, Writer: r.Writer,
	}
	res, err := compaction.Merge(job, env)
	if err != nil {
		return err
	}
	r.reportTables()
	state, err := r.newState(next)
	if err != nil {
		return err
	}
	state, err = state.Apply(&manifest.Edit{Added: res.Tables, Nominated: res.Nominated})
	if err != nil {
		return err
	}
	state.Clean = true
	log, err := manifest.Create(dir.FS, dir.Path, 1, state)
	if err != nil {
		return err
	}
	return log.Close()
}

// newState is that of the new store before it has tables: above every number that
// the old one is known to have used.
func (r *salvage) newState(next base.FileNum) (*manifest.State, error) {
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	s := manifest.NewState(id)
	s.FileLimit, s.Clock = next, r.clock
	s.LastSeq = r.lastSeq.AfterGap()
	for n, id := range r.ids {
		if id > 0 && id < math.MaxUint64-manifest.IDBlockLast {
			s.IDLimit = max(s.IDLimit, id+manifest.IDBlockLast)
		}
		if n > 0 && n < math.MaxUint32 {
			s.KeyspaceLimit = max(s.KeyspaceLimit, n+1)
		}
	}
	if old := r.state; old != nil {
		s.Parent, s.Nominated = old.DBID, old.Nominated
		s.IDLimit, s.KeyspaceLimit = max(s.IDLimit, old.IDLimit), max(s.KeyspaceLimit, old.KeyspaceLimit)
	}
	return s, nil
}
