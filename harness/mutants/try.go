package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// outcome is what became of a mutant.
type outcome uint8

const (
	survived outcome = iota // all tests are green
	caught                  // a test is red
	hung                    // tests did not end: caught by the timeout
)

func (o outcome) String() string { return [...]string{"survived", "caught", "hung"}[o] }

// verdict is the outcome of the runs for one mutant.
type verdict struct {
	outcome
	by   string // the tests that noticed
	took time.Duration
}

// config says how mutants are tried.
type config struct {
	workers int           // how many are tried at once
	timeout time.Duration // of the tests of a package
	skip    string        // a pattern of tests that are not run
}

// try tries m, which is the fault of that number in the build of green.
func try(m mutant, id int, before records, c *config, green *baseline) (verdict, error) {
	begin := time.Now()
	v, at, err := runUntilRed(green.build, before.steps(&m), id, c)
	v.took = time.Since(begin)
	if err == nil && v.outcome != survived {
		err = green.check(at, c)
	}
	return v, err
}

// runUntilRed runs one step after the other until one is red, and returns that.
func runUntilRed(b *build, steps []step, id int, c *config) (v verdict, at step, err error) {
	for _, at = range steps {
		if v, err = runConfirmed(b, at, id, c); err != nil || v.outcome != survived {
			break
		}
	}
	return v, at, err
}

// mostTries is how often a test may run alone until it is red again. A fault of the order
// of goroutines does not show each time.
const mostTries = 5

// runConfirmed runs the tests of s. A test that is red has to be red once more by itself:
// one that only fails now and then has noticed nothing, and the others run without it.
func runConfirmed(b *build, s step, id int, c *config) (verdict, error) {
	without := *c
	for {
		v, err := b.run(s, id, &without)
		alone, named := testOf(v)
		if err != nil || v.outcome != caught || !named {
			return v, err
		}
		for range mostTries {
			if again, err := b.run(alone, id, c); err != nil || again.outcome != survived {
				return v, err
			}
		}
		if alone == s {
			return verdict{}, nil
		}
		without.skip = strings.Trim(without.skip+"|"+alone.pattern, "|")
	}
}

// baseline is the runs that are known to be green without a fault.
type baseline struct {
	*build
	mu    sync.Mutex // guards green, through runs
	green map[step]bool
}

// check runs s without a fault, unless that was done before. It fails if s is red: then
// it says nothing about a mutant.
func (b *baseline) check(s step, c *config) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.green[s] {
		return nil
	}
	v, err := b.run(s, 0, c)
	if err != nil {
		return err
	}
	if v.outcome != survived {
		return fmt.Errorf("the tests of %v are red without it: %s", s, v.by)
	}
	b.green[s] = true
	return nil
}
