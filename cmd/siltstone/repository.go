package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/spf13/cobra"
)

// isRepository reports whether the files that restore or verify are given are a repository,
// which is a directory.
func isRepository(files []string) bool {
	if len(files) != 1 {
		return false
	}
	info, err := os.Stat(files[0])
	return err == nil && info.IsDir()
}

// openRepository opens the repository in a directory.
func openRepository(dir string) (*backup.Repository, error) {
	if !isRepository([]string{dir}) {
		return nil, advise(codeError{exitNotFound, fmt.Errorf("there is no repository in %s", dir)}, "name the directory that the backups are in")
	}
	if _, err := os.Lstat(filepath.Join(dir, "CURRENT")); err == nil {
		return nil, advise(codeError{exitNotFound, fmt.Errorf("%s is a store, and no repository of backups", dir)}, "checkpoint makes a copy of a store, backup a backup")
	}
	return backup.Open(backup.Dir(dir), nil)
}

// parseMoment returns what --at says: a position or a time.
func parseMoment(at string) (o backup.RestoreOptions, err error) {
	if o.At, err = changes.ParsePosition(at); err == nil && !o.At.IsZero() {
		return o, nil
	}
	if parts := strings.Split(at, "-"); len(parts) == 3 && len(parts[0]) == 16 {
		return o, usagef("--at %s is a position that was cut or mistyped: its last part does not fit the others", at)
	}
	if o.Until, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return o, usagef("--at %s is neither a position nor a time like 2030-01-31T12:00:00Z", at)
	}
	return o, nil
}

// restoreMoment makes dir a store of a repository, as it was at a moment, or last.
func (t *tool) restoreMoment(ctx context.Context, dir, repository string, moment backup.RestoreOptions) error {
	begin := time.Now()
	if t.keyspace != "" {
		return usagef("one keyspace is restored from files alone")
	}
	r, err := openRepository(repository)
	if err != nil {
		return err
	}
	moment.Options = &siltstone.Options{MemoryLimit: t.memory.bytes}
	done, err := r.RestoreAt(ctx, dir, moment)
	switch {
	case errors.Is(err, fs.ErrExist):
		return advise(err, "choose a directory that does not exist yet")
	case errors.Is(err, backup.ErrNotFound):
		return codeError{exitNotFound, err}
	case err != nil:
		return backupDamaged(err, repository)
	}
	if !t.json {
		t.out.printf("%s: backup %s and %s, at %v of %s, in %s\n", dir, done.Backup.Name, counted(done.Commits, "commit"),
			done.Position, done.Time.UTC().Format(time.RFC3339Nano), lasting(time.Since(begin)))
		return nil
	}
	j := t.out.object()
	j.Text("name", dir)
	j.Text("backup", done.Backup.Name)
	j.Text("store", fmt.Sprintf("%016x", done.Backup.Store))
	j.Text("position", done.Position.String())
	j.Time("time", done.Time)
	j.Int("commits", int64(done.Commits))
	return t.out.write()
}

// verifyRepository reads every backup of a repository, and the changes.
func (t *tool) verifyRepository(ctx context.Context, dir string) error {
	begin := time.Now()
	r, err := openRepository(dir)
	if err != nil {
		return err
	}
	v, err := r.Verify(ctx)
	if err != nil && !errors.Is(err, siltstone.ErrCorruption) && !errors.Is(err, backup.ErrNotFound) {
		return err // it could not be read
	}
	var faults []error
	if err != nil {
		faults = faultsOf(err)
	}
	if err := t.verified(dir, v, faults, begin); err != nil || len(faults) == 0 {
		return err
	}
	return codeError{code: exitDamage}
}

// verified prints what was read of a repository, and what is wrong with it.
func (t *tool) verified(dir string, v backup.Verified, faults []error, begin time.Time) error {
	if t.json {
		j := t.out.object()
		j.Text("name", dir)
		j.Int("backups", int64(v.Backups))
		j.Int("tables", int64(v.Tables))
		j.Int("commits", int64(v.Commits))
		j.Int("bytes", v.Bytes)
		j.List("faults")
		for _, f := range faults {
			j.Item()
			j.Text("error", f.Error())
			j.EndItem()
		}
		j.End()
		return t.out.write()
	}
	for _, f := range faults {
		t.out.printf("%s\n", safe(f.Error()))
	}
	t.out.printf("%s: %s of %s, %s of changes, %s in %s: ", dir, counted(v.Backups, "backup"), counted(v.Tables, "table"),
		counted(v.Commits, "commit"), size(v.Bytes), lasting(time.Since(begin)))
	if len(faults) == 0 {
		t.out.printf("no fault\n")
		return nil
	}
	t.out.printf("%s\n  what is damaged is lost: make a new backup, once the object that is named is deleted\n", counted(len(faults), "fault"))
	return nil
}

func (t *tool) followCommand() *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:     "follow REPOSITORY DIR",
		GroupID: groupCare,
		Short:   "Keep a copy of a store that follows what is shipped",
		Long: `Keep DIR a copy of the store whose backups and changes a program puts into the
directory REPOSITORY (package backup, Run and Ship). If DIR does not exist it is
made of the newest backup. Then what is shipped is replayed as it arrives, until
an interrupt. After that, and after a kill, follow goes on where it ended.

Others read DIR meanwhile, beside this process. A program that opens it for
writing, or a command that writes to it, makes it a store of its own, which
follows no more.`,
		Example: `  siltstone follow /backup/app /var/lib/app/copy
  siltstone follow /backup/app /var/lib/app/copy --once --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.follow(cmd.Context(), args[0], args[1], once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "replay what there is and end")
	return cmd
}

func (t *tool) follow(ctx context.Context, repository, dir string, once bool) (err error) {
	r, err := openRepository(repository)
	if err != nil {
		return err
	}
	commits := 0
	f, err := r.Follow(ctx, dir, &backup.FollowOptions{
		Options: &siltstone.Options{MemoryLimit: t.memory.bytes},
		Applied: func(s backup.Shipped) { commits += s.Commits },
	})
	if errors.Is(err, backup.ErrNotFound) {
		return codeError{exitNotFound, err}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if once {
		err = f.CatchUp(ctx)
	} else {
		err = f.Run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	return t.followed(dir, f.DB().Position(), commits)
}

// followed prints how far a copy has come.
func (t *tool) followed(dir string, at changes.Position, commits int) error {
	if !t.json {
		t.out.printf("%s: %s, at %v\n", dir, counted(commits, "commit"), at)
		return nil
	}
	j := t.out.object()
	j.Text("name", dir)
	j.Text("position", at.String())
	j.Int("commits", int64(commits))
	return t.out.write()
}
