// Command sessions is a small HTTP service that keeps all of its state in a
// Siltstone store: who is signed in, how often each client has asked, and a
// leaderboard.
//
//	go run ./examples/sessions
//	curl -c jar -d user=ada localhost:8080/login            sign in; the cookie goes into the file jar
//	curl -b jar localhost:8080/me                           who am I; keeps the session alive
//	curl -b jar -d points=30 localhost:8080/score           add points
//	curl 'localhost:8080/leaderboard?top=10&around=ada'     the best, and who stands near ada
//	curl -b jar -X POST localhost:8080/logout               sign out
//
// The store is in the directory -dir, so all of it is still there after a
// restart, and after kill -9 too. A page about the store is on a listener of its
// own: http://localhost:8081/debug/store.
//
// The handlers are in service.go; session.go, limit.go and board.go each show
// one use of the store, and say which durability they chose and why.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	c, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil: // told already, with the usage
		os.Exit(2)
	}
	// The first signal ends the service in good order, the second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := serve(ctx, c, slog.Default()); err != nil {
		slog.Error("sessions", "err", err)
		os.Exit(1)
	}
}

// config is the command line.
type config struct {
	addr  string
	admin string
	dir   string
}

// parse reads the command line. It writes what is wrong with it to stderr.
func parse(args []string, stderr io.Writer) (config, error) {
	var c config
	f := flag.NewFlagSet("sessions", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.addr, "addr", "localhost:8080", "address of the service")
	f.StringVar(&c.admin, "admin", "localhost:8081", "address of the page about the store; nobody is asked for a password")
	// A fixed name, so that a second run finds the first one's sessions.
	f.StringVar(&c.dir, "dir", filepath.Join(os.TempDir(), "siltstone-sessions"), "directory of the store")
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
