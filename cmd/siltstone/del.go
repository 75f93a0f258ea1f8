package main

import (
	"github.com/siltstonedb/siltstone"
	"github.com/spf13/cobra"
)

func (t *tool) delCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:     "del DIR KEY...",
		GroupID: groupWrite,
		Short:   "Delete keys of any type",
		Long: `Delete keys, whatever they hold, together and durably, and print how many there
were. Collections go with all their elements. If there was none the exit code
is 3.`,
		Example: `  siltstone del /var/lib/app/store user:1 user:2 --write
  siltstone del /var/lib/app/store '"with space"' --write`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := mayWrite(write, "del"); err != nil {
				return err
			}
			var names []string
			for _, arg := range args[1:] {
				key, err := t.key(arg)
				if err != nil {
					return err
				}
				names = append(names, string(key))
			}
			return t.writeStore(args[0], func(s siltstone.ReadWriter) error { return t.del(s, names) })
		},
	}
	writeFlag(cmd, &write)
	return t.keyFlags(cmd)
}

func (t *tool) del(s siltstone.ReadWriter, names []string) error {
	n, err := s.Keys().Drop(names...)
	if err != nil {
		return err
	}
	if t.json {
		t.out.object().Int("deleted", int64(n))
		err = t.out.write()
	} else {
		t.out.printf("%d deleted\n", n)
	}
	if n == 0 && err == nil {
		err = codeError{code: exitNotFound}
	}
	return err
}
