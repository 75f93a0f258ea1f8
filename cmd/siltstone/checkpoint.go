package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

func (t *tool) checkpointCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "checkpoint SRC DST",
		GroupID: groupCare,
		Short:   "Make a copy of a store that is a store of its own",
		Long: `Make DST a store with everything that the store in SRC has. DST must not exist;
it gets its name when the copy is whole and durable.

SRC is opened for reading, so its tables are copied. A process that has the
store open makes a checkpoint by DB.Checkpoint, which links them and takes no
space.`,
		Example: `  siltstone checkpoint /var/lib/app/store /backup/store.2030-01-31
  siltstone checkpoint /var/lib/app/store /tmp/copy --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return t.checkpoint(cmd.Context(), args[0], args[1]) },
	}
}

func (t *tool) checkpoint(ctx context.Context, src, dst string) (err error) {
	begin := time.Now()
	tables, logs := storeBytes(src)
	p := t.progress("checkpoint", "B", tables+logs)
	err = func() (err error) {
		db, err := t.openRead(src, countingFS{vfs.OS, p.Add})
		if err != nil {
			return err
		}
		defer closing(db, &err)
		return db.Checkpoint(ctx, dst)
	}()
	p.End()
	if errors.Is(err, fs.ErrExist) {
		err = advise(err, "choose a directory that does not exist yet")
	}
	if err != nil {
		return err
	}
	tables, logs = storeBytes(dst)
	if t.json {
		j := t.out.object()
		j.Text("dir", dst)
		j.Int("bytes", tables+logs)
		return t.out.write()
	}
	t.out.printf("%s: %s in %s\n", dst, size(tables+logs), lasting(time.Since(begin)))
	return nil
}
