package siltstone

import (
	"context"
	"fmt"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/background"
	"github.com/siltstonedb/siltstone/internal/engine/commit"
	"github.com/siltstonedb/siltstone/internal/engine/repair"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/manifest"
)

// Repair reads the damaged store in src, as far as it can be read, and makes a new
// store of it in dst. The report lists what Repair kept and what it could not read. Look
// at its Complete before dst takes the place of src: Repair may lose data and return no
// error, and then Complete returns false.
//
// Repair never changes src, which must not be open for writing (ErrLocked). dst
// must not exist (fs.ErrExist). Options are those of Open; ReadOnly and MustExist
// are ignored. When Repair returns without an error dst holds a store that passes
// Check. That store is durable, and got its name in one step, like a checkpoint.
//
//   - The manifest, if it can be read, says which tables and logs count. Without it
//     all of them count, even tables that a merge had replaced and that were not
//     removed yet.
//   - Repair keeps every data block of a table that verifies. The table's index may
//     be lost, and its footer too if the manifest has the table's id.
//   - Repair keeps every commit of a log that verifies, even behind damage.
//   - Sequences put the records in order. Records to which a merge gave sequence 0
//     are the oldest.
//   - Repair makes collections whole that lost rows: counts, owner rows, deadlines,
//     timers and the two orders of a sorted set follow the elements that are left.
//     The items of a list keep their order. Elements without a collection are left
//     out.
//   - A keyspace that lost its name is named after its number: "recovered-7".
//
// Repair invents nothing. But a lost file may have held tombstones and newer values,
// so keys that they had deleted, and values that they had replaced, may be back:
// RepairReport.MayRevive says whether that can be. Both directories are on
// Options.FS. Repair takes the memory of an open store, of the logs' records, and of
// the largest damaged collection.
func Repair(ctx context.Context, src, dst string, o *Options) (RepairReport, error) {
	if err := lifecycle.Refused(ctx); err != nil {
		return RepairReport{}, err
	}
	opts, err := o.withDefaults()
	if err != nil {
		return RepairReport{}, err
	}
	opts.ReadOnly, opts.MustExist, opts.manualWork = false, false, true
	opts.OnEvent, opts.Logger = nil, nil
	from, err := storedir.At(opts.FS, src)
	if err != nil {
		return RepairReport{}, base.In(err, "repair %q", src)
	}
	to, err := storedir.At(opts.FS, dst)
	if err != nil {
		return RepairReport{}, base.In(err, "repair to %q", dst)
	}
	if err := to.MustBeAbsent(); err != nil {
		return RepairReport{}, err
	}
	lock, err := from.LockOut()
	if err != nil {
		return RepairReport{}, err
	}
	partial, err := storedir.NewPartial(to)
	var report RepairReport
	if err == nil {
		if err = repairInto(ctx, from, partial, &opts, &report); err != nil {
			partial.Discard()
		}
	}
	_ = storedir.Unlock(lock) // the file holds nothing that an error could lose
	return report, storedir.NoSpace(err)
}

// repairInto is Repair once the name of the partial directory is known:
//
//  1. readable records of the damaged store written to tables in the partial
//     directory, with a manifest
//  2. opened as a store: keyspaces and collections made whole, checked, closed
//  3. the partial directory renamed to dst, the name synced
func repairInto(ctx context.Context, from storedir.Dir, partial *storedir.Partial, o *Options, report *RepairReport) error {
	found, err := repair.Salvage(ctx, repair.Config{
		From: from, MemtableBytes: o.MemtableBytes, NewTable: background.CreateTable,
		TableSize: o.tables().Merging().SizeAt(manifest.LastLevel), Writer: o.tables().Writer(manifest.LastLevel),
	}, partial)
	report.add(found)
	if err != nil {
		return err
	}
	if err := mend(ctx, partial.Path, o, report); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return partial.Publish()
}

// mend opens the salvaged store, makes its keyspaces and collections whole, and
// checks it.
func mend(ctx context.Context, dir string, o *Options, report *RepairReport) error {
	db, err := Open(dir, o)
	if err != nil {
		return err
	}
	mended, err := repair.Mend(ctx, db.pinForCheck, db.commitRows)
	report.Keyspaces, report.Collections = mended.Keyspaces, mended.Collections
	if err == nil {
		err = db.Check(ctx)
	}
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// commitRows commits rows as they are.
func (db *DB) commitRows(ops []record.Op) error {
	c := commit.NewChange()
	defer c.Free()
	for _, o := range ops {
		c.AddOp(o)
	}
	return db.commit(c, BufferedDurability)
}

// RepairReport lists what Repair found of a damaged store. If Repair failed it holds
// what was found until then.
type RepairReport struct {
	// Manifest is why the manifest was not used; nil: it was used.
	Manifest error
	// Current is why CURRENT did not lead to the manifest; nil: it did.
	Current error
	// Files are the tables and logs that were read, or should have been, by name.
	Files []RepairedFile
	// Collections are the faults of collections whose rows did not agree.
	Collections []error
	// Keyspaces are the faults of the names of keyspaces, and how each was mended.
	Keyspaces []error
}

// RepairedFile is the finding on one table or log.
type RepairedFile struct {
	Name    string
	Kept    int64      // records that were read; of a log, operations
	Lost    []LostPart // nil: nothing
	LeftOut error      // why the file was not read at all; nil: it was read
}

// LostPart is a part of a file that could not be read.
type LostPart struct {
	Offset, Bytes int64 // Bytes is 0 where it is not known
	Err           error
}

// Complete reports whether everything could be read: the new store then shows all
// that the old one did.
func (r RepairReport) Complete() bool {
	return !r.MayRevive() && len(r.Collections)+len(r.Keyspaces) == 0
}

// MayRevive reports whether values that had been deleted or replaced may be back,
// because a tombstone or a newer value may have been lost.
func (r RepairReport) MayRevive() bool {
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

// add takes over the findings on the files.
func (r *RepairReport) add(found repair.Report) {
	r.Manifest, r.Current = found.Manifest, found.Current
	for _, f := range found.Files {
		file := RepairedFile{Name: f.Name, Kept: f.Kept, LeftOut: f.LeftOut}
		for _, p := range f.Lost {
			file.Lost = append(file.Lost, LostPart(p))
		}
		r.Files = append(r.Files, file)
	}
}
