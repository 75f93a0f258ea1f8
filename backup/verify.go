package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/archive"
)

// Verified is what Verify has read.
type Verified struct {
	Backups int // that are whole
	Tables  int // of all backups, each once
	// Segments of changes, and their commits. Some may be there twice.
	Segments, Commits int
	Bytes             int64 // of these and of the tables
}

// Verify reads every backup, every object of every table that one of them has, once, and
// every segment of changes, and returns all faults joined: backups that cannot be read or
// lack tables, tables and segments that are damaged. What is left of uploads is not read. After a fault in a table a run does not
// upload it again as long as its object is there: delete that first.
func (r *Repository) Verify(ctx context.Context) (Verified, error) {
	s, err := r.survey(ctx)
	if err != nil {
		return Verified{}, err
	}
	var v Verified
	var faults []error
	for _, f := range s.broken {
		faults = append(faults, f.err)
	}
	seen := map[archive.Table]bool{}
	for _, b := range s.whole {
		v.Backups++
		for _, t := range b.mark.Tables {
			if seen[t] {
				continue
			}
			seen[t] = true
			v.Tables++
			for _, name := range s.tables[t] {
				err := r.verify(ctx, name, t)
				if ctx.Err() != nil {
					return v, ctx.Err()
				}
				if err != nil {
					faults = append(faults, fmt.Errorf("backup: %s: %w", b.Name, err))
				}
				v.Bytes += int64(t.Size)
			}
		}
	}
	segments, _, err := r.segments(ctx, changesPrefix)
	if err != nil {
		return v, err
	}
	for _, s := range segments {
		commits, err := r.readSegment(ctx, s)
		if ctx.Err() != nil {
			return v, ctx.Err()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			continue
		case err != nil:
			faults = append(faults, err)
		}
		v.Segments++
		v.Commits += len(commits)
		v.Bytes += s.size
	}
	return v, errors.Join(faults...)
}

// verify reads the object of a table.
func (r *Repository) verify(ctx context.Context, name string, want archive.Table) error {
	d := digester{Digest: xxhash.New()}
	if err := r.store.copy(ctx, &d, name); err != nil {
		return err
	}
	if got := (archive.Table{ID: want.ID, Size: d.size, Digest: d.Sum64()}); got != want {
		return damagedTable(name, got)
	}
	return nil
}

// digester counts what it digests.
type digester struct {
	*xxhash.Digest
	size uint64
}

func (d *digester) Write(p []byte) (int, error) {
	d.size += uint64(len(p))
	return d.Digest.Write(p)
}
