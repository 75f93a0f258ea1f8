package siltstone

import (
	"context"
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
)

// Repair makes a new store in dst out of what can still be read of the damaged
// one in src, and says what it kept and what it could not. It works offline: src
// is never changed, must not be open for writing (ErrLocked), and dst must not
// exist (fs.ErrExist). Options are those of Open; ReadOnly and MustExist are
// ignored. When it returns without an error dst holds a store that passes Check,
// made durable and named in one step as a checkpoint is.
//
//   - The manifest, if it can be read, says which tables and logs count. Without
//     it all of them do: also those that a merge had replaced and that were not
//     removed yet.
//   - Of tables every data block that verifies is kept, also without index or
//     footer, as long as the footer or the manifest tells the table's id.
//   - Of logs every commit that verifies is kept, also behind damage.
//   - Records are put in order by their sequences; those that a merge has put on
//     sequence 0 are the oldest.
//   - Collections that lost rows are made whole: counts, owner rows, deadlines,
//     timers and the two orders of a sorted set follow the elements that are left,
//     the items of a list keep their order, elements without a collection go.
//   - A keyspace whose name was lost is named after its number: "recovered-7".
//
// Nothing is invented. But where a file is lost, so are the tombstones and the
// newer values in it: what they had deleted or replaced may be back, and the
// report says when that can be. Options.FS is read twice; memory is that of an
// open store, the logs' records, and the largest damaged collection.
func Repair(ctx context.Context, src, dst string, o *Options) (RepairReport, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return RepairReport{}, err
	}
	opts.ReadOnly, opts.MustExist, opts.manualWork = false, false, true
	opts.OnEvent, opts.Logger = nil, nil
	from, to := storedir.Dir{FS: opts.FS, Path: src}, storedir.Dir{FS: opts.FS, Path: dst}
	if err := to.MustBeAbsent(); err != nil {
		return RepairReport{}, err
	}
	lock, err := from.LockOut()
	if err != nil {
		return RepairReport{}, err
	}
	r := &repair{ctx: ctx, opts: opts, src: from, ids: map[uint32]uint64{}}
	err = r.run(to)
	r.report.sort()
	_ = storedir.Unlock(lock) // which held nothing but the lock
	return r.report, storedir.NoSpace(err)
}

// RepairReport says what Repair found of a damaged store. It is filled in as far
// as Repair came, also if that failed.
type RepairReport struct {
	// Manifest says why the manifest could not be used; nil: it could.
	Manifest error
	// Current says why CURRENT did not lead to it; nil: it did.
	Current error
	// Files are the tables and logs that were read, or should have been, by name.
	Files []RepairedFile
	// Collections are those whose rows did not agree, and how.
	Collections []error
	// Keyspaces are faults of the names of keyspaces, and what became of them.
	Keyspaces []error
}

// RepairedFile is what was found of one table or log.
type RepairedFile struct {
	Name    string
	Kept    int64      // records or, of a log, operations that were read
	Lost    []LostPart // nil: nothing
	LeftOut error      // why none of it was read; nil: it was
}

// LostPart is a part of a file that could not be read.
type LostPart struct {
	Offset, Bytes int64 // Bytes is 0 where it is not known
	Err           error
}

// Complete reports whether everything could be read: the new store shows what
// the old one did.
func (r *RepairReport) Complete() bool {
	return !r.MayRevive() && len(r.Collections)+len(r.Keyspaces) == 0
}

// MayRevive reports whether values that had been deleted or replaced may be back,
// because a tombstone or a newer value may be among what was lost.
func (r *RepairReport) MayRevive() bool {
	if r.Manifest != nil {
		return true
	}
	for _, f := range r.Files {
		if len(f.Lost) > 0 || f.LeftOut != nil {
			return true
		}
	}
	return false
}

// String returns the report as text, a line for each fact.
func (r RepairReport) String() string {
	var b strings.Builder
	if r.Manifest != nil {
		fmt.Fprintf(&b, "manifest: not used: %v\n", r.Manifest)
	}
	if r.Current != nil {
		fmt.Fprintf(&b, "the newest manifest was used: %v\n", r.Current)
	}
	for _, f := range r.Files {
		if f.LeftOut != nil {
			fmt.Fprintf(&b, "%s: lost: %v\n", f.Name, f.LeftOut)
			continue
		}
		fmt.Fprintf(&b, "%s: kept %d records", f.Name, f.Kept)
		if len(f.Lost) == 0 {
			b.WriteString(", lost nothing")
		}
		b.WriteByte('\n')
		for _, l := range f.Lost {
			fmt.Fprintf(&b, "%s: lost %s\n", f.Name, l)
		}
	}
	for _, err := range r.Keyspaces {
		fmt.Fprintf(&b, "keyspaces: %v\n", err)
	}
	for _, err := range r.Collections {
		fmt.Fprintf(&b, "made whole: %v\n", err)
	}
	if r.MayRevive() {
		b.WriteString("values that had been deleted or replaced may be back\n")
	}
	return b.String()
}

// String returns where the part stood and why it was lost.
func (l LostPart) String() string {
	if l.Bytes == 0 {
		return fmt.Sprintf("what stood at offset %d: %v", l.Offset, l.Err)
	}
	return fmt.Sprintf("%d bytes at offset %d: %v", l.Bytes, l.Offset, l.Err)
}

func (r *RepairReport) file(t base.FileType, n base.FileNum) *RepairedFile {
	r.Files = append(r.Files, RepairedFile{Name: base.Filename(t, n)})
	return &r.Files[len(r.Files)-1]
}
