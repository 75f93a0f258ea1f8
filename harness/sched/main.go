// Sched plays the store's goroutines against each other: one at a time runs, and a seed
// decides at each lock, each atomic and each call of the file system which. So a race of
// two windows that a stress test meets once in a month is met in seconds, and again
// with its seed.
//
//	go run ./harness/sched                    some schedules of each scenario, in seconds
//	go run ./harness/sched -for 30m -seed 7   for half an hour, from seed 7 on
//	go run ./harness/sched -scenario turn -seed 17 -trace t.txt   one schedule, each step of it
//	go run ./harness/sched -undone            with one mended race at a time back in the store
//
// It prints one figure, such as
//
//	sched: scenarios=14 schedules=350 steps=1.4M violations=0 seed=1 in 12s
//
// and exits 1 if there is a violation: a client that waits for ever, a goroutine or a
// file that Close left, a crash, or what the scenario says. Then it prints the command
// that plays the schedule again.
//
// The source of the store is rewritten for it, in a copy: see rewrite.go. An ordinary
// build has no switch points. Package point has the scheduler, package play the
// scenarios. What it cannot show are races of the memory model, of which -race tells,
// and those inside the memtable, the cache and the tables, which have no points.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	scenario  string
	seed      uint64
	schedules uint64
	length    time.Duration
	undone    bool
	twice     bool
	trace     string
}

func main() {
	var s settings
	flag.StringVar(&s.scenario, "scenario", "", "only the scenarios whose names match this regular expression")
	flag.Uint64Var(&s.seed, "seed", 1, "seed of the first schedule of each scenario; with it alone one schedule is played")
	flag.Uint64Var(&s.schedules, "schedules", 0, "schedules of each scenario (default 25, with -undone at most 5000)")
	flag.DurationVar(&s.length, "for", 0, "how long all scenarios together are played, instead of a number of schedules")
	flag.BoolVar(&s.undone, "undone", false, "undo one mend at a time, and show that it is missed")
	flag.BoolVar(&s.twice, "twice", false, "play each schedule twice, and compare the traces")
	flag.StringVar(&s.trace, "trace", "", "file for every step of the schedules")
	flag.Parse()
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "seed" && s.schedules == 0 && s.length == 0 && !s.undone && !s.twice {
			s.schedules = 1
		}
	})
	ok, err := s.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sched:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run plays, and reports whether all was as it should be.
func (s *settings) run() (ok bool, err error) {
	dir, err := os.MkdirTemp("", "sched")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if s.undone {
		return s.undo(dir)
	}
	p, err := build(".", dir, nil)
	if err != nil {
		return false, err
	}
	return s.play(p)
}

// figure is the sum of what was played.
type figure struct {
	scenarios, violations int
	schedules             uint64
	steps                 int
}

// play plays every scenario chosen.
func (s *settings) play(p *player) (ok bool, err error) {
	names, err := s.choose(p)
	if err != nil {
		return false, err
	}
	if s.schedules == 0 {
		s.schedules = 25
	}
	begin := time.Now()
	var sum figure
	for _, name := range names {
		r, err := p.play(run{
			scenario: name, seed: s.seed, schedules: s.schedules, length: s.length / time.Duration(len(names)), twice: s.twice, trace: s.trace,
		})
		if err != nil {
			return false, err
		}
		sum.scenarios++
		sum.schedules += r.Schedules
		sum.steps += r.Steps
		if r.Failed != "" {
			sum.violations++
			fmt.Printf("VIOLATION in %s, seed %d: %s\nagain: go run ./harness/sched -scenario '^%s$' -seed %d\n\n", name, r.Seed, r.Failed, name, r.Seed)
		}
	}
	fmt.Printf("sched: scenarios=%d schedules=%d steps=%.1fM violations=%d seed=%d in %v\n",
		sum.scenarios, sum.schedules, float64(sum.steps)/1e6, sum.violations, s.seed, time.Since(begin).Round(time.Second))
	return sum.violations == 0, nil
}

// choose returns the scenarios whose names match.
func (s *settings) choose(p *player) (names []string, err error) {
	re, err := regexp.Compile(s.scenario)
	if err != nil {
		return nil, err
	}
	all, err := p.scenarios()
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		if re.MatchString(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no scenario matches %q; there are %s", s.scenario, strings.Join(all, ", "))
	}
	if s.trace != "" {
		s.trace, err = filepath.Abs(s.trace)
	}
	return names, err
}
