// Command goindex indexes the Go source of the installation it runs under, or of
// any other tree, in a Siltstone store, and answers questions from it.
//
//	go run ./examples/goindex            index GOROOT, close, reopen, report
//	go run ./examples/goindex            once more: nothing has changed, nothing is committed
//	go run ./examples/goindex -verify    read every file back and compare it with the source
//	go run ./examples/goindex -crash     kill a loading process and see what is left
//
// Each package (a directory with Go files) is one transaction over raw keys and
// all the types: contents and lines of its files, digests and counts in hashes,
// imports in a set, identifiers in sorted sets, the files indexed last in a
// list. See layout.go for the keys.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "goindex:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the signal's default
	}
}

// config is the command line.
type config struct {
	source string // tree to index
	store  string
	limit  int // files
	verify bool
	crash  bool
	acks   bool
}

func parse(args []string, stderr io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("goindex", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.source, "src", "", "source tree (default: go env GOROOT)")
	// A fixed name, so that a second run finds the first one's work.
	f.StringVar(&c.store, "dir", filepath.Join(os.TempDir(), "siltstone-goindex"), "directory of the store")
	f.IntVar(&c.limit, "n", math.MaxInt, "index the first n files only, as if there were no others")
	f.BoolVar(&c.verify, "verify", false, "read everything back and compare it with the source")
	f.BoolVar(&c.crash, "crash", false, "kill a loading process and judge what is left, in a temporary store")
	f.BoolVar(&c.acks, "acks", false, "load only, and print each package when its commit has returned (for -crash)")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.source == "" {
		var err error
		if c.source, err = goroot(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// goroot asks the go command where its installation is.
func goroot() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	t, err := walk(c.source, c.limit)
	if err != nil {
		return err
	}
	switch {
	case c.acks:
		return acknowledge(ctx, c, t, stdout)
	case c.crash:
		return crash(ctx, c, t, stdout)
	}
	return index(ctx, c, t, stdout)
}
