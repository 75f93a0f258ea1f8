package main

import (
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/debughttp"
)

// oldHandle is the age from which an open reader is worth a line.
const oldHandle = 10 * time.Minute

// figures judges what a live process tells of its store.
func (d *doctor) figures(page debughttp.Report) {
	m := page.Metrics
	d.stalls(page)
	switch {
	case m.Troubles.Poisoned != "":
		d.add(gradeWarn, "writes", "see to the disk, then restart the service: opening the store decides which of the last commits count", "ended: %s", m.Troubles.Poisoned)
	case m.Troubles.NoSpace > 0:
		d.add(gradeWarn, "writes", "free space, delete keys or raise Options.MaxDiskBytes", "%s refused for want of space", counted(m.Troubles.NoSpace, "write"))
	default:
		d.add(gradeOK, "writes", "", "none was refused in %s", lasting(m.Uptime))
	}
	if n := m.Troubles.Corruptions + int64(m.Troubles.Frozen); n > 0 {
		d.add(gradeDamage, "damage", "stop the service and run siltstone check, then siltstone repair",
			"%s met, %s left alone", counted(m.Troubles.Corruptions, "fault"), counted(m.Troubles.Frozen, "table"))
	}
	if n := m.Troubles.SlowSyncs; n > 10 && n > m.Log.Syncs.Count/100 {
		d.add(gradeWarn, "syncs", "a disk of its own for the store, or a weaker Durability where the data allow it",
			"%s of %s took more than 100 ms, p99 %v", count(n), counted(m.Log.Syncs.Count, "sync"), m.Log.Syncs.Quantile(0.99))
	} else {
		d.add(gradeOK, "syncs", "", "p99 %v, longest %s", m.Log.Syncs.Quantile(0.99), lasting(m.Log.Syncs.Max))
	}
	d.readers(page)
	if held := m.Memory.Total() - m.Memory.Garbage; held > m.Memory.Limit+m.Memory.Limit/4 {
		d.add(gradeWarn, "memory", "close iterators that are not used; raise Options.MemoryLimit", "%s held, the limit is %s", size(held), size(m.Memory.Limit))
	} else {
		d.add(gradeOK, "memory", "", "%s of %s", size(held), size(m.Memory.Limit))
	}
	if asked := m.Cache.Hits + m.Cache.Misses; asked > 100_000 && m.Cache.HitRatio() < 0.5 {
		d.add(gradeNote, "cache", "a larger Options.MemoryLimit, if there is memory", "%.0f%% of the block reads are answered from memory", 100*m.Cache.HitRatio())
	}
	if c := m.Commits; c.Conflicts > c.Count/10 && c.Conflicts > 1000 {
		d.add(gradeNote, "conflicts", "smaller transactions, or keys that fewer of them share", "%s beside %s", counted(c.Conflicts, "conflict"), counted(c.Count, "commit"))
	}
}

func (d *doctor) stalls(page debughttp.Report) {
	const do = "write less at a time; a faster disk or a larger MemoryLimit; see Options.CompactionRate"
	m := page.Metrics
	waited := m.Stalls.Duration + m.Stalls.SlowedByFlushes + m.Stalls.SlowedByMerges + m.Stalls.Space + m.Stalls.Turns
	switch {
	case m.Stalls.Reason != "":
		d.add(gradeWarn, "stalls", do, "writers wait now: %s", m.Stalls.Reason)
	case waited > m.Uptime/100:
		d.add(gradeWarn, "stalls", do, "writers waited %s in %s (%s)", lasting(waited), lasting(m.Uptime), counted(m.Stalls.Count, "stall"))
	case m.Stalls.Delay > 0:
		d.add(gradeNote, "stalls", do, "%s are behind: a writer of 1 MiB sleeps %s", m.Stalls.Behind, lasting(m.Stalls.Delay))
	default:
		d.add(gradeOK, "stalls", "", "%s, writers waited %s in %s", counted(m.Stalls.Count, "stall"), lasting(waited), lasting(m.Uptime))
	}
}

func (d *doctor) readers(page debughttp.Report) {
	open := page.Metrics.Open
	if open.Oldest < oldHandle {
		d.add(gradeOK, "readers", "", "the oldest has been open for %s", lasting(open.Oldest))
		return
	}
	what := ""
	if len(page.Handles) > 0 {
		h := page.Handles[0]
		what = ": a " + h.Kind + " opened at " + strings.TrimSpace(firstCaller(h.Stack))
	}
	d.add(gradeWarn, "readers", "close it: merges keep all that it can read. Options.TrackOpen tells who opened it", "the oldest has been open for %s%s", lasting(open.Oldest), what)
}

// firstCaller returns the line of a stack that names the file of its first caller outside of
// the store.
func firstCaller(stack string) string {
	file := false
	for line := range strings.Lines(stack) {
		file = strings.HasPrefix(line, "\t")
		if file && !strings.Contains(line, "siltstonedb/siltstone") {
			return line
		}
	}
	return "an unknown place"
}

// verdict chooses the exit code, by the worst of the findings.
func (d *doctor) verdict() error {
	worst := exitOK
	for _, f := range d.findings {
		switch {
		case f.grade == gradeDamage:
			worst = exitDamage
		case f.grade == gradeWarn && worst == exitOK:
			worst = exitFindings
		}
	}
	if worst != exitOK {
		return codeError{code: worst}
	}
	return nil
}

// diagnose writes the findings and chooses the exit code.
func (t *tool) diagnose(d *doctor) error {
	for _, f := range d.findings {
		if t.json {
			j := t.out.object()
			j.Text("grade", string(f.grade))
			j.Text("about", f.about)
			j.Text("what", f.what)
			j.Text("do", f.do)
			if err := t.out.write(); err != nil {
				return err
			}
			continue
		}
		t.finding(f)
	}
	return d.verdict()
}

// findingIndent is where the text of a finding begins.
const findingIndent = 21

func (t *tool) finding(f finding) {
	t.out.printf("%-6s  %-11s  %s\n", f.grade, f.about, wrapped(safe(f.what), t.out.width, findingIndent))
	if f.do != "" {
		t.out.printf("%*s%s\n", findingIndent, "", wrapped("→ "+safe(f.do), t.out.width, findingIndent+2))
	}
}

// wrapped breaks text between words so that it stays within width columns, of which the
// first indent are free. Width 0 is 80.
func wrapped(text string, width, indent int) string {
	if width == 0 {
		width = 80
	}
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		if i > 0 && at+1+n > width {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		} else if i > 0 {
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
