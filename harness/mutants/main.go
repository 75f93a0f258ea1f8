// Mutants asks whether the tests would notice: it holds faults of one line each in the
// source of the store, of the kinds that have lost data in other stores and in this one,
// and runs the tests with one of them at a time. A fault that no test meets survives,
// and shows what is not tested.
//
//	go run ./harness/mutants                 all of them, for an hour or so
//	go run ./harness/mutants -run '^wal'     those whose names match
//	go run ./harness/mutants -list           names, files and what each would do
//
// It is run in the root of the module, and changes none of its files. All faults are
// compiled into one build, in copies of the functions they are in, and each run has one
// of them switched on. For each fault it runs the test that noticed it last, as caught.txt
// says, then the short tests of the packages that the fault names, the cheapest first, and
// of the root at last, until some are red. These are run without the fault, too: tests
// that are always red catch nothing. It exits 1 if a fault survives.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"sync"
	"time"
)

func main() {
	var c config
	run := flag.String("run", "", "only the mutants whose names match this regular expression")
	flag.IntVar(&c.workers, "j", 1, "how many mutants are tried at once")
	record := flag.Bool("record", false, "write to caught.txt which tests noticed")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	flag.DurationVar(&c.timeout, "timeout", 2*time.Minute, "how long the tests of a package may run; a mutant that hangs them is caught")
	flag.StringVar(&c.skip, "skip", "", "a regular expression of tests that are not run")
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
		t, err = attempt(chosen, &c, *record)
	}
	fmt.Println(t)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || t.survived > 0 {
		os.Exit(1)
	}
}

// attempt tries the mutants, and notes which tests noticed if record is set.
func attempt(chosen []mutant, c *config, record bool) (tally, error) {
	seen, err := readRecords(".")
	if err != nil {
		return tally{}, err
	}
	t, err := tryAll(chosen, seen, c)
	if record {
		err = errors.Join(err, seen.write("."))
	}
	return t, err
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
	tried, caught, hung, survived int
	took                          time.Duration
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
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d mutants: %d caught (%d of them by a timeout), %d survived, in %v",
		t.tried, t.caught, t.hung, t.survived, t.took.Round(time.Second))
}

// tryAll tries the mutants, some at once, prints what becomes of each, and adds to seen
// which tests noticed.
func tryAll(chosen []mutant, seen records, c *config) (t tally, failure error) {
	begin := time.Now()
	root, err := os.Getwd()
	if err != nil {
		return t, err
	}
	b, err := newBuild(root, chosen)
	if b != nil {
		defer b.remove()
	}
	if err != nil {
		return t, err
	}
	green := &baseline{build: b, green: map[step]bool{}}
	before := maps.Clone(seen)
	var mu sync.Mutex // guards t, seen, failure and the output
	var done sync.WaitGroup
	next := make(chan int)
	for range max(1, min(c.workers, len(chosen))) {
		done.Go(func() {
			for i := range next {
				m := &chosen[i]
				v, err := try(*m, i+1, before, c, green)
				mu.Lock()
				if err != nil {
					failure = errors.Join(failure, fmt.Errorf("%s: %w", m.name, err))
					fmt.Printf("%-8s %-36s %6.1fs  %v\n", "failed", m.name, v.took.Seconds(), err)
				} else {
					t.count(v)
					seen.add(m, v)
					fmt.Printf("%-8v %-36s %6.1fs  %s\n", v.outcome, m.name, v.took.Seconds(), v.by)
				}
				mu.Unlock()
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	done.Wait()
	t.took = time.Since(begin)
	return t, failure
}
