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
	var keyspaces []string
	cmd := &cobra.Command{
		Use:     "checkpoint SRC DST",
		GroupID: groupCare,
		Short:   "Make a copy of a store that is a store of its own",
		Long: `Make DST a store with everything that the store in SRC has. DST must not exist;
it gets its name when the copy is whole and durable.

SRC is opened for reading, so its tables are copied. A process that has the
store open makes a checkpoint by DB.Checkpoint, which links them and takes no
space.

With --keyspace, which may be given several times, the copy has those keyspaces
and nothing else. Space that they share with others comes back once the copy is
open for writing.`,
		Example: `  siltstone checkpoint /var/lib/app/store /backup/store.2030-01-31
  siltstone checkpoint /var/lib/app/store /tmp/copy --json
  siltstone checkpoint /var/lib/app/store /tmp/tenant -k tenant-17`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.checkpoint(cmd.Context(), args[0], args[1], keyspaces)
		},
	}
	cmd.Flags().StringArrayVarP(&keyspaces, "keyspace", "k", nil, "copy this keyspace; \"\" is the default one")
	return cmd
}

func (t *tool) checkpoint(ctx context.Context, src, dst string, keyspaces []string) (err error) {
	begin := time.Now()
	names := make([]string, len(keyspaces))
	for i, name := range keyspaces {
		b, err := t.bytes(name)
		if err != nil {
			return err
		}
		names[i] = string(b)
	}
	tables, logs := storeBytes(src)
	p := t.progress("checkpoint", "B", tables+logs)
	err = func() (err error) {
		db, err := t.openRead(src, countingFS{vfs.OS, p.Add})
		if err != nil {
			return err
		}
		defer closing(db, &err)
		if len(names) == 0 {
			return db.Checkpoint(ctx, dst)
		}
		return db.CheckpointKeyspaces(ctx, dst, names...)
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
