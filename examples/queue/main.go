// Command queue delivers webhooks: it takes requests over HTTP, keeps them in a Siltstone
// store, and sends each until it is taken. It is a job queue with delays, retries and leases,
// in queue.go, for any kind of job.
//
//	go run ./examples/queue
//	curl -d url=http://localhost:9000/hook -d body=hello localhost:8080/jobs              send it now
//	curl -d url=http://localhost:9000/hook -d body=hello -d delay=10s localhost:8080/jobs … or later
//	curl localhost:8080/jobs                                 how many there are, and those given up
//	curl -X POST localhost:8080/jobs/ID/again                try one of these again
//
// A job that was taken is answered with 202 and survives kill -9 and power cuts. It is sent
// at least once: a receiver that must not act twice looks at the header Job-Id, which stays the
// same. A request that fails is sent again after 1 s, 2 s, 4 s and so on, eight times in all.
//
// It sends to any address that it is given: it is an example for a network of your own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/siltstonedb/siltstone"
)

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil: // told already, with the usage
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends it at once
	if err := serve(ctx, c, slog.Default()); err != nil {
		slog.Error("queue", "err", err)
		os.Exit(1)
	}
}

// config is the command line.
type config struct {
	addr    string
	dir     string
	workers int
}

// parse reads the command line. It writes what is wrong with it to stderr.
func parse(args []string, stderr io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("queue", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.addr, "addr", "localhost:8080", "address of the service")
	f.StringVar(&c.dir, "dir", filepath.Join(os.TempDir(), "siltstone-queue"), "directory of the store")
	f.IntVar(&c.workers, "workers", 8, "requests that are sent at once")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 || c.workers < 1 {
		err := fmt.Errorf("unexpected argument %q, or fewer than 1 worker", f.Arg(0))
		fmt.Fprintln(stderr, err)
		f.Usage()
		return c, err
	}
	return c, nil
}

// serve runs the service and its workers until the context ends. What runs then is broken off,
// and is due again when its lease is over.
func serve(ctx context.Context, c config, log *slog.Logger) (err error) {
	db, err := siltstone.Open(c.dir, &siltstone.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	q, err := newQueue(db, defaults)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	for range c.workers {
		workers.Go(func() { q.work(ctx, deliver, log) })
	}
	log.Info("serving", "addr", l.Addr().String(), "store", c.dir)
	srv := &http.Server{Handler: q.handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
