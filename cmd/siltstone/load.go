package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/dump"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/spf13/cobra"
)

func (t *tool) loadCommand() *cobra.Command {
	var merge bool
	cmd := &cobra.Command{
		Use:     "load DIR [FILE]",
		GroupID: groupMove,
		Short:   "Fill a store with what dump wrote",
		Long: `Put everything that a dump holds into the store in DIR, which is made if there
is none. FILE is what dump wrote; without it, or with "-", it is read from
standard input. Keys whose time to live is over by now are left out.

A store that holds something is refused. With --merge the keys of the dump
replace those of the same name there, and other keys stay.`,
		Example: `  siltstone load /var/lib/app/store.new store.ndjson
  zstd -dc store.ndjson.zst | siltstone load /var/lib/app/store.new`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, total, err := t.input(args[1:])
			if err != nil {
				return err
			}
			defer in.Close() // it was only read
			p := t.progress("load", "B", total)
			defer p.End()
			r, err := dump.NewReader(countingReader{in, p})
			if err != nil {
				return advise(err, "siltstone import takes other formats")
			}
			return t.load(cmd.Context(), args[0], merge, p, r)
		},
	}
	cmd.Flags().BoolVar(&merge, "merge", false, "load into a store that holds something")
	return cmd
}

func (t *tool) load(ctx context.Context, dir string, merge bool, p *progress, r *dump.Reader) error {
	err := t.fill(ctx, dir, merge, p, func() (*entry.Entry, error) { return r.Next() }, func() int64 { return 0 })
	if errors.Is(err, dump.ErrDamaged) {
		err = codeError{exitDamage, advise(err, "get another copy of the dump; what was loaded is a part of it")}
	}
	return err
}

// fill puts the entries that next returns, until io.EOF, into the store in dir, and says what
// that were; leftOut is then called for how many next has left out. An error says how far it
// came.
func (t *tool) fill(ctx context.Context, dir string, merge bool, p *progress, next func() (*entry.Entry, error), leftOut func() int64) (err error) {
	begin := time.Now()
	db, err := t.openFill(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	if err := mayFill(db, dir, merge); err != nil {
		return err
	}
	l := entry.NewLoader(ctx, db, merge)
	for {
		var e *entry.Entry
		if e, err = next(); err == nil {
			err = l.Add(e)
		}
		if err != nil {
			break
		}
	}
	if err == io.EOF {
		err = l.Flush()
	}
	if serr := db.Sync(); err == nil {
		err = serr
	}
	if err != nil {
		err = fmt.Errorf("%s and %s are in %s, the rest is not: %w", counted(l.Keys, "key"), counted(l.Elements, "element"), dir, err)
		if errors.Is(err, context.Canceled) {
			err = advise(err, "interrupted: delete %s and start again, or start again with --merge", dir)
		}
		return err
	}
	if t.json {
		j := t.out.object()
		j.Text("dir", dir)
		j.Int("keys", l.Keys)
		j.Int("elements", l.Elements)
		j.Int("expired", l.Expired)
		j.Int("left_out", leftOut())
		return t.out.write()
	}
	expired := ""
	if l.Expired > 0 {
		expired = fmt.Sprintf(", %s had expired", counted(l.Expired, "key"))
	}
	p.note("%s, %s in %s%s", counted(l.Keys, "key"), counted(l.Elements, "element"), lasting(time.Since(begin)), expired)
	return nil
}

// mayFill refuses a store that holds something.
func mayFill(db *siltstone.DB, dir string, merge bool) error {
	if merge {
		return nil
	}
	names, err := db.Keyspaces()
	if err != nil {
		return err
	}
	empty := len(names) == 0
	for _, err := range siltstone.Limit(db.ScanKeys(siltstone.Range{}), 1) {
		if err != nil {
			return err
		}
		empty = false
	}
	if !empty {
		return advise(fmt.Errorf("the store in %s is not empty", dir), "name a new directory, or add --merge to put the keys among those that there are")
	}
	return nil
}
