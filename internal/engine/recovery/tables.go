package recovery

import (
	"errors"

	"github.com/siltstonedb/siltstone/compaction"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// Output is how tables are made.
type Output struct {
	// Job returns the merge that writes a memtable to the run that is the nth newer
	// than all of v.
	Job func(m *readstate.Mem, v *manifest.Version, nth int) compaction.Job
	Env compaction.Env
	// Discard removes the files of a merge: those it abandoned, and its tables.
	Discard func(*compaction.Result)
}

// Tables writes the records of all logs to tables, memtable by memtable, and makes
// them durable. It returns the edit that adds them, which the caller is to apply.
// After an error the tables stay behind, and no manifest names them. But on a full disk
// they are removed: Tables may be called again when there is room.
func (r *Replay) Tables(o Output) (*manifest.Edit, error) {
	edit := &manifest.Edit{}
	nth := 0
	r.records = 0
	err := r.load(func(m *readstate.Mem) error {
		err := o.Write(m, r.State.Version, nth, edit)
		nth++
		return err
	})
	if err == nil && len(edit.Added) > 0 {
		err = r.Dir.Sync()
	}
	if err = storedir.NoSpace(err); errors.Is(err, base.ErrNoSpace) {
		o.Discard(&compaction.Result{Tables: edit.Added})
	}
	return edit, err
}

// Write writes a memtable to the nth run newer than all of v, and adds its tables to
// the edit, which has those of the memtables before it.
func (o *Output) Write(m *readstate.Mem, v *manifest.Version, nth int, edit *manifest.Edit) error {
	job := o.Job(m, v, nth)
	job.Older.AddTables(edit.Added)
	res, err := compaction.Merge(job, o.Env)
	if err != nil {
		o.Discard(res)
		return err
	}
	edit.Added = append(edit.Added, res.Tables...)
	edit.Nominated = append(edit.Nominated, res.Nominated...)
	return nil
}
