package siltstone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
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
		return RepairReport{}, base.In(err, "repair to %q", dst)
	}
	lock, err := from.LockOut()
	if err != nil {
		return RepairReport{}, base.In(err, "repair %q", src)
	}
	partial, err := storedir.NewPartial(to)
	var report RepairReport
	if err == nil {
		if err = repairInto(ctx, from, partial, &opts, &report); err != nil {
			partial.Discard()
		}
	}
	_ = storedir.Unlock(lock) // the file holds nothing that an error could lose
	return report, base.In(storedir.NoSpace(err), "repair %q", src)
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

// ResetClock sets the clock of the store in dir back to the time of Options.Clock,
// and returns what it showed before and what it shows now. A store's clock never
// goes back by itself: after one wrong reading, of the year 2099 for instance, it
// stays there, and a deadline of tomorrow has passed before it is set. The two are
// equal, and nothing is changed, if the clock is not ahead.
//
// It works offline: a store that is open is ErrLocked. What a log holds is recovered
// first, as by Open. No record is changed. So what was given a time to live while
// the clock was wrong keeps the deadline that was reckoned then, and has to be given
// another; and what had expired by the wrong clock, and was not removed yet, is
// there again until its time.
//
// Logs that are kept for readers of changes stay if o says so, as with any Open.
//
// The new time is part of a new manifest: a power cut leaves the one or the other.
func ResetClock(dir string, o *Options) (was, now time.Time, err error) {
	opts, err := o.withDefaults()
	if err != nil {
		return was, now, err
	}
	opts.ReadOnly, opts.MustExist, opts.manualWork = false, true, true
	at, err := storedir.At(opts.FS, dir)
	if err != nil {
		return was, now, err
	}
	db, err := Open(at.Path, &opts)
	if err != nil {
		return was, now, err
	}
	if err := db.Close(); err != nil { // the clock is in the manifest, and in no log
		return was, now, err
	}
	lock, err := at.Lock(storedir.Use{MustExist: true})
	if err != nil {
		return was, now, err
	}
	from, to, err := resetClock(at, clock.New(opts.Clock).Now())
	if err = errors.Join(storedir.NoSpace(err), storedir.Unlock(lock)); err != nil {
		return was, now, err
	}
	return time.UnixMilli(from), time.UnixMilli(to), nil
}

// resetClock publishes a manifest whose clock shows no more than the given time. It
// returns what the clock showed and what it shows.
func resetClock(at storedir.Dir, time int64) (from, to int64, err error) {
	s, info, err := manifest.Load(at.FS, at.Path)
	if err != nil {
		return 0, 0, err
	}
	files, err := at.List()
	switch {
	case err != nil:
		return 0, 0, err
	case !s.Clean || info.Torn != 0 || slices.ContainsFunc(files.Logs, func(n base.FileNum) bool { return n >= s.MinLog }):
		return 0, 0, fmt.Errorf("siltstone: %s was opened meanwhile, and not closed", at.Path)
	case s.Clock <= time:
		return s.Clock, s.Clock, nil
	}
	next := *s
	next.Clock = time
	log, err := manifest.Create(at.FS, at.Path, files.Manifests[len(files.Manifests)-1]+1, &next)
	if err != nil {
		return 0, 0, err
	}
	// The next Open removes it if this fails.
	_ = at.FS.Remove(at.Name(base.FileManifest, info.Number))
	return s.Clock, time, log.Close()
}
