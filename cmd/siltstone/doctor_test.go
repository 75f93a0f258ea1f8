package main

import (
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/debughttp"
	"github.com/siltstonedb/siltstone/manifest"
)

// findingOf returns what doctor says about something, with the grade in front and what to do
// behind, or nothing.
func findingOf(d *doctor, about string) string {
	for _, f := range d.findings {
		if f.about == about {
			return string(f.grade) + ": " + f.what + " → " + f.do
		}
	}
	return ""
}

// TestDoctorFindsTheIllnessesOfALiveStore gives doctor the figures of a service that is well
// but for one thing.
func TestDoctorFindsTheIllnessesOfALiveStore(t *testing.T) {
	hour := time.Hour
	for name, c := range map[string]struct {
		ill         func(*debughttp.Report)
		about, want string
	}{
		"well":      {func(*debughttp.Report) {}, "stalls", "ok: 0 stalls, writers waited 0s in 1h0m"},
		"stopped":   {func(r *debughttp.Report) { r.Metrics.Stalls.Reason = "flushes are behind" }, "stalls", "warn: writers wait now: flushes are behind → write less"},
		"stalled":   {func(r *debughttp.Report) { r.Metrics.Stalls.Duration, r.Metrics.Stalls.Count = hour/50, 7 }, "stalls", "warn: writers waited 1m12s in 1h0m (7 stalls)"},
		"slowed":    {func(r *debughttp.Report) { r.Metrics.Stalls.SlowedByMerges = hour / 50 }, "stalls", "warn: writers waited 1m12s in 1h0m (0 stalls)"},
		"behind":    {func(r *debughttp.Report) { r.Metrics.Stalls.Delay, r.Metrics.Stalls.Behind = time.Second, "merges" }, "stalls", "note: merges are behind: a writer of 1 MiB sleeps 1s"},
		"poisoned":  {func(r *debughttp.Report) { r.Metrics.Troubles.Poisoned = "sync: I/O error" }, "writes", "warn: ended: sync: I/O error → see to the disk"},
		"full":      {func(r *debughttp.Report) { r.Metrics.Troubles.NoSpace = 2 }, "writes", "warn: 2 writes refused for want of space → free space"},
		"damaged":   {func(r *debughttp.Report) { r.Metrics.Troubles.Corruptions = 1 }, "damage", "damage: 1 fault met, 0 tables left alone → stop the service"},
		"slow disk": {func(r *debughttp.Report) { r.Metrics.Troubles.SlowSyncs = 11 }, "syncs", "warn: 11 of 100 syncs took more than 100 ms"},
		"old reader": {func(r *debughttp.Report) {
			r.Metrics.Open.Oldest = hour
			r.Handles = []siltstone.OpenHandle{{Kind: "snapshot", Stack: "main.report()\n\t/srv/report.go:17 +0x1d\n"}}
		}, "readers", "warn: the oldest has been open for 1h0m: a snapshot opened at /srv/report.go:17"},
		"memory":    {func(r *debughttp.Report) { r.Metrics.Memory.Iterators = 100 << 20 }, "memory", "warn: 100 MiB held, the limit is 64 MiB"},
		"cache":     {func(r *debughttp.Report) { r.Metrics.Cache.Misses = 200_000 }, "cache", "note: 0% of the block reads are answered from memory"},
		"conflicts": {func(r *debughttp.Report) { r.Metrics.Commits.Conflicts = 2000 }, "conflicts", "note: 2,000 conflicts beside 1,000 commits"},
	} {
		var page debughttp.Report
		page.Metrics.Uptime, page.Metrics.Memory.Limit = hour, 64<<20
		page.Metrics.Commits.Count, page.Metrics.Log.Syncs.Count = 1000, 100
		c.ill(&page)
		d := &doctor{}
		d.figures(page)
		if got := findingOf(d, c.about); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		worst := exitCode(d.verdict())
		if want := map[byte]int{'o': exitOK, 'n': exitOK, 'w': exitFindings, 'd': exitDamage}[c.want[0]]; worst != want {
			t.Errorf("%s: exit code %d, want %d", name, worst, want)
		}
	}
}

// TestDoctorFindsTheIllnessesOfADirectory gives doctor what info knows of a directory.
func TestDoctorFindsTheIllnessesOfADirectory(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for name, c := range map[string]struct {
		ill         func(*info)
		about, want string
	}{
		"clock":   {func(i *info) { i.State.Clock = now.Add(2 * time.Hour).UnixMilli() }, "clock", "warn: the store's clock is 2h0m ahead"},
		"no room": {func(i *info) { i.Free = 100 << 20 }, "disk", "warn: nearly full: 100 MiB free, store 10 GiB"},
		"tight":   {func(i *info) { i.Free = 2 << 30 }, "disk", "warn: 2.0 GiB free, store 10 GiB: a merge"},
		"unknown": {func(i *info) { i.Free = -1 }, "disk", "note: how much is free is not known here"},
		"crashed": {func(i *info) { i.State.Clean = false }, "state", "note: not closed: the next open replays up to 3.0 MiB of logs"},
		"behind":  {func(i *info) { i.State.Version = &manifest.Version{Runs: make([]manifest.Run, 15)} }, "merges", "warn: behind: 15 runs"},
	} {
		i := &info{Dir: t.TempDir(), Free: 100 << 30, Files: []fileKind{{"tables", 1, 10 << 30}, {"logs", 1, 3 << 20}, {"ballast", 1, 1 << 20}}}
		i.State = &manifest.State{Version: &manifest.Version{}, Clock: now.UnixMilli()}
		i.State.Clean = true
		c.ill(i)
		d := &doctor{now: now}
		d.state(i)
		d.disk(i)
		d.merges(i)
		d.clock(i)
		if got := findingOf(d, c.about); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
