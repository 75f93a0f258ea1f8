// Goindex proves that what examples/goindex put into its store is there: it reads
// every file back and compares it with the source.
//
//	go run ./examples/goindex          index GOROOT
//	go run ./harness/goindex           compare the index with GOROOT
//	go run ./harness/goindex -crash    kill a loading process and see what is left
//
// It exits 1 if the index is not the source, or if anything that was committed is
// lost.
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

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/examples/goindex/index"
)

func main() {
	c := parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, c, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "goindex:", err)
		os.Exit(1)
	}
}

// config is the command line.
type config struct {
	source string // tree that was indexed
	store  string
	limit  int // files
	crash  bool
	acks   bool
}

func parse(args []string) (c config) {
	f := flag.NewFlagSet("goindex", flag.ExitOnError)
	f.StringVar(&c.source, "src", "", "source tree (default: go env GOROOT)")
	f.StringVar(&c.store, "dir", index.StoreDir(), "directory of the store")
	f.IntVar(&c.limit, "n", math.MaxInt, "the first n files only, as if there were no others")
	f.BoolVar(&c.crash, "crash", false, "kill a loading process and judge what is left, in a temporary store")
	f.BoolVar(&c.acks, "acks", false, "load only, and print each package when its commit has returned (for -crash)")
	_ = f.Parse(args)
	return c
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
	switch {
	case c.acks:
		return acknowledge(ctx, c, t, out)
	case c.crash:
		return crash(ctx, c, t, out)
	}
	db, err := siltstone.Open(c.store, &siltstone.Options{MustExist: true})
	if err != nil {
		return err
	}
	return errors.Join(compare(ctx, db, t, out), db.Close())
}
