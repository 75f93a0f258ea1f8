package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/spf13/cobra"
)

func (t *tool) debugCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "debug",
		GroupID: groupInner,
		Short:   "Draw one file of a store: a log, a manifest, a table",
		Long: `Draw one file of a store as docs/format describes it. The file is read and
nothing else: no store is opened, and the file may stand anywhere. What does
not verify is named with its offset, and the exit code is 4.`,
		Example: `  siltstone debug wal /var/lib/app/store/000012.wal --changes
  siltstone debug sst /var/lib/app/store/000003.sst --blocks`,
		Args:                       onlyCommands,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(t.debugWALCommand(), t.debugManifestCommand(), t.debugSSTCommand())
	return cmd
}

// openFile opens a file of a store for a debug command and calls fn with it, its size and
// its name in errors.
func openFile(path string, fn func(f *os.File, size int64) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return codeError{exitError, err}
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for whoever writes to it
		return advise(fmt.Errorf("%s is no regular file", path), "name one file of a store; siltstone info DIR is about the directory")
	}
	f, err := os.Open(path)
	if err != nil {
		return codeError{exitError, err}
	}
	defer f.Close() // it was only read
	return fn(f, info.Size())
}

// drawn is a field of a header: where it stands, its name and what it says.
type drawn struct {
	offset int64
	name   string
	value  string
}

// header draws the fields of a header, or writes them as one object.
func (t *tool) header(kind string, fields []drawn) error {
	if t.json {
		j := t.out.object()
		j.Text("part", kind)
		for _, f := range fields {
			j.Text(f.name, f.value)
		}
		return t.out.write()
	}
	b := table{right: []int{0}}
	for _, f := range fields {
		b.add(strconv.FormatInt(f.offset, 10), f.name, f.value)
	}
	t.out.printf("%s\n", kind)
	t.out.table(b)
	return nil
}

// millis returns a moment that a file has in milliseconds since 1970.
func millis(ms int64) string {
	if ms <= 0 {
		return "-"
	}
	return moment(time.UnixMilli(ms))
}

// row returns what a row key is: of which keyspace and key, or of which collection.
func (t *tool) row(key []byte) string {
	if expiry, id, ok := keyenc.ParseTimerRow(key); ok {
		return fmt.Sprintf("timer of #%d at %s", id, millis(expiry))
	}
	if lo, hi := keyenc.RegistryRange(); string(key) >= string(lo) && string(key) < string(hi) {
		return "keyspace " + t.format.showSafe(key[len(lo):])
	}
	prefix, rest, ok := keyenc.KeyspaceOf(key)
	if !ok || len(rest) == 0 {
		return "row " + t.format.showSafe(key)
	}
	in := ""
	if len(prefix) > 1 {
		in = fmt.Sprintf("keyspace %x: ", prefix[1:])
	}
	if rest[0] == keyenc.SpaceKeys {
		return in + t.format.showSafe(rest[1:])
	}
	id, tag, rest, ok := keyenc.ParseCollectionRow(rest)
	if !ok {
		return in + "row " + t.format.showSafe(key)
	}
	return in + fmt.Sprintf("#%d ", id) + t.element(tag, rest)
}

// element returns what a row of a collection is.
func (t *tool) element(tag byte, rest []byte) string {
	switch {
	case tag == keyenc.TagOwner:
		return "owner"
	case tag == keyenc.TagElement:
		return "element " + t.format.showSafe(rest)
	case tag == keyenc.TagScore:
		if score, ok := keyenc.DecodeScore(rest); ok {
			return fmt.Sprintf("score %v %s", score, t.format.showSafe(rest[keyenc.ScoreLen:]))
		}
	case tag == keyenc.TagBucket:
		return "bucket " + t.format.showSafe(rest)
	case tag == keyenc.TagItem:
		if index, ok := keyenc.DecodeItem(rest); ok {
			return fmt.Sprintf("item %d", index)
		}
	case tag == keyenc.TagDue && len(rest) >= record.DeadlineLen:
		at := int64(binary.BigEndian.Uint64(rest))
		return "due " + millis(at) + " " + t.format.showSafe(rest[record.DeadlineLen:])
	}
	return fmt.Sprintf("tag %d %s", tag, t.format.showSafe(rest))
}

// kindText returns kind and type of a record, such as "put hash".
func kindText(a base.Attr) string {
	kind := map[base.Kind]string{base.KindPut: "put", base.KindDelete: "delete", base.KindRangeDelete: "range delete"}[a.Kind()]
	if kind == "" {
		kind = fmt.Sprintf("kind %d", a.Kind())
	}
	if typ := record.Type(a.Type()); typ != 0 {
		kind += " " + typ.String()
	}
	return kind
}

// found says at the end of a debug command whether damage was found.
func found(damage int) error {
	if damage > 0 {
		return codeError{code: exitDamage}
	}
	return nil
}

// damaged writes what does not verify.
func (t *tool) damaged(err error) error {
	if t.json {
		j := t.out.object()
		j.Text("part", "damage")
		writeFault(j.Text, j.Int, err)
		return t.out.write()
	}
	t.out.printf("damage: %s\n", safe(err.Error()))
	return nil
}

// drawnRecord is a record of a table, or a change in a log.
type drawnRecord struct {
	seq    uint64
	attr   base.Attr
	key    []byte
	value  int   // bytes
	expiry int64 // in milliseconds; 0: none
}

// drawRecord writes a line for a record. row is its key as it is shown.
func (t *tool) drawRecord(part string, r drawnRecord, row string) error {
	if t.json {
		j := t.out.object()
		j.Text("part", part)
		j.Uint("sequence", r.seq)
		j.Text("kind", kindText(r.attr))
		j.Bytes("key", r.key)
		j.Text("row", row)
		j.Int("value_bytes", int64(r.value))
		if r.expiry != 0 {
			j.Int("expires", r.expiry)
		}
		return t.out.write()
	}
	bytes := size(r.value)
	if r.attr.Kind() != base.KindPut {
		bytes = "-"
	}
	if r.expiry != 0 {
		row += ", expires " + millis(r.expiry)
	}
	return t.out.row([]int{12, 12, 9}, "  "+strconv.FormatUint(r.seq, 10), kindText(r.attr), bytes, row)
}
