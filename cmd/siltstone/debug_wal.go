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
	"github.com/siltstonedb/siltstone/internal/record"
	"github.com/siltstonedb/siltstone/wal"
	"github.com/spf13/cobra"
)

func (t *tool) debugWALCommand() *cobra.Command {
	var changes bool
	cmd := &cobra.Command{
		Use:   "wal FILE",
		Short: "Draw a log: its header and its frames",
		Long: `Draw a write-ahead log: the header, a line for each frame with its offset, and
how the file ends. With --changes the changes of each frame are listed:
sequence, kind and type, size of the value, row. Damage is named, and what
verifies behind it is drawn too.`,
		Example: `  siltstone debug wal store/000012.wal
  siltstone debug wal store/000012.wal --changes --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return openFile(args[0], func(f *os.File, size int64) error {
				return (&walDrawing{t: t, f: f, name: filepath.Base(args[0]), changes: changes}).draw(size)
			})
		},
	}
	cmd.Flags().BoolVar(&changes, "changes", false, "list the changes of each frame")
	return cmd
}

// walDrawing draws one log.
type walDrawing struct {
	t       *tool
	f       io.ReaderAt
	name    string
	changes bool
	damage  int
	lines   int
}

var walWidths = []int{12, 7, 12, 21, 8}

func (d *walDrawing) draw(size int64) error {
	r, err := wal.Open(d.f, size, d.name)
	if errors.Is(err, wal.ErrNoHeader) {
		return d.empty(size)
	}
	if errors.Is(err, base.ErrCorruption) {
		d.damage++
		if err := d.t.damaged(err); err != nil {
			return err
		}
		r, err = wal.OpenSalvage(d.f, size, d.name)
		if errors.Is(err, wal.ErrNoHeader) {
			return found(d.damage)
		}
	}
	if err != nil {
		return err
	}
	if d.damage == 0 {
		if err := d.header(r.Header()); err != nil {
			return err
		}
	}
	if err := d.frames(r); err != nil {
		return err
	}
	return found(d.damage)
}

// walMagic is what a log begins with.
const walMagic = "siltWAL\n"

// empty says of a file that has no header and no frame why it holds nothing. A file that
// begins with something else than a log does is none.
func (d *walDrawing) empty(size int64) error {
	head := make([]byte, min(size, wal.HeaderSize))
	if _, err := d.f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	begin := string(head[:min(len(head), len(walMagic))])
	part, why := "prepared", "no header: the log was prepared and not used"
	switch {
	case strings.Trim(string(head), "\x00") == "":
	case strings.HasPrefix(walMagic, begin) || strings.Trim(begin, "\x00") == "":
		part, why = "torn header", "no whole header: the log was begun when the power was cut"
	default:
		return advise(codeError{exitDamage, fmt.Errorf("%s is no log: its first bytes are not those of one", d.name)}, "logs are called NNNNNN.wal")
	}
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", part)
		j.Int("bytes", size)
		return d.t.out.write()
	}
	d.t.out.printf("%s: %s, and holds nothing (%s)\n", d.name, why, inFull(size))
	return nil
}

// inFull returns a number of bytes in full.
func inFull(n int64) string { return counted(n, "byte") }

func (d *walDrawing) header(h wal.Header) error {
	prev := "none"
	if p := h.Prev; p.Number != 0 {
		prev = fmt.Sprintf("%06d, id %s, end %d, last sequence %d", p.Number, idText(p.LogID), p.End, p.LastSeq)
	}
	return d.t.header("file header", []drawn{
		{0, "magic", "siltWAL"},
		{16, "store", idText(h.DBID)},
		{24, "log", idText(h.LogID)},
		{32, "number", strconv.FormatUint(uint64(h.Number), 10)},
		{40, "last sequence before", strconv.FormatUint(uint64(h.LastSeq), 10)},
		{48, "clock", millis(h.Clock)},
		{56, "predecessor", prev},
	})
}

// frames draws frame after frame, goes on behind damage, and says how the file ends.
func (d *walDrawing) frames(r *wal.Reader) error {
	for {
		f, payload, err := r.Next()
		if err == nil {
			if err := d.frame(f, payload); err != nil {
				return err
			}
			continue
		}
		if !errors.Is(err, base.ErrCorruption) {
			return d.end(r, err)
		}
		d.damage++
		if err := d.t.damaged(err); err != nil {
			return err
		}
		skipped, err := r.Resume()
		if err != nil {
			return nil
		}
		if !d.t.json {
			d.t.out.printf("  %s skipped\n", inFull(skipped))
		}
	}
}

func (d *walDrawing) frame(f wal.Frame, payload []byte) error {
	var head [wal.FrameHeaderSize]byte
	if _, err := d.f.ReadAt(head[:], f.Offset); err != nil {
		return err
	}
	synced := int64(binary.LittleEndian.Uint64(head[40:]))
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", "frame")
		j.Int("offset", f.Offset)
		j.Int("payload", int64(len(payload)))
		j.Uint("first", uint64(f.First))
		j.Uint("changes", uint64(f.Count))
		j.Int("synced", synced)
		j.Int("clock", f.Clock)
		if err := d.t.out.write(); err != nil {
			return err
		}
	} else {
		if d.lines == 0 {
			d.t.out.printf("\n")
			_ = d.t.out.row(walWidths, "offset", "frame", "payload", "sequences", "changes", "synced")
		}
		d.lines++
		sequences := fmt.Sprintf("%d-%d", f.First, f.Last())
		_ = d.t.out.row(walWidths, strconv.FormatInt(f.Offset, 10), "data", size(len(payload)), sequences,
			strconv.FormatUint(uint64(f.Count), 10), strconv.FormatInt(synced, 10))
	}
	if !d.changes {
		return nil
	}
	return d.ops(f, payload)
}

// ops lists the changes of a frame.
func (d *walDrawing) ops(f wal.Frame, payload []byte) error {
	rest := payload
	for i := range uint64(f.Count) {
		for record.IsNote(rest) {
			_, behind, err := record.CutNote(rest)
			if err != nil {
				d.damage++
				return d.t.damaged(fmt.Errorf("note before change %d of the frame at offset %d: %w", i+1, f.Offset, err))
			}
			rest = behind
		}
		op, n, err := record.DecodeOp(rest)
		if err != nil {
			d.damage++
			return d.t.damaged(fmt.Errorf("change %d of the frame at offset %d: %w", i+1, f.Offset, err))
		}
		rest = rest[n:]
		if err := d.op(uint64(f.First)+i, op); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		d.damage++
		return d.t.damaged(fmt.Errorf("%d bytes stand behind the last change of the frame at offset %d", len(rest), f.Offset))
	}
	return nil
}

func (d *walDrawing) op(seq uint64, op record.Op) error {
	row := d.t.row(op.Key)
	if op.Attr.Kind() == base.KindRangeDelete {
		row += " to " + d.t.row(op.Value)
	}
	return d.t.drawRecord("change", drawnRecord{seq, op.Attr, op.Key, len(op.Value), op.Expiry}, row)
}

// end says how the file ends.
func (d *walDrawing) end(r *wal.Reader, err error) error {
	how := ""
	var torn *wal.TornError
	switch {
	case errors.As(err, &torn):
		how = fmt.Sprintf("torn tail: %s that never were durable: %v", inFull(torn.Bytes), torn.Err)
	case err == io.EOF && r.Complete():
		how = "trailer: the log is complete"
	case err == io.EOF:
		how = "nothing follows: the log was in use"
	default:
		return err
	}
	if d.t.json {
		j := d.t.out.object()
		j.Text("part", "end")
		j.Int("offset", r.End())
		j.Bool("complete", r.Complete())
		j.Text("how", how)
		return d.t.out.write()
	}
	d.t.out.printf("end at %d: %s\n", r.End(), safe(how))
	return nil
}
