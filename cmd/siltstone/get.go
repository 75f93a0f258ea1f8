package main

import (
	"errors"
	"fmt"

	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

func (t *tool) getCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get DIR KEY",
		GroupID: groupLook,
		Short:   "Print the value of a string",
		Long: `Print the value of a key that holds a string. With --format raw exactly its
bytes are written, without a newline. If there is no such key the exit code
is 3. What other types hold is shown by show.`,
		Example: `  siltstone get /var/lib/app/store user:1
  siltstone get /var/lib/app/store img:7 --format raw > img7.png`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := t.key(args[1])
			if err != nil {
				return err
			}
			return t.readStore(args[0], func(_ *siltstone.DB, s reading) error { return t.get(s, key) })
		},
	}
	return t.keyFlags(cmd)
}

func (t *tool) get(s reading, key []byte) error {
	value, err := s.Get(key)
	if err != nil {
		return t.onKey(err, key)
	}
	switch {
	case t.json:
		deadline, err := s.Key(string(key)).Deadline()
		if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
			return err
		}
		j := t.out.object()
		j.Bytes("key", key)
		j.Bytes("value", value)
		j.Time("expires", deadline)
		return t.out.write()
	case t.format == formatRaw:
		_, err = t.out.Write(value)
	default:
		_, err = t.out.WriteString(t.format.show(value) + "\n")
	}
	return err
}

// onKey says of an error of a call on key what to do.
func (t *tool) onKey(err error, key []byte) error {
	switch {
	case errors.Is(err, siltstone.ErrNotFound):
		return advise(codeError{exitNotFound, fmt.Errorf("there is no key %s", t.format.showSafe(key))},
			"siltstone explain DIR KEY shows why; keys of a named keyspace need --keyspace")
	case errors.Is(err, siltstone.ErrWrongType):
		return advise(err, "siltstone show DIR KEY shows what a key of any type holds")
	}
	return err
}
