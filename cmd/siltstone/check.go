package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

func (t *tool) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check DIR",
		GroupID: groupCare,
		Short:   "Read the whole store and name every fault",
		Long: `Read every table and log and verify all that the store relies on: checksums,
order, counts, bounds, the elements of collections. Each fault is a line with
file and offset. Nothing is changed. The exit code is 4 if there is a fault.`,
		Example: `  siltstone check /var/lib/app/store
  siltstone check /var/lib/app/store --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.check(cmd.Context(), args[0]) },
	}
}

func (t *tool) check(ctx context.Context, dir string) (err error) {
	begin := time.Now()
	p := t.progress("check", "B", t.checkBytes(dir))
	faults, read, err := t.checkStore(ctx, dir, p.Add)
	p.End()
	if err != nil {
		return err
	}
	if t.json {
		err = t.checkJSON(faults, read)
	} else {
		for _, f := range faults {
			t.out.printf("%s\n", safe(f.Error()))
		}
		t.out.printf("%s read in %s: ", size(read), lasting(time.Since(begin)))
		if len(faults) == 0 {
			t.out.printf("no fault\n")
		} else {
			t.out.printf("%s\n  siltstone repair %s NEW makes a new store of what can be read\n", counted(len(faults), "fault"), dir)
		}
	}
	if err == nil && len(faults) > 0 {
		err = codeError{code: exitDamage}
	}
	return err
}

// checkBytes returns about how many bytes Check reads of the store in dir. It goes four
// times over the tables: for their digests, past the cache; for the order among them; and
// twice for the collections. The last two find again what the cache has kept of the one
// before, which has about seven tenths of the memory limit. It reads the logs twice. Large
// sorted sets are read once more, which cannot be told from outside.
func (t *tool) checkBytes(dir string) int64 {
	tables, logs := storeBytes(dir)
	kept := min(tables, t.memory.bytes/10*7)
	return 2*tables + 2*(tables-kept) + 2*logs
}

// checkStore reads the whole store and returns its faults; read is called with the number
// of bytes of each read. A store that is too damaged to be opened has that fault alone.
func (t *tool) checkStore(ctx context.Context, dir string, read func(n int)) (faults []error, bytes int64, err error) {
	var total atomic.Int64
	db, err := t.openRead(dir, countingFS{vfs.OS, func(n int) {
		read(n)
		total.Add(int64(n))
	}})
	if err != nil {
		if exitCode(err) == exitDamage {
			return faultsOf(err), total.Load(), nil
		}
		return nil, 0, err
	}
	defer closing(db, &err)
	err = db.Check(ctx)
	bytes = total.Load()
	if exitCode(err) == exitDamage {
		return faultsOf(err), bytes, nil
	}
	return nil, bytes, err
}

// faultsOf returns the faults that are joined in err.
func faultsOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, faultsOf(e)...)
		}
		if strings.Contains(err.Error(), "\n") {
			return all
		}
	}
	return []error{err}
}

func (t *tool) checkJSON(faults []error, read int64) error {
	j := t.out.object()
	j.Int("bytes", read)
	j.List("faults")
	for _, f := range faults {
		j.Item()
		writeFault(j.Text, j.Int, f)
		j.EndItem()
	}
	j.End()
	return t.out.write()
}

// writeFault writes an error with the file and offset that it names.
func writeFault(text func(name, s string), number func(name string, n int64), err error) {
	var c *siltstone.CorruptionError
	if errors.As(err, &c) {
		text("file", c.File)
		number("offset", c.Offset)
		text("error", fmt.Sprint(c.Err))
		return
	}
	text("error", err.Error())
}

// storeBytes returns the bytes of a store's tables and of its logs, 0 if they cannot be
// listed.
func storeBytes(dir string) (tables, logs int64) {
	kinds, err := listFiles(dir)
	if err != nil {
		return 0, 0
	}
	for _, k := range kinds {
		switch k.Kind {
		case "tables":
			tables += k.Bytes
		case "logs":
			logs += k.Bytes
		}
	}
	return tables, logs
}
