// Command goindex indexes the Go source of the installation it runs under, or of
// any other tree, in a Siltstone store, and answers questions from it.
//
//	go run ./examples/goindex            index GOROOT, close, reopen, report
//	go run ./examples/goindex            once more: nothing has changed, nothing is committed
//
// Each package (a directory with Go files) is one transaction over raw keys and
// all the types: contents and lines of its files, digests and counts in hashes,
// imports in a set, identifiers in sorted sets, the files indexed last in a
// list. It writes about ten bytes of tables for one of source: source is kept twice, by
// file and by line, and merges write each table anew as the store grows. See
// index/layout.go for the keys. harness/goindex proves that the store
// holds what was indexed, also after a kill.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"

	"github.com/siltstonedb/siltstone/examples/goindex/index"
)

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil: // told already, with the usage
		os.Exit(2)
	}
	// Interrupted, it ends between two packages and closes the store.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err = run(ctx, c, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "goindex:", err)
		os.Exit(1)
	}
}

// config is the command line.
type config struct {
	source string // tree to index
	store  string
	limit  int // files
}

// parse reads the command line. It writes what is wrong with it to stderr.
func parse(args []string, stderr io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("goindex", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.source, "src", "", "source tree (default: go env GOROOT)")
	f.StringVar(&c.store, "dir", index.StoreDir(), "directory of the store")
	f.IntVar(&c.limit, "n", math.MaxInt, "index the first n files only, as if there were no others")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", f.Arg(0))
		fmt.Fprintln(stderr, err)
		f.Usage()
		return c, err
	}
	return c, nil
}

func run(ctx context.Context, c config, out io.Writer) (err error) {
	if c.source == "" {
		if c.source, err = index.Goroot(); err != nil {
			return err
		}
	}
	t, err := index.Walk(c.source, c.limit)
	if err != nil {
		return err
	}
	return indexTree(ctx, c, t, out)
}
