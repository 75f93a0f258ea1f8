package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run runs the command that the arguments name and returns its exit code. An interrupt ends
// the context of the command; a second one ends the process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	t := newTool(os.Stdin, os.Stdout, os.Stderr)
	root := t.root()
	root.SetArgs(os.Args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	if ferr := t.out.Flush(); err == nil && !errors.Is(ferr, syscall.EPIPE) {
		err = ferr
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // whoever reads our output has seen enough
	}
	if err != nil && !t.started {
		err = usageError{err}
	}
	return t.report(withUsage(cmd, err))
}
