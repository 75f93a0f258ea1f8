package raftstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/siltstonedb/siltstone"
)

// Commands are the functions that change a replicated store, by name. Every replica must
// have the same ones. The zero value has none; it is safe for concurrent use.
type Commands struct {
	mu   sync.RWMutex
	runs map[string]run
	err  error // the first mistake of a Register
}

// run runs a command on encoded arguments. A failure of the transaction aside, its
// result or error depends on the store, the time, the seed and arg alone.
type run func(tx *siltstone.Tx, arg []byte) ([]byte, error)

// Command is a registered command with the types of its argument and result.
type Command[T, R any] struct{ name string }

// Register registers fn as a command under a name. The name must be new and not empty,
// and fn not nil: Commands keep the first mistake, and Open returns it. Nil Commands take
// none, and Open refuses them.
//
// fn runs on every replica, in a transaction at the time that the leader gave the
// command. It must do the same everywhere: it reads and writes through tx alone, takes
// the time from tx.Now and chance from Random and Pop of typed values, and depends on no
// order of a Go map. It may run several times. An error that it returns, and a panic, is
// its result: the transaction is dropped and Do returns a *CommandError on the node that
// asked. Argument and result travel as JSON.
//
// A command that is in the log must stay registered: a replica that does not know it
// stops.
func Register[T, R any](c *Commands, name string, fn func(tx *siltstone.Tx, arg T) (R, error)) Command[T, R] {
	if c == nil {
		return Command[T, R]{name}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case name == "" || len(name) > maxName || fn == nil:
		c.refuse(fmt.Errorf("raftstore: the command %q has no name or function, or a name of more than %d bytes", name, maxName))
		return Command[T, R]{name}
	case c.runs[name] != nil:
		c.refuse(fmt.Errorf("raftstore: there is a command %q already", name))
		return Command[T, R]{name}
	case c.runs == nil:
		c.runs = map[string]run{}
	}
	c.runs[name] = func(tx *siltstone.Tx, arg []byte) ([]byte, error) {
		var a T
		if err := json.Unmarshal(arg, &a); err != nil {
			return nil, fmt.Errorf("the argument: %w", err)
		}
		r, err := fn(tx, a)
		if err != nil {
			return nil, err
		}
		return json.Marshal(r)
	}
	return Command[T, R]{name}
}

// refuse keeps the first mistake. The caller holds mu.
func (c *Commands) refuse(err error) {
	if c.err == nil {
		c.err = err
	}
}

// mistake returns the first mistake of a Register, or nil.
func (c *Commands) mistake() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.err
}

// Do runs the command on s and returns its result, as Store.Do does.
func (c Command[T, R]) Do(ctx context.Context, s *Store, arg T) (R, error) {
	var result R
	a, err := json.Marshal(arg)
	if err != nil {
		return result, err
	}
	b, err := s.Do(ctx, c.name, a)
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(b, &result)
}

// DoOnce runs the command on s with an id of the caller's, as Store.DoOnce does.
func (c Command[T, R]) DoOnce(ctx context.Context, s *Store, id [16]byte, arg T) (R, error) {
	var result R
	a, err := json.Marshal(arg)
	if err != nil {
		return result, err
	}
	b, err := s.DoOnce(ctx, id, c.name, a)
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(b, &result)
}

// find returns the command of a name, nil if there is none.
func (c *Commands) find(name string) run {
	if c == nil {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.runs[name]
}

// CommandError is the error of a command: a result, on which all replicas agree. The
// command has changed nothing.
type CommandError struct {
	Command string // its name
	Text    string // of the error that it returned
}

// Error names the command and says what it returned.
func (e *CommandError) Error() string {
	return fmt.Sprintf("raftstore: command %s: %s", e.Command, e.Text)
}

// spacesKey is the key of the keyspaces of a store in the context of its transactions.
type spacesKey struct{}

// In returns tx addressing the keyspace of that name, which must be in
// Options.Keyspaces. It is for commands and for the functions of View.
func In(tx *siltstone.Tx, name string) (*siltstone.Tx, error) {
	spaces, _ := tx.Context().Value(spacesKey{}).(map[string]*siltstone.Keyspace)
	ks := spaces[name]
	if ks == nil {
		return nil, fmt.Errorf("raftstore: there is no keyspace %q in Options.Keyspaces", name)
	}
	return tx.In(ks), nil
}

// guarded runs a command and makes an error of its panic.
func guarded(r run, tx *siltstone.Tx, arg []byte) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	return r(tx, arg)
}

// errUnknownCommand stops a replica that has no function for a command of the log.
var errUnknownCommand = errors.New("raftstore: there is no such command")
