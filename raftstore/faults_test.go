//go:build unix

package raftstore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/seed"
)

// fault is what is done to one process of a cluster under load, and for how many answered
// calls. All of it is drawn before the cluster starts, so that a seed does the same again.
type fault struct {
	kind   string
	leader bool // it is done to the leader; else to a process by its place
	place  int
	calls  int
	delay  time.Duration // of a slow link
	space  int64         // on a full disk
}

func (f fault) String() string {
	who := fmt.Sprint("process ", f.place)
	if f.leader {
		who = "the leader"
	}
	switch f.kind {
	case "slow links":
		who += fmt.Sprint(", ", f.delay)
	case "full disk", "full disk and kill":
		who += fmt.Sprintf(", %d bytes", f.space)
	}
	return fmt.Sprintf("%s: %s, %d calls", f.kind, who, f.calls)
}

// faultKinds are the faults, and how each begins; what that returns ends it.
var faultKinds = map[string]func(c *processes, p *process, f fault) (mend func()){
	"kill": func(c *processes, p *process, _ fault) func() {
		p.kill()
		return func() { p.start(-1) }
	},
	"pause": func(c *processes, p *process, _ fault) func() {
		p.signal(syscall.SIGSTOP)
		return func() { p.signal(syscall.SIGCONT) }
	},
	"partition": func(c *processes, p *process, _ fault) func() {
		c.links(p.id, func(_ bool, s *linkState) { s.cut = true })
		return func() { c.mend(p) }
	},
	"silence": func(c *processes, p *process, _ fault) func() {
		c.links(p.id, func(_ bool, s *linkState) { s.silent = true })
		return func() { c.mend(p) }
	},
	"deafness": func(c *processes, p *process, _ fault) func() { // nobody reaches it, and it reaches all
		c.links(p.id, func(out bool, s *linkState) { s.cut = !out })
		return func() { c.mend(p) }
	},
	"slow links": func(c *processes, p *process, f fault) func() {
		c.links(p.id, func(_ bool, s *linkState) { s.delay = f.delay })
		return func() { c.mend(p) }
	},
	"full disk": func(c *processes, p *process, f fault) func() {
		c.space(p, f.space)
		c.fill()
		return func() { c.space(p, -1) }
	},
	"full disk and kill": func(c *processes, p *process, f fault) func() {
		c.space(p, f.space)
		c.fill()
		return func() {
			p.kill()
			p.start(-1)
		}
	},
	"empty": func(c *processes, p *process, _ fault) func() {
		p.kill()
		return func() { c.replace(p, c.spare()) }
	},
}

func (c *processes) mend(p *process) {
	c.links(p.id, func(_ bool, s *linkState) { *s = linkState{} })
}

// space says how many bytes a process may write from now on.
func (c *processes) space(p *process, bytes int64) {
	c.t.Helper()
	var n int64
	if err := c.ask(bg, p, "POST", fmt.Sprint("/space?bytes=", bytes), nil, &n); err != nil {
		c.t.Fatal(err)
	}
}

// fill has the replicas write some MiB, which a full disk has no room for. The logs of a
// store are made ahead, and take small commands for long.
func (c *processes) fill() {
	for i := range 40 {
		ctx, cancel := context.WithTimeout(bg, callTimeout)
		// An error is as good: it may be the leader's disk that is full.
		_, _ = remote{c.members()[i%len(c.all)]}.do(ctx, registerCall{kind: "set", key: fmt.Sprint("fill ", i%4), new: strings.Repeat("x", 128<<10)})
		cancel()
	}
}

// spare returns the name of a process that there was not yet.
func (c *processes) spare() string {
	id := c.names[c.used]
	c.used++
	return id
}

// allKinds are the names of faultKinds, in an order.
var allKinds = slices.Sorted(maps.Keys(faultKinds))

// drawFaults draws so many faults, of each of the kinds as often as of the others.
func drawFaults(rng *rand.Rand, size, rounds int, kinds []string) (all []fault) {
	kinds = slices.Clone(kinds)
	for len(all) < rounds {
		rng.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, kind := range kinds {
			all = append(all, fault{
				kind: kind, leader: rng.IntN(2) == 0, place: rng.IntN(size), calls: 10 + rng.IntN(20),
				delay: time.Duration(1+rng.IntN(40)) * time.Millisecond, space: rng.Int64N(64 << 10),
			})
		}
	}
	return all[:rounds]
}

// TestProcessesUnderFaultsAreOneStore has clients call replicas in processes of their
// own, which are killed, paused, cut off, slowed down, left without space and replaced by
// empty ones. What the clients saw is the history of one store, no tag that was
// acknowledged is lost or there twice, and in the end all replicas are equal.
func TestProcessesUnderFaultsAreOneStore(t *testing.T) {
	t.Parallel()
	n := seed.New(t)
	for _, test := range []struct {
		size, rounds int
		kinds        []string
		long         bool
	}{
		{3, 4, allKinds, false},
		{3, 90, allKinds, true},
		{5, 90, allKinds, true},
		{3, 12, []string{"full disk", "full disk and kill"}, true},
		{5, 12, []string{"full disk", "full disk and kill"}, true},
	} {
		if test.long && !*long {
			continue
		}
		t.Run(fmt.Sprintf("%d processes, %d faults of %d kinds", test.size, test.rounds, len(test.kinds)), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(n, uint64(test.size)))
			suffer(t, n, test.size, drawFaults(rng, test.size, test.rounds, test.kinds))
		})
	}
}

func suffer(t *testing.T, n uint64, size int, all []fault) {
	spares := 0
	for _, f := range all {
		if f.kind == "empty" {
			spares++
		}
	}
	c := startProcesses(t, size, spares)
	w := &workload{seed: n, pick: func(rng *rand.Rand) client {
		p := c.members()[rng.IntN(size)]
		if p.running() == "" {
			return nil
		}
		return remote{p}
	}}
	c.leader()
	w.start(6)
	defer w.end()
	for i, f := range all {
		w.until(t, 10)
		p := c.members()[f.place]
		if f.leader {
			p = c.leader()
		}
		t.Logf("fault %d of seed %d: %v: %s", i, n, f, p.id)
		mend := faultKinds[f.kind](c, p, f)
		w.until(t, f.calls)
		mend()
	}
	w.until(t, 20)
	w.check(t, remote{c.leader()})
	c.equal()
	for _, p := range c.members() {
		m, err := c.metrics(p)
		if err != nil || m.Stopped != "" {
			t.Errorf("%s: %v, %s", p.id, err, m.Stopped)
		}
		t.Logf("%s: snapshots %+v, refused for want of space %d", p.id, m.Snapshots, m.NoSpace)
	}
}

func TestFaultsAreThoseOfTheSeed(t *testing.T) {
	draw := func(n uint64) string {
		return strings.Join(strings.Fields(fmt.Sprint(drawFaults(rand.New(rand.NewPCG(n, 3)), 3, 20, allKinds))), " ")
	}
	if a, b := draw(7), draw(7); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	if draw(7) == draw(8) {
		t.Error("two seeds draw the same")
	}
	drawn := map[string]bool{}
	for _, f := range drawFaults(rand.New(rand.NewPCG(1, 3)), 3, len(allKinds), allKinds) {
		drawn[f.kind] = true
	}
	if len(drawn) != len(allKinds) {
		t.Errorf("only %v are drawn", drawn)
	}
}
