package siltstone

import (
	"math"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	mending "github.com/siltstonedb/siltstone/internal/engine/repair"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// run does it all:
//
//  1. source opened and its logs replayed into memory, reading only
//  2. dst.NNNN.partial made; everything merged into one run of tables there
//  3. manifest and CURRENT written
//  4. opened as a store: collections made whole, checked, closed
//  5. renamed to dst, the name synced
func (r *repair) run(dst storedir.Dir) (err error) {
	defer r.close()
	if err := r.read(); err != nil {
		return err
	}
	p, err := storedir.NewPartial(dst)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.Discard()
		}
	}()
	if err := p.Make(); err != nil {
		return err
	}
	if err := r.write(p.Dir); err != nil {
		return err
	}
	if err := r.makeWhole(p.Path); err != nil {
		return err
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return p.Publish()
}

// write merges everything into one run in dir and names it in a manifest.
func (r *repair) write(dir storedir.Dir) error {
	next := base.FileNum(1)
	env := compaction.Env{Yield: func(int) error { return r.ctx.Err() }, NewTable: func() (compaction.NewTable, error) {
		next++
		return createTable(dir, next-1)
	}}
	shell := &DB{opts: r.opts}
	job := compaction.Job{
		Inputs: []compaction.Source{{Iter: r.source(), RangeDeletes: r.rangeDeletes(), Records: -1}},
		Now:    r.clock, Level: manifest.LastLevel, Age: 1,
		TableSize: shell.mergeConfig().SizeAt(manifest.LastLevel), Writer: shell.tableOptions(manifest.LastLevel),
	}
	res, err := compaction.Merge(job, env)
	if err != nil {
		return err
	}
	r.tell()
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
func (r *repair) newState(next base.FileNum) (*manifest.State, error) {
	id, err := storedir.RandomID()
	if err != nil {
		return nil, err
	}
	s := manifest.NewState(id)
	s.FileLimit, s.Clock = next, r.clock
	s.LastSeq = min((r.lastSeq/base.SeqGap+1)*base.SeqGap, base.SeqMax)
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

// makeWhole opens the new store, settles what its keyspaces and collections lost,
// and checks it.
func (r *repair) makeWhole(dir string) error {
	db, err := Open(dir, &r.opts)
	if err != nil {
		return err
	}
	mended, err := mending.Mend(r.ctx, db.pinForCheck, db.commitRows)
	r.report.Keyspaces, r.report.Collections = mended.Keyspaces, mended.Collections
	if err == nil {
		err = db.Check(r.ctx)
	}
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// commitRows commits rows as they are, for Repair.
func (db *DB) commitRows(ops []record.Op) error {
	c := newChange()
	defer c.free()
	for _, o := range ops {
		c.payload = record.AppendOp(c.payload, o)
	}
	if err := c.index(); err != nil {
		return err
	}
	return db.commit(c, Buffered)
}
