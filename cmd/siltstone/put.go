package main

import (
	"fmt"
	"io"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

// writeFlag adds --write, without which a command that changes a store refuses.
func writeFlag(cmd *cobra.Command, write *bool) {
	cmd.Flags().BoolVar(write, "write", false, "change the store, which is not done without it")
}

// mayWrite refuses a command without --write.
func mayWrite(write bool, command string) error {
	if !write {
		return usageError{advise(fmt.Errorf("%s changes the store", command), "add --write if that is meant")}
	}
	return nil
}

// writeStore opens the store in dir for writing, calls fn with the keyspace of the flag,
// and closes it. What fn wrote is durable then.
func (t *tool) writeStore(dir string, fn func(siltstone.ReadWriter) error) (err error) {
	db, err := t.openWrite(dir)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	space, err := t.space(db)
	if err != nil {
		return err
	}
	return fn(space)
}

func (t *tool) putCommand() *cobra.Command {
	var write bool
	var ttl time.Duration
	var file string
	cmd := &cobra.Command{
		Use:     "put DIR KEY [VALUE]",
		GroupID: groupWrite,
		Short:   "Set a key to a string",
		Long: `Set a key to a string, durably. A value of any type that the key held is
replaced, and a time to live cleared. The value is taken as it is: the argument,
or the content of --file, "-" being standard input.`,
		Example: `  siltstone put /var/lib/app/store user:1 Ada --write
  siltstone put /var/lib/app/store img:7 --file img7.png --ttl 24h --write`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := mayWrite(write, "put"); err != nil {
				return err
			}
			key, err := t.key(args[1])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("ttl") && ttl <= 0 {
				return usagef("--ttl %v: a time to live is above zero", ttl)
			}
			value, err := t.putValue(args[2:], file)
			if err != nil {
				return err
			}
			return t.writeStore(args[0], func(s siltstone.ReadWriter) error {
				if ttl > 0 {
					return s.PutTTL(key, value, ttl)
				}
				return s.Put(key, value)
			})
		},
	}
	writeFlag(cmd, &write)
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "time to live, such as 90s or 24h; none without it")
	cmd.Flags().StringVar(&file, "file", "", "read the value from this file; - is standard input")
	return t.keyFlags(cmd)
}

// putValue returns the value of put, of which there is exactly one.
func (t *tool) putValue(args []string, file string) ([]byte, error) {
	if (len(args) == 1) == (file != "") {
		return nil, usagef("give the value as an argument or with --file")
	}
	if len(args) == 1 {
		return []byte(args[0]), nil
	}
	in, _, err := t.input([]string{file})
	if err != nil {
		return nil, err
	}
	defer in.Close() // it was only read
	value, err := io.ReadAll(io.LimitReader(in, siltstone.MaxValueLen+1))
	if err == nil && len(value) > siltstone.MaxValueLen {
		err = fmt.Errorf("the value has more than %s: %w", size(siltstone.MaxValueLen), siltstone.ErrValueTooLarge)
	}
	return value, err
}
