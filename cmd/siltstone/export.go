package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/entry"
	"github.com/siltstonedb/siltstone/cmd/siltstone/internal/jsonline"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/spf13/cobra"
)

func (t *tool) exportCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:     "export DIR [FILE] --to FORMAT",
		GroupID: groupMove,
		Short:   "Write the strings of a keyspace as csv or ndjson",
		Long: `Write the keys of one keyspace that hold strings, with their values and
deadlines, for other programs: as csv with a line of names, or as lines of JSON.
What is no UTF-8 stands in base64, in a column or field whose name ends in 64.
import reads both.

Hashes, sets, sorted sets and lists have no place in two columns: they are
counted and left out, and the exit code is then 1. dump writes everything.`,
		Example: `  siltstone export /var/lib/app/store users.csv --to csv --keyspace users
  siltstone export /var/lib/app/store --to ndjson | jq .key`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != "csv" && to != "ndjson" {
				return usagef("--to %s: export writes csv and ndjson", cmp.Or(to, "is missing"))
			}
			return t.readStore(args[0], func(db *siltstone.DB, s reading) error {
				ks, _ := s.(*siltstone.Keyspace) // nil is the default one
				return t.export(cmd.Context(), db, ks, to, args[1:])
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "format: csv, ndjson")
	choices(cmd, "to", "csv", "ndjson")
	t.keyspaceFlag(cmd)
	return cmd
}

func (t *tool) export(ctx context.Context, db *siltstone.DB, ks *siltstone.Keyspace, to string, file []string) error {
	begin := time.Now()
	p := t.progress("export", "key", 0)
	defer p.End()
	var keys, leftOut int64
	err := t.toFile(file, func(w io.Writer) error {
		p.besides(w)
		write, flush := ndjsonTo(w)
		if to == "csv" {
			write, flush = csvTo(w)
		}
		for e, err := range entry.WalkSpace(ctx, db, ks) {
			if err != nil {
				return err
			}
			if e.Type != typed.TypeString {
				if e.Part == 1 {
					leftOut++
				}
				continue
			}
			if err := write(e); err != nil {
				return err
			}
			keys++
			p.Add(1)
		}
		return flush()
	})
	if err != nil {
		return err
	}
	p.note("%s in %s", counted(keys, "key"), lasting(time.Since(begin)))
	if leftOut > 0 {
		hold := "hold"
		if leftOut == 1 {
			hold = "holds"
		}
		return advise(fmt.Errorf("%s that %s no string: left out", counted(leftOut, "key"), hold), "siltstone dump writes all types")
	}
	return nil
}

// ndjsonTo returns functions that write an entry as a line of JSON, and end the writing.
func ndjsonTo(w io.Writer) (write func(*entry.Entry) error, flush func() error) {
	var j jsonline.Object
	return func(e *entry.Entry) error {
		j.Reset()
		j.Bytes("key", e.Key)
		j.Bytes("value", e.Value)
		j.Time("expires", e.Expires)
		_, err := w.Write(j.Line())
		return err
	}, func() error { return nil }
}

// csvTo returns functions that write an entry as a row behind a line of names, and end the
// writing. Key and value each stand in one of two columns.
func csvTo(w io.Writer) (write func(*entry.Entry) error, flush func() error) {
	c := csv.NewWriter(w)
	row := []string{"key", "key64", "value", "value64", "expires"}
	err := c.Write(row)
	return func(e *entry.Entry) error {
			if err != nil {
				return err
			}
			row[0], row[1] = columns(e.Key)
			row[2], row[3] = columns(e.Value)
			if row[4] = ""; !e.Expires.IsZero() {
				row[4] = strconv.FormatInt(e.Expires.UnixMilli(), 10)
			}
			return c.Write(row)
		}, func() error {
			c.Flush()
			return c.Error()
		}
}

// columns returns b as text, or else in base64. A reader of CSV makes "\r\n" a newline, so
// what has a carriage return is not text here.
func columns(b []byte) (text, coded string) {
	for _, c := range b {
		if c == '\r' {
			return "", base64.StdEncoding.EncodeToString(b)
		}
	}
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}
