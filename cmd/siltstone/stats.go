package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/spf13/cobra"
)

func (t *tool) statsCommand() *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:     "stats DIR",
		GroupID: groupLook,
		Short:   "Show the figures of a store: tables, memory, disk, garbage",
		Long: `Show what DB.Metrics tells of the store: its runs of tables, its files, its
garbage and its troubles. With --watch they are read and shown again until the
command is interrupted.

What a store counts while it runs, such as commits, cache hits and stalls,
is in the process that has it open: mount package debughttp there.`,
		Example: `  siltstone stats /var/lib/app/store
  siltstone stats /var/lib/app/store --watch --every 5s`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every %v: at least 100ms", every)
			}
			return t.stats(cmd.Context(), args[0], watch, every)
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show them again and again")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often, with --watch")
	return cmd
}

func (t *tool) stats(ctx context.Context, dir string, watch bool, every time.Duration) (err error) {
	db, err := t.openRead(dir, vfs.OS)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	for {
		if err := t.showStats(db, watch); err != nil || !watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		if err = t.refresh(ctx, db); err != nil {
			return err
		}
	}
}

// showStats writes the figures once. On a terminal a watch writes over what it wrote
// before.
func (t *tool) showStats(db *siltstone.DB, watch bool) error {
	m := db.Metrics()
	if t.json {
		j := t.out.object()
		j.Time("time", time.Now())
		j.Any("metrics", m)
		if err := t.out.write(); err != nil {
			return err
		}
		return t.out.Flush()
	}
	if watch && t.out.width > 0 {
		t.out.printf("\x1b[H\x1b[2J")
	}
	if watch {
		t.out.printf("%s\n\n", time.Now().Format("15:04:05"))
	}
	writeStats(t.out, m)
	return t.out.Flush()
}

// writeStats writes the figures that a store has which is open for reading.
func writeStats(o *output, m metrics.Metrics) {
	runs := table{right: []int{0, 1, 2, 3, 4}}
	runs.add("level", "run", "tables", "size", "records")
	runs.add("memory", "-", "-", size(m.Memtables.Bytes), count(m.Memtables.Records))
	for _, r := range m.Runs {
		runs.add(strconv.Itoa(r.Level), count(r.Age), count(r.Tables), size(r.Bytes), "")
	}
	runs.add("total", "", count(m.Tables.Count), size(m.Tables.Bytes), count(m.Tables.Records))
	o.table(runs)
	o.printf("\n")
	var b table
	b.add("disk", fmt.Sprintf("%s: tables %s, logs %s, manifest %s", size(m.Disk.Total()), size(m.Disk.Tables), size(m.Disk.Logs), size(m.Disk.Manifest)))
	b.add("", fmt.Sprintf("obsolete %s, ballast %s, free %s", size(m.Disk.Obsolete), size(m.Disk.Ballast), size(m.Disk.Free)))
	b.add("garbage", fmt.Sprintf("%s in %s that ended", size(m.Dead.Bytes), counted(m.Dead.Collections, "collection")))
	b.add("memory", fmt.Sprintf("%s of %s: memtables %s, blocks %s", size(m.Memory.Total()-m.Memory.Garbage), size(m.Memory.Limit), size(m.Memory.Memtables), size(m.Memory.Blocks)))
	b.add("", fmt.Sprintf("filters and indexes %s, %s open", size(m.Memory.TableMetadata), counted(m.Tables.Open, "table")))
	trouble := "none"
	if n := m.Troubles; n.Corruptions+int64(n.Frozen) > 0 || n.Poisoned != "" {
		trouble = fmt.Sprintf("%s, %s %s", counted(n.Corruptions, "corruption"), counted(n.Frozen, "frozen table"), n.Poisoned)
	}
	b.add("troubles", trouble)
	o.table(b)
}
