package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/backup"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/spf13/cobra"
)

// isRepository reports whether the files that restore is given are a repository, which is a
// directory.
func isRepository(files []string) bool {
	if len(files) != 1 {
		return false
	}
	info, err := os.Stat(files[0])
	return err == nil && info.IsDir()
}

// parseMoment returns what --at says: a position or a time.
func parseMoment(at string) (o backup.RestoreOptions, err error) {
	if at == "" {
		return o, nil
	}
	if o.At, err = changes.ParsePosition(at); err == nil && !o.At.IsZero() {
		return o, nil
	}
	if o.Until, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return o, usagef("--at %s is neither a position nor a time like 2030-01-31T12:00:00Z", at)
	}
	return o, nil
}

// restoreMoment makes dir a store of a repository, as it was at a moment.
func (t *tool) restoreMoment(ctx context.Context, dir, repository, at string) error {
	begin := time.Now()
	if t.keyspace != "" {
		return usagef("one keyspace is restored from files alone")
	}
	o, err := parseMoment(at)
	if err != nil {
		return err
	}
	r, err := backup.Open(backup.Dir(repository), nil)
	if err != nil {
		return err
	}
	o.Options = &siltstone.Options{MemoryLimit: t.memory.bytes}
	done, err := r.RestoreAt(ctx, dir, o)
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
	if !isRepository([]string{repository}) {
		return advise(codeError{exitNotFound, fmt.Errorf("there is no repository in %s", repository)}, "name the directory that the backups are in")
	}
	r, err := backup.Open(backup.Dir(repository), nil)
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
