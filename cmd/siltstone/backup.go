package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

// backupFlags are those of the command backup.
type backupFlags struct {
	since, mark string
	rate        sizeFlag
}

func (t *tool) backupCommand() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:     "backup DIR [FILE]",
		GroupID: groupCare,
		Short:   "Write a backup of a store to a file or to standard output",
		Long: `Write the state of a store after one commit to FILE or to standard output.
A process may go on writing to the store meanwhile. restore makes a store of
the backup again, verify reads it.

With --since the backup has only the tables that an earlier one does not have.
The flag takes that backup, or its mark, which is small and which --mark writes
to a file. restore then wants both. Merges rewrite tables: after a while, and
after a load, little is left that the earlier one has, so make a whole backup
now and then.

FILE must not exist, and gets its name when the backup is whole.`,
		Example: `  siltstone backup /var/lib/app/store monday.backup
  siltstone backup /var/lib/app/store tuesday.backup --since monday.backup
  siltstone backup /var/lib/app/store --mark m --rate 20MB | ssh host 'cat >b'`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return t.backup(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVar(&f.since, "since", "", "an earlier backup, or its mark: leave out what it has")
	cmd.Flags().StringVar(&f.mark, "mark", "", "write the mark of the backup to this new file")
	cmd.Flags().Var(&f.rate, "rate", "bytes per second at most")
	cmd.Flags().SortFlags = false
	return cmd
}

func (t *tool) backup(ctx context.Context, args []string, f backupFlags) (err error) {
	toFile := len(args) > 1 && args[1] != "-"
	if !toFile && t.out.width > 0 {
		return usagef("a backup is no text: name a FILE, or write it to a pipe")
	}
	if f.mark != "" {
		if err := free(f.mark); err != nil {
			return err // before the backup is made, which is of no use then
		}
	}
	o := siltstone.BackupOptions{BytesPerSecond: f.rate.bytes}
	if f.since != "" {
		if o.Since, err = t.readMark(ctx, f.since); err != nil {
			return err
		}
	}
	begin := time.Now()
	p := t.progress("backup", "B", 0)
	defer p.End()
	var sum archive.Summary
	err = t.toFile(args[1:], func(w io.Writer) (err error) {
		db, err := t.openRead(args[0], vfs.OS)
		if err != nil {
			return err
		}
		defer closing(db, &err)
		p.total.Store(db.Metrics().Tables.Bytes)
		sum, err = db.Backup(ctx, countingWriter{w, p}, &o)
		return err
	})
	if errors.Is(err, siltstone.ErrBadOption) {
		err = advise(err, "take a backup of this store, or leave --since away")
	}
	if err == nil && f.mark != "" {
		err = t.writeMark(f.mark, sum.Mark)
	}
	if err != nil {
		return err
	}
	if !toFile {
		p.note("%s in %s", summaryText(sum), lasting(time.Since(begin)))
		return nil
	}
	return t.summary(args[1], sum, begin)
}

// countingWriter adds what is written to a progress report.
type countingWriter struct {
	w io.Writer
	p *progress
}

func (c countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.p.Add(n)
	return n, err
}

// readMark reads a mark, or a backup, whose mark it returns.
func (t *tool) readMark(ctx context.Context, name string) (m archive.Mark, err error) {
	in, _, err := t.input([]string{name})
	if err != nil {
		return m, err
	}
	defer in.Close() // it was only read
	const magic = "siltMRK\n"
	head := make([]byte, len(magic))
	n, err := io.ReadFull(in, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return m, err
	}
	if string(head[:n]) != magic {
		sum, err := siltstone.VerifyBackup(ctx, io.MultiReader(bytes.NewReader(head[:n]), in))
		return sum.Mark, backupDamaged(err, name)
	}
	const largest = 256 << 20
	rest, err := io.ReadAll(io.LimitReader(in, largest))
	if err == nil {
		err = m.UnmarshalBinary(append(head, rest...))
	}
	return m, backupDamaged(err, name)
}

func (t *tool) writeMark(name string, m archive.Mark) error {
	b, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	return t.toFile([]string{name}, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// backupDamaged says what to do about a backup that cannot be read.
func backupDamaged(err error, name string) error {
	if !errors.Is(err, siltstone.ErrCorruption) {
		return err
	}
	return codeError{exitDamage, advise(named(name, err), "get another copy of it, or take an earlier backup")}
}

// named is err with the name of what it is about, which takes the place of the library's.
func named(name string, err error) error {
	return namedError{err, name + ": " + strings.TrimPrefix(err.Error(), "siltstone: ")}
}

type namedError struct {
	error
	text string
}

func (e namedError) Error() string { return e.text }
func (e namedError) Unwrap() error { return e.error }

// summaryText is what a backup holds, as a line.
func summaryText(s archive.Summary) string {
	text := fmt.Sprintf("%s, %s of %s", size(s.Bytes), count(s.Tables), counted(len(s.Mark.Tables), "table"))
	if s.Tables > len(s.Mark.Tables) { // of several backups, where the last one has replaced some
		text = fmt.Sprintf("%s, %s, %s in the last state", size(s.Bytes), counted(s.Tables, "table"), count(len(s.Mark.Tables)))
	}
	if s.Since != 0 {
		text += fmt.Sprintf(", since backup %016x", s.Since)
	}
	return text
}

// summary prints what a file, or a store that was restored, holds.
func (t *tool) summary(name string, s archive.Summary, begin time.Time) error {
	if !t.json {
		t.out.printf("%s: %s in %s\n", name, summaryText(s), lasting(time.Since(begin)))
		return nil
	}
	j := t.out.object()
	j.Text("name", name)
	j.Text("backup", fmt.Sprintf("%016x", s.Mark.Backup))
	j.Text("store", fmt.Sprintf("%016x", s.Mark.Store))
	if s.Since != 0 {
		j.Text("since", fmt.Sprintf("%016x", s.Since))
	}
	j.Time("time", s.Time)
	j.Int("bytes", s.Bytes)
	j.Int("tables", int64(s.Tables))
	j.Int("state_tables", int64(len(s.Mark.Tables)))
	return t.out.write()
}

func (t *tool) restoreCommand() *cobra.Command {
	at := ""
	cmd := &cobra.Command{
		Use:     "restore DIR FILE... | restore DIR REPOSITORY",
		GroupID: groupCare,
		Short:   "Make a new store of a backup and of those that add to it",
		Long: `Make DIR a store of a whole backup and, in order, of those that were made since
it, each since the one before. The store has the state of the last one. FILE
may be - for standard input, once. DIR must not exist; it gets its name when
all of it is verified and durable.

With --keyspace the store has that keyspace and nothing else. It takes the time
and the space of the whole backup all the same.

REPOSITORY is a directory with backups and changes, from package backup. The
store is that of the last change that was shipped, or with --at as it was at a
position of the change feed, or at a time: with all commits that are not later.`,
		Example: `  siltstone restore /var/lib/app/store monday.backup tuesday.backup
  siltstone restore store.new /backup/app --at 2030-01-31T12:00:00Z
  ssh host 'cat b' | siltstone restore /var/lib/app/store -`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var moment backup.RestoreOptions
			if cmd.Flags().Changed("at") {
				var err error
				if moment, err = parseMoment(at); err != nil {
					return err
				}
			}
			if isRepository(args[1:]) {
				return t.restoreMoment(cmd.Context(), args[0], args[1], moment)
			}
			if at != "" {
				return usagef("--at is for a repository of backups and changes, which is a directory")
			}
			return t.restore(cmd.Context(), args[0], args[1:])
		},
	}
	t.keyspaceFlag(cmd)
	cmd.Flags().StringVar(&at, "at", "", "the position or time to restore, of a REPOSITORY")
	return cmd
}

func (t *tool) restore(ctx context.Context, dir string, files []string) error {
	begin := time.Now()
	p := t.progress("restore", "B", 0)
	defer p.End()
	streams, end, err := t.backups(files, p)
	if err != nil {
		return err
	}
	defer end()
	o := &siltstone.Options{MemoryLimit: t.memory.bytes}
	var sum archive.Summary
	if t.keyspace == "" {
		sum, err = siltstone.Restore(ctx, dir, o, streams...)
	} else {
		var name []byte
		if name, err = t.bytes(t.keyspace); err != nil {
			return err
		}
		sum, err = siltstone.RestoreKeyspace(ctx, dir, string(name), o, streams...)
	}
	if errors.Is(err, fs.ErrExist) {
		return advise(err, "choose a directory that does not exist yet")
	}
	if err != nil {
		return chainAdvice(err, files)
	}
	return t.summary(dir, sum, begin)
}

func (t *tool) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE... | verify REPOSITORY",
		GroupID: groupCare,
		Short:   "Read backups and say what they hold",
		Long: `Read a backup to its end, or several in the order in which restore takes them,
and verify every byte of them. Nothing is written. FILE may be - for standard
input. A single one may be made since another: what that has is not looked for
then.

REPOSITORY is a directory with backups and changes, from package backup. All of
it is verified, each table once. Each fault is a line.`,
		Example: `  siltstone verify monday.backup tuesday.backup
  siltstone verify /backup/app
  ssh host 'cat b' | siltstone verify - --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isRepository(args) {
				return t.verifyRepository(cmd.Context(), args[0])
			}
			return t.verify(cmd.Context(), args)
		},
	}
}

func (t *tool) verify(ctx context.Context, files []string) error {
	begin := time.Now()
	p := t.progress("verify", "B", 0)
	defer p.End()
	streams, end, err := t.backups(files, p)
	if err != nil {
		return err
	}
	defer end()
	sum, err := siltstone.VerifyBackup(ctx, streams...)
	if err != nil {
		return chainAdvice(err, files)
	}
	return t.summary(strings.Join(files, ", "), sum, begin)
}

// backups opens files that are read as backups. end closes them.
func (t *tool) backups(files []string, p *progress) (streams []io.Reader, end func(), err error) {
	var opened []io.Closer
	end = func() {
		for _, f := range opened {
			f.Close() // it was only read
		}
	}
	total, stdin := int64(0), 0
	for _, name := range files {
		in, size, err := t.input([]string{name})
		if err != nil {
			end()
			return nil, nil, err
		}
		if name == "-" {
			stdin++
		}
		total += size
		opened, streams = append(opened, in), append(streams, countingReader{in, p})
	}
	if stdin > 1 {
		end()
		return nil, nil, usagef("- is given %d times: standard input is read once", stdin)
	}
	if stdin == 0 {
		p.total.Store(total)
	}
	return streams, end, nil
}

// chainAdvice says what to do about backups that cannot be read, or not in this order.
func chainAdvice(err error, files []string) error {
	if errors.Is(err, siltstone.ErrBadOption) {
		return advise(err, "give a whole backup first, then those since it in the order in which they were made")
	}
	name := files[0]
	if len(files) > 1 {
		name = "of the files"
	}
	return backupDamaged(err, name)
}
