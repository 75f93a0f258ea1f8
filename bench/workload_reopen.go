package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// reopen closes the store cleanly and times opening it again, up to the answer
// of a first read.
func reopen(b *bed) (*measure, error) {
	if err := b.close(); err != nil {
		return nil, err
	}
	return timedOpen(b)
}

func timedOpen(b *bed) (*measure, error) {
	d := drive{workers: 1, ops: 1}
	return d.run(func(w *worker, _ int64) (int, error) {
		if err := b.open(); err != nil {
			return 0, err
		}
		return 1, b.get(w, 0, b.stored > 0)
	})
}

// logShare is how much of a memtable the killed process had written: the log is
// as full as it gets without a flush.
const logShare = 0.8

// killedKeys returns how many keys fill a log.
func killedKeys(b *bed) uint64 {
	return uint64(float64(b.config.Memtable) * logShare / float64(b.pairLen()+32))
}

// reopenKilled has another process fill the store's log and be killed, and times
// the opening that recovers it. The first keys were all synced to the log by
// what came behind them.
func reopenKilled(b *bed) (*measure, error) {
	if err := b.close(); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(exe, "fill-and-die", "-engine", b.kind.name, "-dir", b.config.Dir,
		"-n", strconv.FormatUint(killedKeys(b), 10))
	c.Stderr = os.Stderr
	err = c.Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return nil, fmt.Errorf("the process to be killed ended otherwise: %v", err)
	}
	b.stored = 1 // what a first read asks for; the last moments may be lost
	return timedOpen(b)
}

// fillAndDie is the process that is killed.
func fillAndDie(b *bed) error {
	if err := b.open(); err != nil {
		return err
	}
	for w, i := (&worker{}), uint64(0); i < b.n; i++ {
		if err := b.put(w, i, 0); err != nil {
			return err
		}
	}
	time.Sleep(200 * time.Millisecond) // background threads hand over what they gathered
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
