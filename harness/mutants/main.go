// Mutants asks whether the tests would notice: it holds faults of one line each in the
// source of the store, of the kinds that have lost data in other stores and in this one,
// and runs the tests with one of them at a time. A fault that no test meets survives,
// and shows what is not tested.
//
//	go run ./harness/mutants                 all of them, for an hour or so
//	go run ./harness/mutants -run '^wal'     those whose names match
//	go run ./harness/mutants -list           names, files and what each would do
//
// It works on a copy of the module. For each fault it runs the short tests of the
// packages that the fault names, the cheapest first, and of the root at last, until
// some are red. These are run without the fault, too: tests that are always red catch
// nothing. It exits 1 if a fault survives or does not compile.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"
)

func main() {
	run := flag.String("run", "", "only the mutants whose names match this regular expression")
	workers := flag.Int("j", 1, "how many mutants are tried at once, each in a copy of its own")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	timeout := flag.Duration("timeout", 2*time.Minute, "how long the tests of a package may run; a mutant that hangs them is caught")
	flag.Parse()
	chosen, err := choose(*run)
	if err == nil && *list {
		for _, m := range chosen {
			fmt.Printf("%-32s %s: %s\n", m.name, m.file, m.why)
		}
		return
	}
	var t tally
	if err == nil {
		t, err = tryAll(chosen, max(1, *workers), *timeout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	fmt.Println(t)
	if t.survived+t.broken > 0 {
		os.Exit(1)
	}
}

// choose returns the mutants whose names match.
func choose(pattern string) (chosen []mutant, err error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	for _, m := range mutants() {
		if re.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant matches %q", pattern)
	}
	return chosen, nil
}

// tally counts what became of mutants.
type tally struct {
	tried, caught, hung, survived, broken int
	took                                  time.Duration
}

func (t *tally) count(v verdict) {
	t.tried++
	switch v.outcome {
	case caught:
		t.caught++
	case hung:
		t.caught++
		t.hung++
	case survived:
		t.survived++
	case broken:
		t.broken++
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d mutants: %d caught (%d of them by a timeout), %d survived, %d did not compile, in %v",
		t.tried, t.caught, t.hung, t.survived, t.broken, t.took.Round(time.Second))
}

// tryAll tries the mutants, some at once, and prints what becomes of each.
func tryAll(chosen []mutant, workers int, timeout time.Duration) (tally, error) {
	begin := time.Now()
	var t tally
	var mu sync.Mutex // guards t, failure and the output
	var failure error
	next := make(chan mutant)
	var done sync.WaitGroup
	green := newBaseline()
	var dirs []string
	for range min(workers, len(chosen)) {
		dir, err := os.MkdirTemp("", "mutants")
		if err != nil {
			return t, err
		}
		defer os.RemoveAll(dir)
		if err := copyModule(dir, "."); err != nil {
			return t, err
		}
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		done.Go(func() {
			for m := range next {
				v, err := try(m, dir, timeout, green)
				mu.Lock()
				if err != nil && failure == nil {
					failure = fmt.Errorf("%s: %w", m.name, err)
				} else if err == nil {
					t.count(v)
					fmt.Printf("%-8v %-32s %6.1fs  %s\n", v.outcome, m.name, v.took.Seconds(), v.by)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range chosen {
		next <- m
	}
	close(next)
	done.Wait()
	t.took = time.Since(begin)
	return t, failure
}
