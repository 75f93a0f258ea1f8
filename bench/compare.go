package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// comparison is one call of compare.
type comparison struct {
	kinds   []engineKind
	rows    *regexp.Regexp
	n       uint64
	runs    int
	limit   time.Duration
	quick   bool
	out     string
	dir     string
	profile bool
	group   string // in which groups may be made; "": that of this process
	memory  int64  // of a row in one
	cache   int64  // of the rows to which it is given
	grow    uint64 // how many times n the store of the rows about growth becomes at most
}

const (
	defaultKeys = 1_000_000
	quickKeys   = 200_000
)

func (c *comparison) setDefaults() {
	n, runs, limit := uint64(defaultKeys), 3, 10*time.Second
	if c.quick {
		n, runs, limit = quickKeys, 1, time.Second
	}
	if c.n == 0 {
		c.n = n
	}
	if c.runs == 0 {
		c.runs = runs
	}
	if c.limit == 0 {
		c.limit = limit
	}
}

// wanted returns the scenarios with a row that is asked for. The one that grows, if it is
// not said how far, is left out, which is told.
func (c *comparison) wanted() []scenario {
	var chosen []scenario
	for _, s := range scenarios() {
		if c.quick && !s.quick {
			continue
		}
		if s.grows && c.grow > 0 {
			s = growthScenario(c.grow)
		}
		for _, st := range s.steps {
			if st.row == "" || !c.rows.MatchString(st.row) {
				continue
			}
			if s.grows && c.grow == 0 {
				fmt.Fprintf(os.Stderr, "bench: %s is left out: -grow does not say how far\n", s.name)
			} else {
				chosen = append(chosen, s)
			}
			break
		}
	}
	return chosen
}

// execute runs everything and writes the documents. Engines take turns within
// each scenario and run, in another order each time. Results gather in
// results.jsonl as they come; an interrupted comparison can still be tabled.
func (c *comparison) execute() error {
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	if err := writeMachine(c); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(c.out, resultsFile))
	if err != nil {
		return err
	}
	defer file.Close()
	start := time.Now()
	chosen := c.wanted()
	for run := 1; run <= c.runs; run++ {
		for _, s := range chosen {
			for _, k := range shuffledEngines(c.kinds, run) {
				if !k.takesPart(s) {
					continue
				}
				began := time.Now()
				if err := c.child(k, s, run, file); err != nil {
					return err
				}
				fmt.Fprintf(os.Stderr, "%6s  run %d  %-12s %-10s %.1f s\n",
					time.Since(start).Round(time.Second), run, s.name, k.name, time.Since(began).Seconds())
			}
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	return writeDocuments(c.out)
}

// childLimit ends a child that hangs. The longest scenarios, a store that grows to 16 GB
// and a fill far beyond memory, are below it.
const childLimit = 3 * time.Hour

// child runs one scenario of one engine in a process of its own and copies its
// results. A child that crashes is a failed result, not the end.
func (c *comparison) child(k engineKind, s scenario, run int, results io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.storesIn(), "store-"+k.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "run", "-engine", k.name, "-scenario", s.name, "-dir", dir, "-rows", c.rows.String(),
		"-run", strconv.Itoa(run), "-n", strconv.FormatUint(c.n, 10), "-limit", c.limit.String(),
		"-cache", strconv.FormatInt(c.cache, 10), "-grow", strconv.FormatUint(c.grow, 10))
	if c.profile {
		cmd.Args = append(cmd.Args, "-profiles", filepath.Join(c.out, "profiles"))
	}
	if s.times > 0 {
		g, err := newGroup(c.group, c.memory)
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s is left out: no control group: %v\n", s.name, err)
			return nil
		}
		defer func() {
			if err := g.remove(); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
		}()
		cmd.Args = append(cmd.Args, "-group", g.dir, "-memory", strconv.FormatInt(c.memory, 10))
	}
	var lines bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(results, &lines), os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s in %s: %v\n", k.name, s.name, err)
		_, err = fmt.Fprintf(results, `{"Engine":%q,"Scenario":%q,"Run":%d,"Err":%q}`+"\n", k.name, s.name, run, err.Error())
		return err
	}
	return reportFailures(&lines)
}

// reportFailures tells on standard error which rows failed.
func reportFailures(lines io.Reader) error {
	rs, err := readResults(lines)
	for _, r := range rs {
		if r.Err != "" {
			fmt.Fprintf(os.Stderr, "bench: %s in %s %s: %s\n", r.Engine, r.Scenario, r.Row, r.Err)
		}
	}
	return err
}

func (c *comparison) storesIn() string {
	if c.dir != "" {
		return c.dir
	}
	return c.out
}

const (
	resultsFile = "results.jsonl"
	machineFile = "machine.json"
)

// writeDocuments makes every document from what lies in a folder of results.
func writeDocuments(out string) error {
	f, err := os.Open(filepath.Join(out, resultsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	results, err := readResults(f)
	if err != nil {
		return err
	}
	m, err := readMachine(out)
	if err != nil {
		return err
	}
	r := newReport(m, results)
	var page, lines bytes.Buffer
	r.markdown(&page)
	r.benchLines(&lines)
	errs := []error{
		os.WriteFile(filepath.Join(out, "benchmarks.md"), page.Bytes(), 0o644),
		os.WriteFile(filepath.Join(out, "bench.txt"), lines.Bytes(), 0o644),
	}
	pictures := r.charts()
	maps.Copy(pictures, r.curves())
	for name, svg := range pictures {
		errs = append(errs, os.WriteFile(filepath.Join(out, name), svg, 0o644))
	}
	os.Stdout.Write(page.Bytes())
	return errors.Join(errs...)
}
