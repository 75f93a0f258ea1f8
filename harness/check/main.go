// Check looks for false alarms of DB.Check. A process changes a store in every way, and
// checks it meanwhile, until it is killed; then the store is opened for reading only,
// and checked; then the next process goes on with it:
//
//	go run ./harness/check               ten minutes
//	go run ./harness/check -for 1h
//
// Nothing damages the store, so Check must find no fault. It prints how many checks were
// made. It exits 1 with the first fault, and leaves the store in which that was met: the
// changes of a seed are the same again, but what they meet depends on those before.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
)

type settings struct {
	dir   string
	child bool
	seed  uint64
	total time.Duration
	life  time.Duration // of a process
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "directory of the store; a temporary one if empty")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of the first process; the next ones count on")
	flag.DurationVar(&s.total, "for", 10*time.Minute, "how long to look")
	flag.DurationVar(&s.life, "life", 5*time.Second, "after how long a process is killed")
	flag.BoolVar(&s.child, "child", false, "be the process that is killed")
	flag.Parse()
	run := s.parent
	if s.child {
		run = s.loadAndCheck
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(1)
	}
}

func (s *settings) parent() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "siltstone-check"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(s.dir)
			}
		}()
	}
	var beside, after int
	first, begin := s.seed, time.Now()
	for ; time.Since(begin) < s.total; s.seed++ {
		n, err := s.untilKilled()
		beside += n
		if err == nil {
			err = s.readOnly()
			after++
		}
		if err != nil {
			return fmt.Errorf("seed %d, store %s: %w", s.seed, s.dir, err)
		}
	}
	fmt.Printf("seeds %d to %d, %v: %d checks beside writers, %d after a kill, no false alarm\n",
		first, s.seed-1, time.Since(begin).Round(time.Second), beside, after)
	return nil
}

// untilKilled starts a process, kills it after its time, and returns how many checks it
// has made. A process that ends by itself has found a fault.
func (s *settings) untilKilled() (checks int, err error) {
	child := exec.Command(os.Args[0], "-child", "-dir", s.dir, "-seed", strconv.FormatUint(s.seed, 10))
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := child.Start(); err != nil {
		return 0, err
	}
	killed := make(chan bool, 1)
	timer := time.AfterFunc(s.life, func() { killed <- child.Process.Kill() == nil })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		checks++
	}
	err = child.Wait()
	if timer.Stop() || !<-killed {
		return checks, fmt.Errorf("the process ended before its kill: %w\n%s", err, &stderr)
	}
	return checks, nil
}

// readOnly checks what a killed process left, without changing it.
func (s *settings) readOnly() error {
	db, err := siltstone.Open(s.dir, &siltstone.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.Check(context.Background()), db.Close())
}
