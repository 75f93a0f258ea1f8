package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

// keysOptions are the flags of keys.
type keysOptions struct {
	kind  string
	long  bool
	count bool
	limit int64
	after string
}

func (t *tool) keysCommand() *cobra.Command {
	var o keysOptions
	cmd := &cobra.Command{
		Use:     "keys DIR [GLOB]",
		Aliases: []string{"ls"},
		GroupID: groupLook,
		Short:   "List keys by glob and type",
		Long: `List the keys that match a glob: * any bytes, ? one, [a-z] one of a class,
\ takes the next byte as it is. Without a glob all keys are listed. What stands
before the first special byte narrows the walk.

With --long each line has the type, the time to live ("-": none) and the key.`,
		Example: `  siltstone keys /var/lib/app/store 'user:*'
  siltstone ls /var/lib/app/store --long --type hash --limit 20`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			choice, err := t.keyChoice(o, args[1:])
			if err != nil {
				return err
			}
			return t.readStore(args[0], func(_ *siltstone.DB, s reading) error { return t.keys(s, o, choice) })
		},
	}
	cmd.Flags().StringVar(&o.kind, "type", "", "only this type: string, hash, set, zset, list")
	choices(cmd, "type", "string", "hash", "set", "zset", "list")
	cmd.Flags().BoolVarP(&o.long, "long", "l", false, "show type and time to live")
	cmd.Flags().BoolVar(&o.count, "count", false, "show how many there are, and no keys")
	limitFlag(cmd, &o.limit, 0, "at most so many; 0: all")
	cmd.Flags().StringVar(&o.after, "after", "", "only keys above this one, to go on with a list")
	return t.keyFlags(cmd)
}

// keyChoice makes of the flags and the glob what the store is asked.
func (t *tool) keyChoice(o keysOptions, glob []string) (typed.KeyOptions, error) {
	var choice typed.KeyOptions
	if len(glob) > 0 {
		b, err := t.bytes(glob[0])
		if err != nil {
			return choice, err
		}
		choice.Match = string(b)
	}
	after, err := t.bytes(o.after)
	if err != nil {
		return choice, err
	}
	choice.After = string(after)
	choice.Type, err = parseType(o.kind)
	return choice, err
}

// parseType returns the type with that name; the empty name is any.
func parseType(name string) (typed.Type, error) {
	if name == "" {
		return typed.TypeNone, nil
	}
	for _, k := range []typed.Type{typed.TypeString, typed.TypeHash, typed.TypeSet, typed.TypeZSet, typed.TypeList} {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, usagef("%q is no type; there are string, hash, set, zset, list", name)
}

func (t *tool) keys(s reading, o keysOptions, choice typed.KeyOptions) error {
	var n int64
	for k, err := range s.Keys().All(choice) {
		if err != nil {
			return err
		}
		if o.limit > 0 && n == o.limit {
			break
		}
		n++
		if o.count {
			if err := t.out.ctx.Err(); err != nil {
				return err
			}
			continue
		}
		if err := t.keyLine(k, o.long); err != nil {
			return err
		}
	}
	if !o.count {
		return nil
	}
	if t.json {
		t.out.object().Int("keys", n)
		return t.out.write()
	}
	t.out.printf("%d\n", n)
	return nil
}

// keyLine writes one key.
func (t *tool) keyLine(k typed.Key, long bool) error {
	name := []byte(k.Name())
	if !long && !t.json {
		return t.out.row(nil, t.format.show(name))
	}
	kind, err := k.Type()
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil // it has expired meanwhile
	}
	if err != nil {
		return err
	}
	deadline, err := k.Deadline()
	if err != nil && !errors.Is(err, siltstone.ErrNotFound) {
		return err
	}
	if t.json {
		j := t.out.object()
		j.Bytes("key", name)
		j.Text("type", kind.String())
		j.Time("expires", deadline)
		return t.out.write()
	}
	return t.out.row([]int{6, 9}, fmt.Sprint(kind), ttlText(deadline), t.format.show(name))
}

// ttlText returns the time until a deadline, "-" if there is none.
func ttlText(deadline time.Time) string {
	if deadline.IsZero() {
		return "-"
	}
	return lasting(max(0, time.Until(deadline)))
}
