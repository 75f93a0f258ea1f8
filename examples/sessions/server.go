package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/debughttp"
)

// patience is how long requests in progress may take when the service ends.
const patience = 10 * time.Second

// serve opens the store and serves until ctx ends. Then it takes no more
// connections, lets the requests in progress finish, and closes the store, in
// this order: a handler never meets a closed store.
func serve(ctx context.Context, c config, log *slog.Logger) (err error) {
	// The default durability is SyncDurability. Calls that can do with less say so.
	db, err := siltstone.Open(c.dir, &siltstone.Options{Logger: log})
	if err != nil {
		return err
	}
	defer func() {
		// Closing writes what is in memory to tables. If it fails, nothing is lost
		// that was durable, but somebody should know.
		if e := db.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("closing the store: %w", e))
		}
		log.Info("store closed", "dir", c.dir)
	}()
	s, err := newService(db, defaults)
	if err != nil {
		return err
	}
	public, err := listen(c.addr, s.handler())
	if err != nil {
		return err
	}
	defer public.Close()
	page := http.NewServeMux()
	page.Handle("/debug/store", debughttp.Handler(db))
	admin, err := listen(c.admin, page)
	if err != nil {
		return err
	}
	defer admin.Close()
	log.Info("serving", "addr", "http://"+public.Addr, "store", "http://"+admin.Addr+"/debug/store", "dir", c.dir)

	return both(ctx, public, admin)
}

// server is an HTTP server with its listener.
type server struct {
	http.Server // Addr is where it really listens
	listener    net.Listener
}

func listen(addr string, h http.Handler) (*server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &server{listener: l, Server: http.Server{
		Addr: l.Addr().String(), Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}}, nil
}

// both runs the servers until ctx ends or one of them fails, and returns when
// neither has a request in progress.
func both(ctx context.Context, servers ...*server) error {
	ended := make(chan error, len(servers))
	for _, s := range servers {
		go func() { ended <- s.Serve(s.listener) }()
	}
	running := len(servers)
	var first error
	select {
	case <-ctx.Done():
	case first = <-ended:
		running--
	}
	// ctx is over, the requests in progress are not.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for _, s := range servers {
		first = errors.Join(first, s.Shutdown(grace))
	}
	for range running {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			first = errors.Join(first, err)
		}
	}
	return first
}
