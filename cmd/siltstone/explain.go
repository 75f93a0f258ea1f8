package main

import (
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/spf13/cobra"
)

func (t *tool) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain DIR KEY",
		GroupID: groupLook,
		Short:   "Show why a read of a key returns what it does",
		Long: `Show, source by source, where a read looks for a key and what is there: the
versions of the key in memory and in tables, tombstones over it, and which of
them decides. The arrow stands at that one, and the last line is the answer.
A key that is absent is an answer too: the exit code is 0.`,
		Example: `  siltstone explain /var/lib/app/store user:1
  siltstone explain /var/lib/app/store user:1 --keyspace tenant --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := t.key(args[1])
			if err != nil {
				return err
			}
			return t.readStore(args[0], func(_ *siltstone.DB, s reading) error { return t.explain(s, key) })
		},
	}
	return t.keyFlags(cmd)
}

// explaining is what a store and a keyspace both have.
type explaining interface {
	Explain(key []byte) (explain.Explanation, error)
}

func (t *tool) explain(s reading, key []byte) error {
	e, err := s.(explaining).Explain(key)
	if err != nil {
		return err
	}
	if t.json {
		j := t.out.object()
		j.Bytes("key", key)
		j.Any("explanation", e)
		return t.out.write()
	}
	for line := range strings.Lines(e.String()) {
		if text := strings.TrimSuffix(line, "\n"); !strings.HasPrefix(text, "=>") {
			line = cut(text, t.out.width) + "\n"
		}
		t.out.printf("%s", line) // the answer whole
	}
	return nil
}
