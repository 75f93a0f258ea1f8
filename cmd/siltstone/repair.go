package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

func (t *tool) repairCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "repair SRC DST",
		GroupID: groupCare,
		Short:   "Make a new store of what can be read of a damaged one",
		Long: `Make a new store in DST of all that can be read of the store in SRC, which is
not changed and must not be open. DST must not exist. Each file is a line: what
was kept, what was lost.

The exit code is 4 if something was lost; the new store is there and passes
check all the same. Look at the report before it takes the old one's place.`,
		Example: `  siltstone repair /var/lib/app/store /var/lib/app/store.new
  siltstone repair /var/lib/app/store /var/lib/app/store.new --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return t.repair(cmd.Context(), args[0], args[1]) },
	}
}

func (t *tool) repair(ctx context.Context, src, dst string) error {
	p := t.progress("repair", "B", t.repairBytes(src))
	report, err := t.repairStore(ctx, src, dst, p.Add)
	p.End()
	if errors.Is(err, fs.ErrExist) {
		return advise(err, "choose a directory that does not exist yet")
	}
	if err != nil {
		return noStore(err, src)
	}
	if t.json {
		err = t.repairJSON(report)
	} else {
		t.out.printf("%s", safe(report.String()))
		t.out.printf("%s\n", repairVerdict(report, dst))
	}
	if err == nil && !report.Complete() {
		err = codeError{code: exitDamage}
	}
	return err
}

// repairStore makes dst of what can be read of src; read is called with the number of bytes
// of each read.
func (t *tool) repairStore(ctx context.Context, src, dst string, read func(n int)) (siltstone.RepairReport, error) {
	return siltstone.Repair(ctx, src, dst, &siltstone.Options{MemoryLimit: t.memory.bytes, FS: countingFS{vfs.OS, read}})
}

// repairBytes returns about how many bytes Repair reads for the store in src. It reads what
// there is, and then goes over the new tables as checkBytes says of Check, and makes their
// collections whole; of the new ones the cache keeps about seven tenths of the memory limit.
func (t *tool) repairBytes(src string) int64 {
	tables, logs := storeBytes(src)
	kept := min(tables, t.memory.bytes/10*7)
	return 3*(tables+logs) + 4*(tables-kept)
}

// repairVerdict is the last line of a report.
func repairVerdict(r siltstone.RepairReport, dst string) string {
	switch {
	case r.Complete():
		return "everything was read: " + dst + " shows all that the old store did"
	case r.MayRevive():
		return dst + " has what could be read; keys deleted or replaced in what was lost may be back"
	}
	return dst + " has what could be read"
}

func (t *tool) repairJSON(r siltstone.RepairReport) error {
	j := t.out.object()
	j.Bool("complete", r.Complete())
	j.Bool("may_revive", r.MayRevive())
	for name, err := range map[string]error{"manifest": r.Manifest, "current": r.Current} {
		if err != nil {
			j.Text(name, err.Error())
		}
	}
	j.List("files")
	for _, f := range r.Files {
		j.Item()
		j.Text("file", f.Name)
		j.Int("kept", f.Kept)
		if f.LeftOut != nil {
			j.Text("left_out", f.LeftOut.Error())
		}
		j.List("lost")
		for _, l := range f.Lost {
			j.Item()
			j.Int("offset", l.Offset)
			j.Int("bytes", l.Bytes)
			j.Text("error", fmt.Sprint(l.Err))
			j.EndItem()
		}
		j.End()
		j.EndItem()
	}
	j.End()
	j.List("faults")
	for _, err := range append(append([]error(nil), r.Collections...), r.Keyspaces...) {
		j.Item()
		j.Text("error", err.Error())
		j.EndItem()
	}
	j.End()
	return t.out.write()
}
