package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

const usage = "usage: bench compare|table|list|typed [flags]; bench compare -h tells the flags"

func command(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch name, rest := args[0], args[1:]; name {
	case "compare":
		return compareCommand(rest)
	case "table":
		return tableCommand(rest)
	case "list":
		return listCommand()
	case "typed":
		return typedCommand(rest)
	case "typed-run":
		return typedRunCommand(rest)
	case "run":
		return runCommand(rest)
	case "fill-and-die":
		return fillAndDieCommand(rest)
	}
	return errors.New(usage)
}

func compareCommand(args []string) error {
	var c comparison
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	engines := fs.String("engines", "", "engines, separated by commas; all by default")
	rows := fs.String("rows", "", "regular expression that a row must match (see list)")
	fs.Uint64Var(&c.n, "n", 0, "keys (default 1,000,000; 200,000 with -quick)")
	fs.IntVar(&c.runs, "runs", 0, "runs of each engine (default 3; 1 with -quick)")
	fs.DurationVar(&c.limit, "limit", 0, "longest time for a row (default 10s; 1s with -quick; the sustained fills have none)")
	fs.BoolVar(&c.quick, "quick", false, "the most telling rows, within three minutes; read its ratios only")
	fs.StringVar(&c.out, "out", "out", "folder for the results")
	fs.StringVar(&c.dir, "dir", "", "folder for the stores, on the disk to be measured; a temporary one in -out by default")
	fs.StringVar(&c.group, "group", "", "folder of a control group in which others may be made, for rows that bound the memory; below that of this process by default; where it cannot be they are left out")
	fs.Int64Var(&c.memory, "memory", usualMemory, "memory of such a row, page cache included, in bytes")
	fs.Int64Var(&c.cache, "cache", kvbenchCache, "memory for blocks and memtables in the rows of kvbench, in bytes")
	fs.Uint64Var(&c.grow, "grow", 0, "the rows about growth fill a store of 1, 2, 4, 8 and 16 times -n keys of 1 KiB, up to so many times; 0 leaves them out")
	fs.BoolVar(&c.profile, "profile", false, "a CPU profile per row, engine and run in out/profiles; slows all a little")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var err error
	if c.kinds, err = chooseEngines(*engines); err != nil {
		return err
	}
	if c.rows, err = regexp.Compile(*rows); err != nil {
		return err
	}
	c.setDefaults()
	return c.execute()
}

func tableCommand(args []string) error {
	fs := flag.NewFlagSet("table", flag.ContinueOnError)
	out := fs.String("out", "out", "folder with results.jsonl")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return writeDocuments(*out)
}

func listCommand() error {
	for _, k := range engineKinds() {
		fmt.Println("engine", k.name)
	}
	for _, s := range scenarios() {
		for _, st := range s.steps {
			if st.row != "" {
				fmt.Printf("%-12s %-20s %s (%s)\n", s.name, st.row, st.title, st.unit)
			}
		}
	}
	return nil
}

// runCommand is a child process of compare.
func runCommand(args []string) error {
	var t task
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	engine := fs.String("engine", "", "engine")
	name := fs.String("scenario", "", "scenario")
	rows := fs.String("rows", "", "regular expression for rows")
	fs.IntVar(&t.run, "run", 1, "number of the run")
	fs.Uint64Var(&t.n, "n", defaultKeys, "keys")
	fs.DurationVar(&t.limit, "limit", 10*time.Second, "longest time for a row")
	fs.StringVar(&t.dir, "dir", "", "folder for the store")
	fs.StringVar(&t.group, "group", "", "control group to enter")
	fs.Int64Var(&t.memory, "memory", usualMemory, "memory of the group")
	fs.Int64Var(&t.cache, "cache", kvbenchCache, "memory for blocks and memtables where it is given")
	grow := fs.Uint64("grow", 0, "how many times -n a growing store becomes")
	fs.StringVar(&t.profiles, "profiles", "", "folder for CPU profiles")
	if err := fs.Parse(args); err != nil {
		return err
	}
	kinds, err := chooseEngines(*engine)
	if err != nil || len(kinds) != 1 || t.dir == "" {
		return errors.Join(errors.New("run takes one -engine and a -dir"), err)
	}
	t.kind = kinds[0]
	if t.rows, err = regexp.Compile(*rows); err != nil {
		return err
	}
	for _, s := range scenarios() {
		if s.name == *name {
			if s.grows {
				s = growthScenario(*grow)
			}
			t.scenario = s
			return t.execute(os.Stdout)
		}
	}
	return fmt.Errorf("no scenario %q", *name)
}

func fillAndDieCommand(args []string) error {
	fs := flag.NewFlagSet("fill-and-die", flag.ContinueOnError)
	engine := fs.String("engine", "", "engine")
	dir := fs.String("dir", "", "the store")
	n := fs.Uint64("n", 0, "keys")
	if err := fs.Parse(args); err != nil {
		return err
	}
	kinds, err := chooseEngines(*engine)
	if err != nil || len(kinds) != 1 {
		return errors.Join(errors.New("fill-and-die takes one -engine"), err)
	}
	b := (&task{kind: kinds[0], scenario: killScenario()}).bed()
	b.config.Dir, b.n = *dir, *n
	return fillAndDie(b)
}
