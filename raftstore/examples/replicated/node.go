package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/raftstore"
)

// The commands of the store. They run on every node.
var (
	commands raftstore.Commands

	put = raftstore.Register(&commands, "put", func(tx *siltstone.Tx, a pair) (bool, error) {
		return true, tx.Put([]byte(a.Key), []byte(a.Value))
	})
	// appendTo returns the length of the list.
	appendTo = raftstore.Register(&commands, "append", func(tx *siltstone.Tx, a pair) (int64, error) {
		return tx.List(a.Key).PushBack([]byte(a.Value))
	})
)

type pair struct{ Key, Value string }

// serve runs one node until it is interrupted.
func serve(dir string, size, base, index int) error {
	c := processes{dir: dir, size: size, base: base}
	var members []raftstore.Member
	for i := range size {
		members = append(members, raftstore.Member{ID: fmt.Sprint("node-", i), Addr: c.raft(i)})
	}
	s, err := raftstore.Open(raftstore.Options{
		ID: members[index].ID, Addr: members[index].Addr, Dir: filepath.Join(dir, members[index].ID),
		Commands: &commands, Bootstrap: members,
		Raft: func(c *raft.Config) { // one machine: notice in less than a second
			c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 500*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond
			c.SnapshotThreshold, c.SnapshotInterval = 2000, 2*time.Second
		},
	})
	if err != nil {
		return err
	}
	front := &http.Server{Addr: c.http(index), Handler: handler(s)}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		front.Close()
	}()
	if err := front.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, s.Close())
	}
	return s.Close()
}

// handler is the HTTP front of a node. What is asked of one that does not lead goes to
// the leader.
func handler(s *raftstore.Store) http.Handler {
	mux := http.NewServeMux()
	change := func(do func(ctx context.Context, id [16]byte, r *http.Request) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			id, err := requestID(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			v, err := do(ctx, id, r)
			answer(w, v, err)
		}
	}
	mux.HandleFunc("POST /put", change(func(ctx context.Context, id [16]byte, r *http.Request) (any, error) {
		return put.DoOnce(ctx, s, id, pair{r.FormValue("key"), r.FormValue("value")})
	}))
	mux.HandleFunc("POST /append", change(func(ctx context.Context, id [16]byte, r *http.Request) (any, error) {
		return appendTo.DoOnce(ctx, s, id, pair{r.FormValue("list"), r.FormValue("item")})
	}))
	read := func(fn func(tx *siltstone.Tx, r *http.Request) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			level := map[string]raftstore.Read{"local": raftstore.LocalRead, "leased": raftstore.LeasedRead}[r.FormValue("read")]
			var v any
			err := s.View(ctx, level, func(tx *siltstone.Tx) (err error) {
				v, err = fn(tx, r)
				return err
			})
			answer(w, v, err)
		}
	}
	mux.HandleFunc("GET /get", read(func(tx *siltstone.Tx, r *http.Request) (any, error) {
		v, err := tx.Get([]byte(r.FormValue("key")))
		return string(v), err
	}))
	mux.HandleFunc("GET /list", read(func(tx *siltstone.Tx, r *http.Request) (any, error) {
		items := []string{}
		for item, err := range tx.List(r.FormValue("name")).Range(0, -1) {
			if err != nil {
				return nil, err
			}
			items = append(items, string(item))
		}
		return items, nil
	}))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) { answer(w, s.Metrics(), nil) })
	mux.HandleFunc("GET /checksum", func(w http.ResponseWriter, r *http.Request) {
		sum, err := s.Checksum(r.Context())
		answer(w, sum.String(), err)
	})
	return mux
}

// requestID returns the id that a client gives a change which it may send again: 32 hex
// digits in the header Idempotency-Key. Without it each request is a change of its own.
func requestID(r *http.Request) (id [16]byte, err error) {
	text := r.Header.Get("Idempotency-Key")
	if text == "" {
		return newID(), nil
	}
	if len(text) != 2*len(id) {
		return id, errors.New("Idempotency-Key has 32 hex digits")
	}
	_, err = hex.Decode(id[:], []byte(text))
	return id, err
}

// answer writes a value as JSON, or an error.
func answer(w http.ResponseWriter, v any, err error) {
	var refused *raftstore.CommandError
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the client has gone
	case errors.Is(err, siltstone.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.As(err, &refused):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	default:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}
