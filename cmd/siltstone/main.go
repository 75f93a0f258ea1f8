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
// the context of the command, as does the end of its terminal; a second one ends the process.
// A write to a pipe that nobody reads is an error, so that the store is closed.
func run() int {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop)
	t := newTool(os.Stdin, os.Stdout, os.Stderr)
	root := t.root()
	root.SetArgs(os.Args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	ferr := t.out.Flush()
	if errors.Is(ferr, syscall.EPIPE) {
		return exitPipe // whoever reads our output has seen enough, and knows what is missing
	}
	if err == nil {
		err = ferr
	}
	if err != nil && !t.started {
		err = usageError{err}
	}
	return t.report(withUsage(cmd, err))
}
