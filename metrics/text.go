package metrics

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/siltstonedb/siltstone/internal/quantity"
)

// String returns the figures as a table for people. Its form may change.
func (m Metrics) String() string {
	var b strings.Builder
	m.writeRuns(&b)
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string, parts ...string) { fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(parts, "\t")) }
	c, f, k := m.Commits, m.Flushes, m.Compactions
	line("commits", num(c.Count, ""), quantity.Count(c.Operations, "operation"), quantity.Count(c.Groups, "group"), quantity.Bytes(c.Bytes), quantity.Count(c.Conflicts, "conflict"))
	line("", append([]string{"latency"}, m.Commits.Latency.parts()...)...)
	line("log syncs", append(append([]string{num(m.Log.Syncs.Count, "")}, m.Log.Syncs.parts()...), quantity.Bytes(m.Log.Unsynced)+" unsynced", "oldest "+quantity.Duration(m.Log.Oldest))...)
	line("gets", append([]string{num(m.Gets.Count, "")}, m.Gets.parts()...)...)
	line("seeks", append([]string{num(m.Seeks.Count, "")}, m.Seeks.parts()...)...)
	line("flushes", num(f.Count, ""), quantity.Count(f.Records, "record"), quantity.Bytes(f.Bytes), quantity.Duration(f.Duration), num(f.Failed, "failed"))
	line("merges", num(k.Merges, ""), quantity.Bytes(k.BytesIn)+" in", quantity.Bytes(k.BytesOut)+" out", quantity.Duration(k.Duration), num(k.Failed, "failed"))
	line("", num(int64(k.Running), "running"), quantity.Count(k.Moves, "move"), quantity.Count(k.Drops, "drop"), quantity.Count(k.Dropped, "record")+" gone", fmt.Sprintf("write amp %.2f", m.WriteAmplification()), quantity.Bytes(k.Waiting)+" waiting")
	line("stalls", num(m.Stalls.Count, ""), quantity.Duration(m.Stalls.Duration), cmp.Or(m.Stalls.Reason, "none now"), m.Stalls.delayText())
	line("", "slowed", "by flushes "+quantity.Duration(m.Stalls.SlowedByFlushes), "by merges "+quantity.Duration(m.Stalls.SlowedByMerges), "for space "+quantity.Duration(m.Stalls.Space), "for turns "+quantity.Duration(m.Stalls.Turns))
	line("memory", quantity.Bytes(m.Memory.Total()), "memtables "+quantity.Bytes(m.Memory.Memtables), "blocks "+quantity.Bytes(m.Memory.Blocks), "rows "+quantity.Bytes(m.Memory.Rows), "tables "+quantity.Bytes(m.Memory.TableMetadata), "buffers "+quantity.Bytes(m.Memory.LogBuffers+m.Memory.ReadAhead+m.Memory.TableWriters), "recycled "+quantity.Bytes(m.Memory.Recycled), "open "+quantity.Bytes(m.Memory.Iterators+m.Memory.Transactions), "garbage "+quantity.Bytes(m.Memory.Garbage), "limit "+quantity.Bytes(m.Memory.Limit))
	line("cache", quantity.Count(m.Cache.Blocks, "block"), quantity.Count(m.Cache.Hits, "hit"), misses(m.Cache.Misses), quantity.Count(m.Cache.Evictions, "eviction"))
	line("disk", quantity.Bytes(m.Disk.Total()), "tables "+quantity.Bytes(m.Disk.Tables), "logs "+quantity.Bytes(m.Disk.Logs), "manifest "+quantity.Bytes(m.Disk.Manifest), "obsolete "+quantity.Bytes(m.Disk.Obsolete), "ballast "+quantity.Bytes(m.Disk.Ballast), m.Disk.freeText())
	line("open", quantity.Count(m.Open.Iterators, "iterator"), quantity.Count(m.Open.Snapshots, "snapshot"), quantity.Count(m.Open.Transactions, "transaction"), "oldest "+quantity.Duration(m.Open.Oldest), "oldest snapshot "+quantity.Duration(m.Open.OldestSnapshot))
	line("waits", quantity.Count(m.Waits.Callers, "caller"), num(m.Waits.Woken, "woken"))
	line("dead", quantity.Count(m.Dead.Collections, "collection"), quantity.Bytes(m.Dead.Bytes), num(m.Dead.Reaped, "reaped"))
	t := m.Troubles
	line("troubles", quantity.Count(t.Corruptions, "corruption"), num(t.NoSpace, "disk full"), quantity.Count(t.SlowSyncs, "slow sync"), quantity.Count(int64(t.Frozen), "frozen table"), cmp.Or(t.Poisoned, "writable"))
	w.Flush()
	return trimLines(b.String())
}

// writeRuns draws memtables and runs, newest first, figures to the right.
func (m Metrics) writeRuns(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "run\tlevel\ttables\tsize\trecords\t")
	fmt.Fprintf(w, "memory\t-\t%d\t%s\t%d\t\n", 1+m.Memtables.Waiting, quantity.Bytes(m.Memtables.Bytes), m.Memtables.Records)
	for _, r := range m.Runs {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t\t\n", r.Age, r.Level, r.Tables, quantity.Bytes(r.Bytes))
	}
	fmt.Fprintf(w, "total\t\t%d\t%s\t%d\t\n", m.Tables.Count, quantity.Bytes(m.Tables.Bytes), m.Tables.Records)
	w.Flush()
}

// parts returns the figures of a latency.
func (l Latency) parts() []string {
	return []string{"p50 " + quantity.Duration(l.Quantile(0.5)), "p99 " + quantity.Duration(l.Quantile(0.99)), "max " + quantity.Duration(l.Max)}
}

// delayText returns how much writers are delayed, and what is behind.
func (s Stalls) delayText() string {
	text := quantity.Duration(s.Delay) + " delay per MiB"
	if s.Behind != "" {
		text += ", " + s.Behind + " are behind"
	}
	return text
}

// freeText returns how much is free, if that is known.
func (d Disk) freeText() string {
	if d.Free < 0 {
		return "free unknown"
	}
	return "free " + quantity.Bytes(d.Free)
}

// trimLines takes the blanks from the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// misses returns n and its noun, whose plural is not regular.
func misses(n int64) string {
	if n == 1 {
		return "1 miss"
	}
	return num(n, "misses")
}

func num(n int64, what string) string { return strings.TrimSpace(fmt.Sprintf("%d %s", n, what)) }
