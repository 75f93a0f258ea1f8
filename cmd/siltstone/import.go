package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/foreign"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/rdb"
	"github.com/spf13/cobra"
)

// formats are what import reads: those of directories and files by name, and streams.
var (
	pathFormats = map[string]func(path string) iter.Seq2[*entry.Entry, error]{
		"bbolt": foreign.Bbolt, "badger": foreign.Badger, "leveldb": foreign.LevelDB,
	}
	streamFormats = map[string]func(io.Reader) iter.Seq2[*entry.Entry, error]{
		"redis-rdb": rdb.Read, "csv": foreign.CSV, "ndjson": foreign.NDJSON,
	}
	formatNames = []string{"bbolt", "badger", "leveldb", "redis-rdb", "csv", "ndjson"}
)

func (t *tool) importCommand() *cobra.Command {
	var from string
	var merge bool
	cmd := &cobra.Command{
		Use:     "import DIR SRC --from FORMAT",
		GroupID: groupMove,
		Short:   "Fill a store from bbolt, badger, leveldb, redis-rdb, csv or ndjson",
		Long: `Put what another store or a file holds into the store in DIR, which is made if
there is none. SRC is a file or directory; csv, ndjson and redis-rdb may be "-",
standard input.

  bbolt      a bucket is a keyspace, a nested one is called outer/inner
  badger     version 4, with times to live; the directory must not be open
  leveldb    keys and values
  redis-rdb  of Redis 2.2 to 8.4, with times to live of keys and fields; all
             types but streams and those of modules; database n above 0 is
             the keyspace dbN
  csv        key,value; a first line may name the columns: key, value,
             keyspace, expires, or key64, value64 in base64. UTF-8; within
             quotes CR LF is read as LF
  ndjson     {"key":…,"value":…} with the same names

What Siltstone cannot hold is named and left out, and the exit code is then 1.
A store that holds something is refused, unless --merge is given.`,
		Example: `  siltstone import /var/lib/app/store old.bolt --from bbolt
  siltstone import /var/lib/app/store dump.rdb --from redis-rdb`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(formatNames, from) {
				return usagef("--from %s: there are %s", cmp.Or(from, "is missing"), strings.Join(formatNames, ", "))
			}
			err := t.imported(cmd.Context(), args[0], args[1], from, merge)
			if errors.Is(err, entry.ErrDamaged) {
				err = codeError{exitDamage, err}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", strings.Join(formatNames, ", "))
	choices(cmd, "from", formatNames...)
	cmd.Flags().BoolVar(&merge, "merge", false, "import into a store that holds something")
	return cmd
}

// maxLeftOut is how many entries that are left out are named.
const maxLeftOut = 20

func (t *tool) imported(ctx context.Context, dir, src, from string, merge bool) error {
	var p *progress
	var entries iter.Seq2[*entry.Entry, error]
	if read, ok := pathFormats[from]; ok {
		p, entries = t.progress("import", "key", 0), read(src)
	} else {
		in, total, err := t.input([]string{src})
		if err != nil {
			return err
		}
		defer in.Close() // it was only read
		p = t.progress("import", "B", total)
		entries = streamFormats[from](countingReader{in, p})
	}
	defer p.End()
	next, stop := iter.Pull2(entries)
	defer stop()
	leftOut := int64(0)
	pull := func() (*entry.Entry, error) {
		for {
			e, err, ok := next()
			switch {
			case !ok:
				return nil, io.EOF
			case errors.Is(err, entry.ErrLeftOut):
				if leftOut++; leftOut <= maxLeftOut {
					p.say(safe(err.Error()))
				}
			default:
				if p.unit == "key" {
					p.Add(1)
				}
				return e, err
			}
		}
	}
	// The first entry is read before a store is made: most mistakes show then.
	first, err := pull()
	if err != nil && err != io.EOF {
		return err
	}
	err = t.fill(ctx, dir, merge, p, func() (*entry.Entry, error) {
		if first == nil && err == nil {
			return pull()
		}
		e, ferr := first, err
		first, err = nil, nil
		return e, ferr
	}, func() int64 { return leftOut })
	if err == nil && leftOut > 0 {
		err = advise(fmt.Errorf("%s left out", counted(leftOut, "key")), "everything else is in %s", dir)
	}
	return err
}
