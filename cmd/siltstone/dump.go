package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/dump"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/spf13/cobra"
)

func (t *tool) dumpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "dump DIR [FILE]",
		GroupID: groupMove,
		Short:   "Write all of a store as lines of JSON",
		Long: `Write everything that a store holds at one moment as lines of JSON, to FILE or
to standard output: all keyspaces, types and times to live. load makes the same
store of it again. Keys and values that are UTF-8 stand as text, others in
base64. The last line has a checksum: a dump without it was cut short.

FILE must not exist, and gets its name when the dump is whole.`,
		Example: `  siltstone dump /var/lib/app/store store.ndjson
  siltstone dump /var/lib/app/store | zstd > store.ndjson.zst`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.readStore(args[0], func(db *siltstone.DB, _ reading) error {
				return t.toFile(args[1:], func(w io.Writer) error { return t.dump(cmd.Context(), db, w) })
			})
		},
	}
}

func (t *tool) dump(ctx context.Context, db *siltstone.DB, w io.Writer) error {
	begin := time.Now()
	p := t.progress("dump", "key", 0)
	defer p.End()
	p.besides(w)
	d := dump.NewWriter(w, begin)
	for e, err := range entry.Walk(ctx, db) {
		if err == nil {
			err = d.Write(e)
		}
		if err != nil {
			return fmt.Errorf("the dump ends after %s: %w", counted(d.Keys, "key"), err)
		}
		p.done.Store(d.Keys)
	}
	if err := d.Close(); err != nil {
		return err
	}
	p.note("%s, %s in %s, %s", counted(d.Keys, "key"), counted(d.Elements, "element"), counted(d.Keyspaces, "named keyspace"), lasting(time.Since(begin)))
	return nil
}

// toFile calls fn with the file that the argument names, or with standard output. The file
// must not exist. It is written under another name and gets its own when fn is done and the
// bytes are durable; if fn fails nothing is left of it.
func (t *tool) toFile(args []string, fn func(io.Writer) error) (err error) {
	if len(args) == 0 || args[0] == "-" {
		return fn(t.out)
	}
	name := args[0]
	if err := free(name); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial")
	if errors.Is(err, fs.ErrNotExist) {
		return advise(codeError{exitError, fmt.Errorf("%s cannot be made: there is no directory %s", name, filepath.Dir(name))}, "make the directory, or check the path")
	}
	if err != nil {
		return codeError{exitError, err}
	}
	defer func() {
		if err != nil {
			f.Close() // the first error is the one to tell
			os.Remove(f.Name())
		}
	}()
	if err := fn(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// free returns an error if there is a file of that name already.
func free(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return advise(fmt.Errorf("%s exists", name), "choose a name that is free: nothing is overwritten")
	}
	return nil
}
