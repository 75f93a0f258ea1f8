package main

import (
	"bytes"
	"iter"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	prefix, from, to string
	reverse, keys    bool
	limit            int64
}

func (t *tool) scanCommand() *cobra.Command {
	var o scanOptions
	cmd := &cobra.Command{
		Use:     "scan DIR",
		GroupID: groupLook,
		Short:   "Print keys with their values, in order",
		Long: `Print keys with type and value in bytewise order. The bounds are [from, to):
from is included and to is not. Of a collection the number of its elements is
shown in brackets.

On a terminal a line is cut at its edge; elsewhere lines are whole and have
tabs between key, type and value.`,
		Example: `  siltstone scan /var/lib/app/store --prefix user: --limit 10
  siltstone scan /var/lib/app/store --from b --to c --reverse --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := t.scanRange(o)
			if err != nil {
				return err
			}
			return t.readStore(args[0], func(_ *siltstone.DB, s reading) error { return t.scan(s, r, o) })
		},
	}
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only keys that begin with this")
	cmd.Flags().StringVar(&o.from, "from", "", "only keys from this one on")
	cmd.Flags().StringVar(&o.to, "to", "", "only keys below this one")
	cmd.Flags().BoolVar(&o.reverse, "reverse", false, "from the last key to the first")
	cmd.Flags().BoolVar(&o.keys, "keys-only", false, "leave the values unread")
	limitFlag(cmd, &o.limit, 0, "at most so many; 0: all")
	return t.keyFlags(cmd)
}

// scanRange makes a range of the flags.
func (t *tool) scanRange(o scanOptions) (r siltstone.Range, err error) {
	if o.prefix != "" && (o.from != "" || o.to != "") {
		return r, usagef("--prefix is a range of its own: give it, or --from and --to")
	}
	prefix, err := t.bytes(o.prefix)
	if err != nil {
		return r, err
	}
	r = siltstone.Prefix(prefix)
	if o.from != "" {
		if r.Lower, err = t.bytes(o.from); err != nil {
			return r, err
		}
	}
	if o.to != "" {
		r.Upper, err = t.bytes(o.to)
	}
	if err == nil && o.from != "" && o.to != "" && bytes.Compare(r.Lower, r.Upper) > 0 {
		err = usagef("--from %s is above --to %s: the bounds are in order, also with --reverse", t.format.showSafe(r.Lower), t.format.showSafe(r.Upper))
	}
	return r, err
}

// loopOf returns the loop that the flags choose.
func loopOf(s reading, r siltstone.Range, o scanOptions) iter.Seq2[siltstone.KV, error] {
	switch {
	case o.keys && o.reverse:
		return s.ScanKeysBack(r)
	case o.keys:
		return s.ScanKeys(r)
	case o.reverse:
		return s.ScanBack(r)
	}
	return s.Scan(r)
}

func (t *tool) scan(s reading, r siltstone.Range, o scanOptions) error {
	var n int64
	for kv, err := range loopOf(s, r, o) {
		if err != nil {
			return err
		}
		if o.limit > 0 && n == o.limit {
			break
		}
		n++
		elements := int64(-1)
		if kv.Type != typed.TypeString && !o.keys {
			if elements, err = length(s, kv.Type, string(kv.Key)); err != nil {
				return err
			}
		}
		if err := t.scanLine(kv, elements, o.keys); err != nil {
			return err
		}
	}
	return nil
}

// scanLine writes one key with its value, or with how many elements it has.
func (t *tool) scanLine(kv siltstone.KV, elements int64, keysOnly bool) error {
	if t.json {
		j := t.out.object()
		j.Bytes("key", kv.Key)
		j.Text("type", kv.Type.String())
		if elements >= 0 {
			j.Int("elements", elements)
		} else if !keysOnly {
			j.Bytes("value", kv.Value)
		}
		return t.out.write()
	}
	columns := []string{t.format.show(kv.Key), kv.Type.String()}
	if elements >= 0 {
		columns = append(columns, "("+counted(elements, elementNoun(kv.Type))+")")
	} else if !keysOnly {
		columns = append(columns, t.format.show(kv.Value))
	}
	return t.out.row([]int{24, 6}, columns...)
}

// length returns how many elements the collection called name has.
func length(s reading, kind typed.Type, name string) (int64, error) {
	switch kind {
	case typed.TypeHash:
		return s.Hash(name).Len()
	case typed.TypeSet:
		return s.Set(name).Len()
	case typed.TypeZSet:
		return s.ZSet(name).Len()
	}
	return s.List(name).Len()
}

// elementNoun is what an element of a collection is called.
func elementNoun(kind typed.Type) string {
	switch kind {
	case typed.TypeHash:
		return "field"
	case typed.TypeList:
		return "item"
	}
	return "member"
}
