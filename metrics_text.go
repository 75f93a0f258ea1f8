package siltstone

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// String is the figures as a table for people. Its form may change.
func (m Metrics) String() string {
	var b strings.Builder
	m.writeRuns(&b)
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string, parts ...string) { fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(parts, "\t")) }
	c, f, k := m.Commits, m.Flushes, m.Compactions
	line("commits", num(c.Count, ""), num(c.Operations, "operations"), num(c.Groups, "groups"), sizeText(c.Bytes), num(c.Conflicts, "conflicts"))
	s := m.Log.Syncs
	line("log syncs", num(s.Count, ""), "p50 "+took(s.Quantile(0.5)), "p99 "+took(s.Quantile(0.99)), "max "+took(s.Max), sizeText(m.Log.Unsynced)+" unsynced")
	line("flushes", num(f.Count, ""), num(f.Records, "records"), sizeText(f.Bytes), took(f.Duration), num(f.Failed, "failed"))
	line("merges", num(k.Merges, ""), sizeText(k.BytesIn)+" in", sizeText(k.BytesOut)+" out", took(k.Duration), num(k.Failed, "failed"))
	line("", num(int64(k.Running), "running"), num(k.Moves, "moves"), num(k.Drops, "drops"), num(k.Dropped, "records gone"), fmt.Sprintf("write amp %.2f", k.WriteAmplification))
	line("stalls", num(m.Stalls.Count, ""), took(m.Stalls.Duration), cmp.Or(m.Stalls.Reason, "none now"), took(m.Stalls.Delay)+" a MiB")
	line("memory", sizeText(m.Memory.Total()), "memtables "+sizeText(m.Memory.Memtables), "blocks "+sizeText(m.Memory.Blocks), "rows "+sizeText(m.Memory.Rows), "tables "+sizeText(m.Memory.TableMetadata), "buffers "+sizeText(m.Memory.LogBuffers+m.Memory.ReadAhead+m.Memory.Spare), "open "+sizeText(m.Memory.Iterators+m.Memory.Transactions), "limit "+sizeText(m.Memory.Limit))
	line("cache", num(m.Cache.Blocks, "blocks"), num(m.Cache.Hits, "hits"), num(m.Cache.Misses, "misses"), num(m.Cache.Evictions, "evictions"))
	line("disk", sizeText(m.Disk.Total()), "tables "+sizeText(m.Disk.Tables), "logs "+sizeText(m.Disk.Logs), "manifest "+sizeText(m.Disk.Manifest), "obsolete "+sizeText(m.Disk.Obsolete), m.Disk.freeText())
	line("open", num(m.Open.Iterators, "iterators"), num(m.Open.Snapshots, "snapshots"), num(m.Open.Transactions, "transactions"), "oldest "+took(m.Open.Oldest))
	line("dead", num(m.Dead.Collections, "collections"), sizeText(m.Dead.Bytes), num(m.Dead.Reaped, "reaped"))
	t := m.Troubles
	line("troubles", num(t.Corruptions, "corruptions"), num(t.NoSpace, "disk full"), num(t.SlowSyncs, "slow syncs"), num(int64(t.Frozen), "frozen tables"), cmp.Or(t.Poisoned, "writable"))
	w.Flush()
	return trimLines(b.String())
}

// writeRuns draws memtables and runs, newest first, figures to the right.
func (m Metrics) writeRuns(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "run\tlevel\ttables\tsize\trecords\t")
	fmt.Fprintf(w, "memory\t-\t%d\t%s\t%d\t\n", 1+m.Memtables.Waiting, sizeText(m.Memtables.Bytes), m.Memtables.Records)
	for _, r := range m.Runs {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t\t\n", r.Age, r.Level, r.Tables, sizeText(r.Bytes))
	}
	fmt.Fprintf(w, "total\t\t%d\t%s\t%d\t\n", m.Tables.Count, sizeText(m.Tables.Bytes), m.Tables.Records)
	w.Flush()
}

// freeText says what is free, if that is known.
func (m DiskMetrics) freeText() string {
	if m.Free < 0 {
		return "free unknown"
	}
	return "free " + sizeText(m.Free)
}

// trimLines takes the blanks from the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func num(n int64, what string) string { return strings.TrimSpace(fmt.Sprintf("%d %s", n, what)) }

// took is a duration of three digits or so.
func took(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// sizeText is n bytes for people.
func sizeText(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for ; (v >= 1024 || v <= -1024) && unit < 4; unit++ {
		v /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}
