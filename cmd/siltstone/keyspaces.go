package main

import (
	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

func (t *tool) keyspacesCommand() *cobra.Command {
	var counts bool
	cmd := &cobra.Command{
		Use:     "keyspaces DIR",
		GroupID: groupLook,
		Short:   "List the keyspaces, with the space that they take",
		Long: `List the keyspaces with the bytes that their tables take on disk, about.
The default keyspace has no name and is shown as "".

The size leaves out what has not been flushed to tables yet. With --count the
keys are counted, which is a walk over all of them.`,
		Example: `  siltstone keyspaces /var/lib/app/store
  siltstone keyspaces /var/lib/app/store --count --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.readStore(args[0], func(db *siltstone.DB, _ reading) error { return t.keyspaces(db, counts) })
		},
	}
	cmd.Flags().BoolVar(&counts, "count", false, "count the keys")
	return cmd
}

// measured is what a keyspace and a store both have.
type measured interface {
	reading
	EstimateSize(siltstone.Range) (int64, error)
}

func (t *tool) keyspaces(db *siltstone.DB, counts bool) error {
	names, err := db.Keyspaces()
	if err != nil {
		return err
	}
	list := table{right: []int{1, 2}}
	if counts {
		list.add("name", "size", "keys")
	} else {
		list.add("name", "size")
	}
	for _, name := range append([]string{""}, names...) {
		var space measured = db
		if name != "" {
			if space, err = db.Keyspace(name); err != nil {
				return err
			}
		}
		bytes, err := space.EstimateSize(siltstone.Range{})
		if err != nil {
			return err
		}
		row := []string{t.format.show([]byte(name)), size(bytes)}
		j := t.out.object()
		j.Bytes("keyspace", []byte(name))
		j.Int("bytes", bytes)
		if counts {
			keys, err := space.Keys().Count()
			if err != nil {
				return err
			}
			row = append(row, count(keys))
			j.Int("keys", keys)
		}
		if t.json {
			if err := t.out.write(); err != nil {
				return err
			}
		}
		list.add(row...)
	}
	if !t.json {
		t.out.table(list)
	}
	return nil
}
