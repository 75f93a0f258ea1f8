//go:build unix

package raftstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
)

// childNode is set in a process that is a replica: its nodeConfig, as JSON.
const childNode = "RAFTSTORE_CHILD_NODE"

func init() {
	programs[childNode] = func(arg string) {
		if err := runNode(arg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// nodeConfig is what a process is told. Addresses of members are names, which Routes
// makes ports of the proxies of this process.
type nodeConfig struct {
	ID, Dir   string
	Bootstrap []Member
	Routes    map[string]string
	Space     int64 // bytes that may be written; negative: no bound
}

// nodePorts is what a process answers on its standard output.
type nodePorts struct{ Raft, HTTP string }

// nodeCall is a call of a client, and nodeAnswer what became of it.
type (
	nodeCall struct {
		Kind, Key, Old, New string
		ID                  string // of a "tag", in hex
	}
	nodeAnswer struct {
		Value   string
		Swapped bool
		Tags    []string
		Nothing bool // it was not applied
		Err     string
	}
)

// runNode is a replica until its standard input ends.
func runNode(arg string) error {
	var cfg nodeConfig
	if err := json.Unmarshal([]byte(arg), &cfg); err != nil {
		return err
	}
	peers, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	disk := newSpace(cfg.Space)
	s, err := Open(Options{
		ID: cfg.ID, Addr: cfg.ID, Dir: cfg.Dir, Commands: &testCommands, Keyspaces: []string{"registers"}, Bootstrap: cfg.Bootstrap,
		Store: &siltstone.Options{MemoryLimit: 8 << 20, FS: disk}, Tick: 100 * time.Millisecond, Listener: peers,
		Raft: func(c *raft.Config) {
			often(c)
			c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 400*time.Millisecond, 400*time.Millisecond, 300*time.Millisecond
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			to := cfg.Routes[addr]
			if to == "" {
				return nil, fmt.Errorf("there is no way to %s", addr)
			}
			return new(net.Dialer).DialContext(ctx, "tcp", to)
		},
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: nodeHandler(s, disk)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(front) }()
	if err := json.NewEncoder(os.Stdout).Encode(nodePorts{peers.Addr().String(), front.Addr().String()}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return s.Close()
}

func nodeHandler(s *Store, disk *space) http.Handler {
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(v) // who asked has gone
	}
	mux.HandleFunc("POST /call", func(w http.ResponseWriter, r *http.Request) {
		var c nodeCall
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			reply(w, nil, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
		defer cancel()
		a, err := runCall(ctx, s, c)
		if err != nil {
			a.Err, a.Nothing = err.Error(), errors.Is(err, ErrNoLeader)
		}
		reply(w, a, nil)
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		reply(w, nodeMetrics{s.Metrics(), disk.refusals()}, nil)
	})
	mux.HandleFunc("GET /checksum", func(w http.ResponseWriter, r *http.Request) {
		sum, err := s.Checksum(r.Context())
		reply(w, sum, err)
	})
	mux.HandleFunc("POST /space", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
		if err == nil {
			disk.set(n)
		}
		reply(w, n, err)
	})
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		reply(w, true, s.AddVoter(r.FormValue("id"), r.FormValue("id")))
	})
	mux.HandleFunc("POST /remove", func(w http.ResponseWriter, r *http.Request) {
		reply(w, true, s.Remove(r.FormValue("id")))
	})
	return mux
}

// nodeMetrics are the figures of a replica and of its disk.
type nodeMetrics struct {
	Metrics
	NoSpace int // writes for which there was none
}

func runCall(ctx context.Context, s *Store, c nodeCall) (a nodeAnswer, err error) {
	switch c.Kind {
	case "tag":
		var id [16]byte
		if _, err := hex.Decode(id[:], []byte(c.ID)); err != nil {
			return a, err
		}
		return a, direct{s}.tag(ctx, id, c.New)
	case "tags":
		a.Tags, err = direct{s}.tags(ctx)
		return a, err
	}
	got, err := direct{s}.do(ctx, registerCall{key: c.Key, kind: c.Kind, old: c.Old, new: c.New})
	return nodeAnswer{Value: got.value, Swapped: got.swapped}, err
}
