package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/resp"
	"github.com/spf13/cobra"
)

func (t *tool) serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:     "serve DIR",
		GroupID: groupCare,
		Short:   "Serve a store to clients of Redis",
		Long: `Answer the commands of Redis over the store, until an interrupt. The store is
opened for reading, beside a process that may be writing to it, unless --write
is given: then it is made if there is none, and nobody else may have it open.
--durability says what the reply to a write waits for.

It listens on loopback. On another address it wants users, and a certificate or
--plaintext. The file of --users has a line for each: NAME PASSWORD, and
readonly behind them for one who may not write. The name default is for AUTH
with a password alone.`,
		Example: `  siltstone serve /var/lib/app/store
  siltstone serve /var/lib/app/store --write --durability everysec`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.serve(cmd.Context(), args[0], &s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:6379", "address and port")
	f.BoolVar(&s.write, "write", false, "let clients write")
	f.StringVar(&s.durability, "durability", "sync", "sync, os, everysec or buffered")
	choices(cmd, "durability", "sync", "os", "everysec", "buffered")
	f.StringVar(&s.users, "users", "", "file with the users that may log in")
	f.StringVar(&s.cert, "tls-cert", "", "file with the certificate: clients use TLS")
	f.StringVar(&s.key, "tls-key", "", "file with its key")
	f.BoolVar(&s.plaintext, "plaintext", false, "listen beyond loopback without TLS")
	f.IntVar(&s.clients, "max-clients", 10_000, "how many connections there may be")
	f.DurationVar(&s.idle, "idle", 10*time.Minute, "end what is silent; -1s: never")
	f.BoolVar(&s.debug, "debug", false, "admit the command DEBUG, for test suites")
	return cmd
}

// serving is what the flags of serve say.
type serving struct {
	listen, durability, users, cert, key string
	write, plaintext, debug              bool
	clients                              int
	idle                                 time.Duration
}

// levels are the names of --durability, with what the replies wait for and how often the
// store is synced besides.
var levels = map[string]struct {
	level siltstone.Durability
	every time.Duration
}{
	"sync":     {siltstone.SyncDurability, 0},
	"os":       {siltstone.OSDurability, 0},
	"everysec": {siltstone.OSDurability, time.Second},
	"buffered": {siltstone.BufferedDurability, 0},
}

func (t *tool) serve(ctx context.Context, dir string, s *serving) (err error) {
	level, ok := levels[s.durability]
	if !ok {
		return usagef("--durability is sync, os, everysec or buffered, not %q", s.durability)
	}
	o := resp.Options{
		Writable: s.write, SoleWriter: s.write, Durability: level.level, MaxClients: s.clients, IdleTimeout: s.idle, Debug: s.debug,
		Logger: slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if o.Users, err = readUsers(s.users); err != nil {
		return err
	}
	l, err := s.listener(len(o.Users) > 0)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	db, err := t.openServed(dir, s.write)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	server, err := resp.NewServer(db, &o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	t.out.printf("%s is served on %s\n", dir, l.Addr())
	if err := t.out.Flush(); err != nil {
		return err
	}
	return t.serveUntil(ctx, db, server, l, level.every)
}

// openServed opens the store: with writes that nobody waits for, since the server waits
// once for all commands of a pipeline.
func (t *tool) openServed(dir string, write bool) (*siltstone.DB, error) {
	if !write {
		return t.openRead(dir, nil)
	}
	return openStore(dir, &siltstone.Options{MemoryLimit: t.memory.bytes, Durability: siltstone.BufferedDurability})
}

// serveUntil serves until the context ends. Meanwhile a store that is written is synced as
// often as was asked for, and one that is read beside its writer shows what is new.
func (t *tool) serveUntil(ctx context.Context, db *siltstone.DB, server *resp.Server, l net.Listener, every time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-tick.C:
			if err := t.everySecond(ctx, db, every > 0); err != nil {
				return err
			}
		}
	}
}

func (t *tool) everySecond(ctx context.Context, db *siltstone.DB, sync bool) error {
	if t.beside {
		if err := t.refresh(ctx, db); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	}
	if sync {
		return db.Sync()
	}
	return nil
}

// listener listens where the flags say, if that is safe.
func (s *serving) listener(users bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return nil, usagef("--listen is an address and a port, as 127.0.0.1:6379: %v", err)
	}
	if (s.cert == "") != (s.key == "") {
		return nil, usagef("--tls-cert and --tls-key belong together")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		switch {
		case !users:
			return nil, usagef("%s is not loopback: give --users, or everybody who reaches this machine has the store", s.listen)
		case s.cert == "" && !s.plaintext:
			return nil, usagef("%s is not loopback: give --tls-cert and --tls-key, or --plaintext to send passwords as they are", s.listen)
		}
	}
	var config *tls.Config
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return nil, codeError{exitError, err}
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// readUsers reads the file of users.
func readUsers(name string) (users []resp.User, err error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 2 || len(words) > 3 || len(words) == 3 && words[2] != "readonly" {
			return nil, fmt.Errorf("%s, line %d: want NAME PASSWORD, and perhaps readonly", name, i+1)
		}
		users = append(users, resp.User{Name: words[0], Password: words[1], ReadOnly: len(words) == 3})
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("%s: there is no user in it", name)
	}
	return users, nil
}
