package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/iterator"
	"github.com/siltstonedb/siltstone/sstable"
	"github.com/spf13/cobra"
)

func (t *tool) debugSSTCommand() *cobra.Command {
	d := sstDrawing{t: t}
	cmd := &cobra.Command{
		Use:   "sst FILE",
		Short: "Draw a table: its blocks, its properties, its records",
		Long: `Draw a table: the parts of the file, and what it says of itself. The whole file
is read and verified. With --blocks each data block is a line (its flags: e a
record expires, t tombstone, m collection, v versions of a key, n the next block
goes on with the last key, c compressed, p pages, h head), with --records each
record: sequence, kind and type, size of the value, row. Damage is named,
and what verifies around it is drawn too.`,
		Example: `  siltstone debug sst store/000003.sst --blocks
  siltstone debug sst store/000003.sst --records --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return openFile(args[0], func(f *os.File, size int64) error {
				d.f, d.size, d.name = f, size, filepath.Base(args[0])
				return d.draw()
			})
		},
	}
	cmd.Flags().BoolVar(&d.blocks, "blocks", false, "draw each data block")
	cmd.Flags().BoolVar(&d.records, "records", false, "list each record")
	return cmd
}

// sstDrawing draws one table.
type sstDrawing struct {
	t               *tool
	blocks, records bool

	f      io.ReaderAt
	size   int64
	name   string
	damage int
	noted  string // the damage that note drew last
}

// footerLen is the length of the footer, at the end of a table.
const footerLen = 64

func (d *sstDrawing) draw() error {
	if err := d.parts(); err != nil {
		return err
	}
	r, err := sstable.Open(d.f, d.size, sstable.ReaderOptions{Name: d.name})
	if err == nil {
		err = d.properties(r.Properties())
		if err == nil {
			err = r.Verify(func(int) error { return nil })
		}
		r.Close()
	}
	if err != nil {
		if err := d.note(err); err != nil {
			return err
		}
	}
	if d.blocks || d.records || d.damage > 0 {
		if err := d.data(); err != nil {
			return err
		}
	}
	return found(d.damage)
}

// note draws damage, once if it is met twice; other errors it returns.
func (d *sstDrawing) note(err error) error {
	if !errors.Is(err, base.ErrCorruption) {
		return err
	}
	if err.Error() == d.noted {
		return nil
	}
	d.damage++
	d.noted = err.Error()
	return d.t.damaged(err)
}

// parts draws the footer and the parts that it names, if they fit into the file.
func (d *sstDrawing) parts() error {
	var foot [footerLen]byte
	if d.size < footerLen {
		return codeError{exitDamage, fmt.Errorf("%s is no table: it has %s, less than a footer", d.name, inFull(d.size))}
	}
	if _, err := d.f.ReadAt(foot[:], d.size-footerLen); err != nil {
		return err
	}
	if string(foot[56:]) != "siltsst\x01" {
		d.damage++
		return d.t.damaged(fmt.Errorf("%s: the last bytes are not those of a table: it was cut short, or is none", d.name))
	}
	names := []string{"range tombstones", "filter", "index", "properties", "footer"}
	lengths := make([]int64, 5)
	rest := d.size - footerLen
	for i := 3; i >= 0; i-- {
		n := binary.LittleEndian.Uint64(foot[8*i:])
		if n > uint64(rest) {
			d.damage++
			return d.t.damaged(fmt.Errorf("%s: the footer says that the %s have %d bytes, more than there are", d.name, names[i], n))
		}
		lengths[i] = int64(n)
		rest -= int64(n)
	}
	lengths[4] = footerLen
	fields := []drawn{{0, "data blocks", inFull(rest)}}
	for at, i := rest, 0; i < 5; i++ {
		fields = append(fields, drawn{at, names[i], inFull(lengths[i])})
		at += lengths[i]
	}
	title := fmt.Sprintf("table %s, format %d, %s", idText(binary.LittleEndian.Uint64(foot[32:])), binary.LittleEndian.Uint32(foot[40:]), inFull(d.size))
	return d.t.header(title, fields)
}

// properties draws what the table says of itself.
func (d *sstDrawing) properties(p base.TableProperties) error {
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", "properties")
		j.Bytes("smallest", p.Smallest)
		j.Bytes("largest", p.Largest)
		j.Bool("largest_exclusive", p.LargestExclusive)
		for _, n := range propertyNumbers(p) {
			j.Uint(strings.ReplaceAll(n.name, " ", "_"), n.n)
		}
		return d.t.out.write()
	}
	var b table
	last := d.t.row(p.Largest)
	if p.LargestExclusive {
		last += " (not included)"
	}
	b.add("  first row", d.t.row(p.Smallest))
	b.add("  last row", last)
	for _, n := range propertyNumbers(p) {
		if n.n == 0 {
			continue
		}
		text := count(n.n)
		if strings.HasSuffix(n.name, "expiry") {
			text = millis(int64(n.n))
		}
		b.add("  "+n.name, text)
	}
	d.t.out.printf("\nproperties\n")
	d.t.out.table(b)
	return nil
}

// property is a number that a table says of itself.
type property struct {
	name string
	n    uint64
}

func propertyNumbers(p base.TableProperties) []property {
	return []property{
		{"smallest sequence", uint64(p.MinSeq)}, {"largest sequence", uint64(p.MaxSeq)},
		{"puts", p.Puts}, {"deletes", p.Deletes}, {"range tombstones", p.RangeDeletes}, {"shadowed", p.Shadowed},
		{"collections", p.MetaRows}, {"collection bytes", p.CollectionBytes},
		{"key bytes", p.KeyBytes}, {"value bytes", p.ValueBytes},
		{"expiring", p.Expiring}, {"first expiry", uint64(p.MinExpiry)}, {"last expiry", uint64(p.MaxExpiry)},
	}
}

// data draws blocks and records, as far as they verify, and names what does not.
func (d *sstDrawing) data() error {
	s, err := sstable.OpenSalvage(d.f, d.size, sstable.ReaderOptions{Name: d.name})
	if err != nil {
		return d.note(err)
	}
	defer s.Close() // it holds nothing
	if !d.t.json && (d.blocks || d.records) {
		d.t.out.printf("\ndata\n")
		if d.blocks {
			_ = d.t.out.row(blockWidths, "offset", "bytes", "records", "values", "codec", "flags", "first row")
		}
	}
	begin := int64(-1)
	for e := s.First(); e != nil; e = s.Next() {
		from, to := s.Extent()
		if from != begin {
			begin = from
			if err := d.block(from, to, e.Key); err != nil {
				return err
			}
		}
		if d.records {
			if err := d.record(e); err != nil {
				return err
			}
		}
	}
	if d.blocks || d.records {
		for _, r := range s.RangeDeletes().Tombstones() {
			if err := d.tombstone(r.Start, r.End, uint64(r.Seq)); err != nil {
				return err
			}
		}
	}
	for _, g := range s.Gaps() {
		d.damage++
		if err := d.t.damaged(fmt.Errorf("%s: %d bytes at offset %d cannot be read: %w", d.name, g.Bytes, g.Offset, g.Err)); err != nil {
			return err
		}
	}
	return s.Err()
}

// blockWidths are those of the columns of a block.
var blockWidths = []int{10, 8, 7, 8, 5, 5}

// blockFlags are the letters of the flags of a block, from bit 0 on.
const blockFlags = "etmvncph"

// block draws a data block by its header, which has been verified.
func (d *sstDrawing) block(from, to int64, first []byte) error {
	if !d.blocks {
		return nil
	}
	var head [40]byte
	if _, err := d.f.ReadAt(head[:], from); err != nil {
		return err
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	codec := sstable.Compression(head[32]).String()
	flags := ""
	for i, c := range blockFlags {
		if head[33]&(1<<i) != 0 {
			flags += string(c)
		}
	}
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", "block")
		j.Int("offset", from)
		j.Int("bytes", to-from)
		j.Uint("records", uint64(u32(0)))
		j.Uint("value_bytes", uint64(u32(24)))
		j.Uint("stored", uint64(u32(28)))
		j.Text("compression", codec)
		j.Text("flags", flags)
		j.Bytes("first", first)
		return d.t.out.write()
	}
	return d.t.out.row(blockWidths, strconv.FormatInt(from, 10), size(to-from), count(int64(u32(0))), size(int64(u32(24))), codec, flags, d.t.row(first))
}

func (d *sstDrawing) record(e *iterator.Entry) error {
	return d.t.drawRecord("record", drawnRecord{uint64(e.Seq), e.Attr, e.Key, len(e.Value), e.Expiry}, d.t.row(e.Key))
}

func (d *sstDrawing) tombstone(start, end []byte, seq uint64) error {
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", "range tombstone")
		j.Uint("sequence", seq)
		j.Bytes("start", start)
		j.Bytes("end", end)
		return d.t.out.write()
	}
	return d.t.out.row([]int{12, 12}, "  "+strconv.FormatUint(seq, 10), "range delete", d.t.row(start)+" to "+d.t.row(end))
}
