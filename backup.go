package siltstone

import (
	"context"
	"io"

	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/backup"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/internal/storedir"
)

// BackupOptions are the settings of one DB.Backup. The zero value, and nil, are a backup
// that is whole by itself, at full speed.
type BackupOptions struct {
	// Since is the mark of an earlier backup of this store, from the Summary that Backup,
	// VerifyBackup or Restore returned of it. Tables that it names are left out, and
	// Restore wants that backup first. Merges make new tables of old ones: after many of
	// them little is left that the earlier backup has. A mark of another store is
	// ErrBadOption. One with a backup and no store names tables that the receiver has from
	// anywhere, and that it adds to the stream itself.
	Since archive.Mark
	// BytesPerSecond bounds how fast the stream is written. Zero: no bound.
	BytesPerSecond int64
}

// Backup writes a stream to w from which Restore makes a store with the state after one
// commit made at or after the call, and with every commit that had returned before it.
// The summary has the mark that a later backup is made since. Writers, flushes and merges
// go on meanwhile. Tables that merges replace keep their disk space until Backup returns.
//
// It takes the memory of a flush, and less than 1 MiB beside it. The bytes of each table
// are verified as they are read: a damaged one is ErrCorruption, which names its file.
// After an error what was written has no end, so that Restore and VerifyBackup refuse it.
//
// w is written to by the calling goroutine, in pieces of at most 256 KiB. The end of ctx,
// and Close, end the call once a Write of w that is under way has returned. What w returns
// as an error is returned. It works on a store opened read-only, and beside its writer:
// what the logs hold is then written to tables in the stream, which no later backup finds
// again. A poisoned store is refused with ErrPoisoned, as by Checkpoint.
//
// docs/format/backup.md has the stream byte by byte.
func (db *DB) Backup(ctx context.Context, w io.Writer, o *BackupOptions) (archive.Summary, error) {
	ctx, end, err := db.longCall(ctx)
	if err != nil {
		return archive.Summary{}, err
	}
	defer end()
	if w == nil {
		return archive.Summary{}, base.Errorf(errMisuse, "backup: the writer is nil")
	}
	if o == nil {
		o = &BackupOptions{}
	}
	if o.BytesPerSecond < 0 {
		return archive.Summary{}, base.Errorf(ErrBadOption, "backup: %d bytes per second", o.BytesPerSecond)
	}
	sum, err := backup.Run(ctx, w, backup.Config{Source: db.copied(), Since: o.Since, BytesPerSecond: o.BytesPerSecond})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return archive.Summary{}, cause
		}
		return archive.Summary{}, base.In(err, "backup")
	}
	return sum, nil
}

// Restore makes dir a store of backups: one that is whole by itself, then those that add
// to it, each since the one before it. The store has the state of the last one. dir must
// not exist, else the error is fs.ErrExist and nothing is touched. Directories above it
// are made. When Restore returns without an error the store is durable.
//
// Everything is verified as it is read: a stream that is damaged or cut is ErrCorruption,
// one that is cut io.ErrUnexpectedEOF too. The store is built in dir.NNNN.partial beside
// dir, NNNN random, and gets its name as the last step. A power cut therefore leaves a
// whole store in dir or nothing there, and at most a directory that ends in ".partial",
// which may be removed. After an error its files are removed.
//
// Of the options, which may be nil, only FS counts. The store has an id of its own and
// notes that of its parent. Its clock, collection ids and keyspace numbers go on from the
// parent's: what has expired stays expired. Each stream is read once, in order, and must
// end where its backup ends. Restore takes less than 4 MiB, beside 24 bytes for each table
// and the manifest; disk space for the tables of two successive backups.
func Restore(ctx context.Context, dir string, o *Options, streams ...io.Reader) (archive.Summary, error) {
	return restore(ctx, dir, o, streams, nil)
}

// RestoreKeyspace is Restore for one named keyspace: the store has it, under its name, and
// nothing else. It is ErrNotFound if the backup has no keyspace of that name. All of the
// backup is read and restored, then the rest is dropped and merged away before dir gets
// its name: it takes the time and the space of Restore, and of merging the keyspace. Of
// the options those for the memory of an open store count, too.
func RestoreKeyspace(ctx context.Context, dir, name string, o *Options, streams ...io.Reader) (archive.Summary, error) {
	return restore(ctx, dir, o, streams, func(path string, o *Options) error {
		return keepOnly(path, o, []string{name}, func(db *DB) error { return db.Compact(ctx, Range{}) })
	})
}

func restore(ctx context.Context, dir string, o *Options, streams []io.Reader, finish func(path string, o *Options) error) (archive.Summary, error) {
	if err := readable(ctx, streams); err != nil {
		return archive.Summary{}, err
	}
	opts, err := o.withDefaults()
	if err != nil {
		return archive.Summary{}, err
	}
	to, err := storedir.At(opts.FS, dir)
	if err != nil {
		return archive.Summary{}, base.In(err, "restore to %q", dir)
	}
	var hook func(path string) error
	if finish != nil {
		hook = func(path string) error { return finish(path, &opts) }
	}
	sum, err := backup.Restore(ctx, to, streams, hook)
	if err != nil {
		return archive.Summary{}, base.In(storedir.NoSpace(err), "restore to %q", dir)
	}
	return sum, nil
}

// readable returns why a call cannot begin to read streams, or nil.
func readable(ctx context.Context, streams []io.Reader) error {
	if err := lifecycle.Refused(ctx); err != nil {
		return err
	}
	if len(streams) == 0 {
		return base.Errorf(errMisuse, "no backup is given to be read")
	}
	for i, r := range streams {
		if r == nil {
			return base.Errorf(errMisuse, "backup %d that is to be read is nil", i+1)
		}
	}
	return nil
}

// VerifyBackup reads backups as Restore does, verifies all that Restore would, and says
// what they hold; it writes nothing. The first may be one that adds to a backup that is
// not given: then Since of the summary names that, and the tables that it has are not
// looked for. Of several the mark is the last one's, and tables and bytes are those of
// all.
func VerifyBackup(ctx context.Context, streams ...io.Reader) (archive.Summary, error) {
	if err := readable(ctx, streams); err != nil {
		return archive.Summary{}, err
	}
	sum, err := backup.Verify(ctx, streams)
	return sum, base.In(err, "verify")
}
