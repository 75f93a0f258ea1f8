package raftstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// Options are the settings of a replica. ID, Addr, Dir and Commands are needed.
type Options struct {
	// ID names the replica in the cluster, for ever: a replica that has lost its
	// directory comes back under another ID, without Bootstrap, and the old one is
	// removed. Under the old ID it would vote as if it had never acknowledged anything,
	// and what only it and one that is lost had could be lost with it.
	ID string
	// Addr is the address, host:port, at which the others reach the replica.
	Addr string
	// Dir is the directory of the replica. It holds the log, the store and snapshots.
	Dir string
	// Commands are what changes the store.
	Commands *Commands
	// Keyspaces are the named keyspaces that commands use, the same on every replica. In
	// addresses them. They are made by Open.
	Keyspaces []string
	// Bootstrap is the first set of voters, this replica among them. It counts when the
	// cluster begins, on every member of the list, and is nothing to a replica that has
	// a log. A replica that is added later has none.
	Bootstrap []Member
	// TLS, if it is given, is used on both ends of every connection. It must have a
	// certificate, RootCAs and ClientCAs, and ClientAuth must be
	// tls.RequireAndVerifyClientCert. Nil: the network is trusted.
	TLS *tls.Config
	// Store are the options of the store. Its Clock, LogicalClock, Durability and MaxTxBytes
	// are not used: the log is synced, and the store follows it; what a command changes is
	// in memory until it ends, and has no bound. ReadOnly and Beside are refused. FS holds
	// the log and the snapshots, too.
	Store *siltstone.Options
	// Tick is how often the leader tells the time when no command does. What expires does
	// so when the log reaches that time. Zero is a second; negative: only commands tell it.
	Tick time.Duration
	// Listener takes connections in the place of one that Open makes at Addr. Close closes
	// it.
	Listener net.Listener
	// Dial connects to another replica. Nil is TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// OnEvent receives the replica's events, one at a time. It is called by the goroutine
	// in which the event happened, which may be raft's. So it must not block, and of the
	// Store it may call Metrics and Leader alone. Nil is none.
	OnEvent func(Event)
	// Raft changes raft's own settings: timeouts, how often snapshots are taken, its
	// Logger. Nil changes none.
	Raft func(*raft.Config)
	// LogOutput takes what raft logs. Nil is silence.
	LogOutput io.Writer
}

// Member is a replica of a cluster.
type Member struct {
	ID, Addr string
	Voter    bool // it counts in elections and commits; those of Options.Bootstrap are voters
}

// Errors of a replicated store. Compare with errors.Is.
var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("raftstore: closed")
	// ErrStopped is returned by a replica that had to stop: it could not apply a command,
	// and would have differed from the others. The error says why.
	ErrStopped = errors.New("raftstore: the replica has stopped")
	// ErrNoLeader is returned when there was no leader until the context or the time for
	// retries ended. The command has not been applied.
	ErrNoLeader = errors.New("raftstore: there is no leader")
	// ErrIndeterminate is returned when it is not known whether the command was, or will
	// be, applied.
	ErrIndeterminate = errors.New("raftstore: the command may have been applied")
	// ErrTooLarge is returned for a command whose argument is larger than 16 MiB.
	ErrTooLarge = errors.New("raftstore: the command is too large")
)

func (o *Options) check() error {
	switch {
	case o.ID == "" || o.Addr == "" || o.Dir == "" || o.Commands == nil:
		return errors.New("raftstore: options ID, Addr, Dir and Commands are needed")
	case o.TLS != nil && (o.TLS.ClientAuth != tls.RequireAndVerifyClientCert || o.TLS.RootCAs == nil || o.TLS.ClientCAs == nil):
		return errors.New("raftstore: option TLS: both ends are to prove who they are: ClientAuth, RootCAs and ClientCAs are needed")
	}
	if err := o.Commands.mistake(); err != nil {
		return err
	}
	if s := o.Store; s != nil && (s.ReadOnly || s.Beside) {
		return errors.New("raftstore: option Store: ReadOnly and Beside make no replica")
	}
	for _, name := range o.Keyspaces {
		if name == metaKeyspace {
			return fmt.Errorf("raftstore: option Keyspaces: %q is taken", name)
		}
	}
	for _, m := range o.Bootstrap {
		if m.ID == o.ID {
			return nil
		}
	}
	if len(o.Bootstrap) > 0 {
		return fmt.Errorf("raftstore: option Bootstrap: %q is not in it", o.ID)
	}
	return nil
}
