package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// typedComparison is one call of typed: the typed values of siltstone against
// redis-server, which keeps its data in memory and logs it once a second.
//
//	for each run: redis, unpipelined ─┐
//	              redis, -P 16       ─┤ a server or a process of its own each,
//	              siltstone, 2       ─┤ in another order every run
//	              siltstone, 1       ─┘
//	medians ──► out/typed.md
type typedComparison struct {
	n       uint64
	runs    int
	rows    *regexp.Regexp
	redis   redisPrograms
	engines []typedEngine
	out     string
	profile bool
}

// typedEngine is a column of the table: redis with a pipeline of some depth, or
// siltstone with some goroutines.
type typedEngine struct {
	name    string
	depth   int // of redis' pipeline
	workers int // of siltstone
}

const (
	redisPlain     = "redis"
	redisPipelined = "redis -P 16"
	oursTwo        = "siltstone-2"
	oursOne        = "siltstone-1"
)

func typedEngines() []typedEngine {
	return []typedEngine{
		{name: redisPlain, depth: 1},
		{name: oursTwo, workers: 2},
		{name: redisPipelined, depth: 16},
		{name: oursOne, workers: 1},
	}
}

const quickTypedKeys = 100_000

func typedCommand(args []string) error {
	var c typedComparison
	fs := flag.NewFlagSet("typed", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "fewer keys and one run; read its ratios only")
	rows := fs.String("rows", "", "regular expression that a row must match")
	redis := fs.String("redis", "", "folder with redis-server and redis-benchmark; those in the PATH by default")
	only := fs.Bool("siltstone", false, "siltstone alone, without redis")
	fs.Uint64Var(&c.n, "n", 0, "keys, and operations in a row (default 1,000,000; 100,000 with -quick)")
	fs.IntVar(&c.runs, "runs", 0, "runs (default 3; 1 with -quick)")
	fs.StringVar(&c.out, "out", "out", "folder for the results and, while it runs, for the stores of both")
	fs.BoolVar(&c.profile, "profile", false, "a CPU profile of siltstone per row, goroutines and run in out/profiles; slows it a little")
	if err := fs.Parse(args); err != nil {
		return err
	}
	n, runs := uint64(defaultKeys), 3
	if *quick {
		n, runs = quickTypedKeys, 1
	}
	if c.n == 0 {
		c.n = n
	}
	if c.runs == 0 {
		c.runs = runs
	}
	var err error
	if c.rows, err = regexp.Compile(*rows); err != nil {
		return err
	}
	if !*only {
		if c.redis, err = findRedis(*redis); err != nil {
			fmt.Fprintf(os.Stderr, "bench: typed is skipped: %v; apt-get install redis-server redis-tools\n", err)
			return nil
		}
	}
	for _, e := range typedEngines() {
		if e.workers > 0 || !*only {
			c.engines = append(c.engines, e)
		}
	}
	return c.execute()
}

// execute runs all engines, the results in typed.jsonl as they come, and writes
// the table.
func (c *typedComparison) execute() error {
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	if err := writeMachine(&comparison{out: c.out, n: c.n, runs: c.runs}); err != nil {
		return err
	}
	m, err := readMachine(c.out)
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(c.out, "typed.jsonl"))
	if err != nil {
		return err
	}
	defer file.Close()
	var all []result
	for run := 1; run <= c.runs; run++ {
		for i := range c.engines {
			e := c.engines[(i+run-1)%len(c.engines)]
			began := time.Now()
			rs := c.turn(e, run)
			fmt.Fprintf(os.Stderr, "run %d  %-12s %.1f s\n", run, e.name, time.Since(began).Seconds())
			lines := json.NewEncoder(file)
			for _, r := range rs {
				if r.Err != "" {
					fmt.Fprintf(os.Stderr, "bench: %s %s: %s\n", r.Engine, r.Row, r.Err)
				}
				if err := lines.Encode(r); err != nil {
					return err
				}
			}
			all = append(all, rs...)
		}
	}
	return errors.Join(file.Close(), c.write(m, all))
}

// turn is one engine's run of all rows on an empty store. A failure is a result.
func (c *typedComparison) turn(e typedEngine, run int) []result {
	dir, err := os.MkdirTemp(c.out, "typed-")
	if err != nil {
		return []result{{Engine: e.name, Run: run, Err: err.Error()}}
	}
	defer os.RemoveAll(dir)
	var rs []result
	if e.workers > 0 {
		rs, err = c.child(e, run, dir)
	} else {
		rs, err = c.redis.turn(e, dir, c.n, c.chosen())
	}
	for i := range rs {
		rs[i].Run = run
	}
	if err != nil {
		rs = append(rs, result{Engine: e.name, Run: run, Err: err.Error()})
	}
	return rs
}

// chosen returns the shapes that are asked for and those they build upon.
func (c *typedComparison) chosen() []typedShape {
	var chosen []typedShape
	for i, s := range typedShapes() {
		asked := c.rows.MatchString(s.row)
		for _, later := range typedShapes()[i+1:] {
			asked = asked || later.after == s.row && c.rows.MatchString(later.row)
		}
		if asked {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// child runs siltstone in a process of its own.
func (c *typedComparison) child(e typedEngine, run int, dir string) ([]result, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "typed-run", "-engine", e.name, "-workers", strconv.Itoa(e.workers), "-dir", dir,
		"-run", strconv.Itoa(run), "-n", strconv.FormatUint(c.n, 10), "-rows", c.rows.String())
	if c.profile {
		cmd.Args = append(cmd.Args, "-profiles", filepath.Join(c.out, "profiles"))
	}
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	rs, err := readResults(lines)
	return rs, errors.Join(err, cmd.Wait())
}

// write writes the table to typed.md and to standard output.
func (c *typedComparison) write(m machine, results []result) error {
	t := newTypedTable(m, c.redis.version, results)
	f, err := os.Create(filepath.Join(c.out, "typed.md"))
	if err != nil {
		return err
	}
	t.markdown(io.MultiWriter(f, os.Stdout))
	return f.Close()
}
