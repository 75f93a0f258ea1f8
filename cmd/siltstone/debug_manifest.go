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
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/wal"
	"github.com/spf13/cobra"
)

func (t *tool) debugManifestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "manifest FILE",
		Short: "Draw a manifest: its header and its edits",
		Long: `Draw a manifest: the header, every edit with its offset ("-" removes a table,
"+" adds one, drawn as level, run, number, keys and properties), and the state
that the edits add up to.`,
		Example: `  siltstone debug manifest store/MANIFEST-000001
  siltstone debug manifest store/MANIFEST-000001 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return openFile(args[0], func(f *os.File, size int64) error { return t.drawManifest(f, size, filepath.Base(args[0])) })
		},
	}
}

// manifestHeader is where the first edit of a manifest stands.
const manifestHeader = 128

func (t *tool) drawManifest(f io.ReaderAt, size int64, name string) error {
	var head [manifestHeader]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:8]) != "siltMAN\n" {
		return codeError{exitDamage, advise(fmt.Errorf("%s is no manifest: its first bytes are not those of one", name), "manifests are called MANIFEST-NNNNNN; CURRENT names the one that holds")}
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(head[at:]) }
	parent := "none"
	if u64(24) != 0 {
		parent = idText(u64(24))
	}
	err := t.header("header", []drawn{
		{0, "magic", "siltMAN"},
		{8, "format", fmt.Sprint(binary.LittleEndian.Uint32(head[8:]))},
		{12, "lowest format of a reader", fmt.Sprint(binary.LittleEndian.Uint32(head[12:]))},
		{16, "store", idText(u64(16))},
		{24, "checkpoint of", parent},
		{32, "number", strconv.FormatUint(u64(32), 10)},
		{40, "frames", idText(u64(40))},
	})
	if err != nil {
		return err
	}
	damage, err := t.drawEdits(wal.NewFrameReader(f, size, name, u64(40), manifestHeader, 0), name)
	if err != nil {
		return err
	}
	state, info, err := manifest.Read(f, size, base.FileNum(u64(32)))
	switch {
	case errors.Is(err, base.ErrCorruption):
		damage++
		if err := t.damaged(err); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := t.drawState(state, info); err != nil {
			return err
		}
	}
	return found(damage)
}

// drawEdits draws edit after edit and returns in how many places they do not verify.
func (t *tool) drawEdits(r *wal.FrameReader, name string) (damage int, err error) {
	for {
		f, payload, err := r.Next()
		if errors.Is(err, wal.ErrTorn) || err == io.EOF {
			return damage, nil // drawState says so
		}
		if errors.Is(err, base.ErrCorruption) {
			damage++
			if err := t.damaged(err); err != nil {
				return damage, err
			}
			if _, err := r.Resume(); err != nil {
				return damage, nil
			}
			continue
		}
		if err != nil {
			return damage, err
		}
		e, err := manifest.DecodeEdit(payload)
		if err != nil {
			damage++
			err = t.damaged(fmt.Errorf("%s: edit at offset %d: %w", name, f.Offset, err))
		} else {
			err = t.drawEdit(f, len(payload), e)
		}
		if err != nil {
			return damage, err
		}
	}
}

func (t *tool) drawEdit(f wal.Frame, payload int, e *manifest.Edit) error {
	if t.json {
		j := t.out.object()
		j.Text("part", "edit")
		j.Int("offset", f.Offset)
		j.Uint("record", uint64(f.First))
		j.Int("payload", int64(payload))
		j.Text("edit", e.String())
		return t.out.write()
	}
	what := "edit"
	if f.First == 1 {
		what = "snapshot"
	}
	t.out.printf("\n%d  %s %d, %s\n", f.Offset, what, f.First, inFull(int64(payload)))
	rest := *e
	for _, n := range e.Removed {
		t.out.printf("  -%d\n", n)
	}
	for _, tab := range e.Added {
		t.out.printf("  %s\n", cut(fmt.Sprintf("+L%d#%d:%s", tab.Level, tab.Run, tab), max(0, t.out.width-2)))
	}
	rest.Added, rest.Removed = nil, nil
	if text := rest.String(); text != "" {
		t.out.printf("  %s\n", strings.Join(strings.Fields(text), "\n  "))
	}
	return nil
}

// drawState draws what the edits add up to.
func (t *tool) drawState(s *manifest.State, info manifest.Info) error {
	if t.json {
		j := t.out.object()
		j.Text("part", "state")
		j.Int("end", info.End)
		j.Int("torn", info.Torn)
		j.Text("state", s.String())
		return t.out.write()
	}
	t.out.printf("\nstate after %s, end at %d\n", counted(info.Edits, "record"), info.End)
	if info.Torn > 0 {
		t.out.printf("  %s behind the end are an edit that a crash cut short: nobody acted on it\n", inFull(info.Torn))
	}
	for line := range strings.Lines(s.String()) {
		t.out.printf("  %s\n", cut(strings.TrimSuffix(line, "\n"), max(0, t.out.width-2)))
	}
	return nil
}
