package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/manifest"
)

// made is a state with the tables, whose bytes are anything, and their names.
func made(t testing.TB, files ...string) (state []byte, names []Table) {
	t.Helper()
	e := &manifest.Edit{LastSeq: 50, Clock: 1700, FileLimit: 64, Clean: true}
	for i, content := range files {
		table := &manifest.Table{Num: base.FileNum(i + 1), Level: manifest.LastLevel, Run: 1}
		table.ID, table.Size, table.Digest = uint64(0x1111*(i+1)), uint64(len(content)), xxhash.Sum64String(content)
		table.Smallest, table.Largest, table.MaxSeq = fmt.Appendf(nil, "%03d", 2*i), fmt.Appendf(nil, "%03d", 2*i+1), 9
		table.Puts = 2
		e.Added = append(e.Added, table)
		names = append(names, Table{table.ID, table.Size, table.Digest})
	}
	return manifest.AppendEdit(nil, e), names
}

var testHeader = Header{Store: 0x0d0d0d0d0d0d0d0d, Backup: 0x0b0b0b0b0b0b0b0b, Time: time.UnixMilli(1_700_000_000_000)}

// write writes a stream.
func write(t testing.TB, h Header, state []byte, files map[uint64]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint64
	for id := range files {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		err := w.Table(id)
		if err == nil {
			_, err = io.WriteString(w, files[id])
		}
		if err == nil {
			_, err = w.EndTable()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(state); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads a stream and returns its tables.
func read(r io.Reader) (files map[Table]string, sum Summary, err error) {
	a, err := NewReader(r)
	if err != nil {
		return nil, sum, err
	}
	files = map[Table]string{}
	for {
		_, err := a.Next()
		if err == io.EOF {
			return files, a.Summary(), nil
		}
		if err != nil {
			return files, sum, err
		}
		content, err := io.ReadAll(a)
		if err != nil {
			return files, sum, err
		}
		files[a.Table()] = string(content)
	}
}

func TestAStreamHoldsWhatWasWritten(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 40_000) // several blocks
	state, names := made(t, "one", large)
	stream := write(t, testHeader, state, map[uint64]string{names[0].ID: "one", names[1].ID: large})
	for _, r := range []io.Reader{bytes.NewReader(stream), oneByOne{bytes.NewReader(stream)}} {
		files, sum, err := read(r)
		if err != nil || len(files) != 2 || files[names[0]] != "one" || files[names[1]] != large {
			t.Fatalf("%d files, %v", len(files), err)
		}
		if !slices.Equal(sum.Mark.Tables, names) || sum.Bytes != int64(len(stream)) || sum.Tables != 2 || sum.Mark.Backup != testHeader.Backup {
			t.Errorf("%+v", sum)
		}
	}
	a, err := NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // tables may be passed over
		if _, err := a.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if a.State() != nil {
		t.Error("there is a state before the end")
	}
	if _, err := a.Next(); err != io.EOF || !bytes.Equal(a.State(), state) {
		t.Errorf("%v", err)
	}
}

type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// TestStreamIsAsDocumented holds the stream to the drawing in docs/format/backup.md.
func TestStreamIsAsDocumented(t *testing.T) {
	state, names := made(t, "one", "two!")
	h := testHeader
	h.Since = 0x0a0a0a0a0a0a0a0a
	stream := write(t, h, state, map[uint64]string{names[1].ID: "two!"})
	var b strings.Builder
	part := func(name string, n int) {
		fmt.Fprintln(&b, name)
		for at := 0; at < n; at += 16 {
			fmt.Fprintf(&b, "  % x\n", stream[at:min(at+16, n)])
		}
		stream = stream[n:]
	}
	part("header", headerSize)
	for _, name := range []string{"table begins", "bytes", "table ends", "state", "end"} {
		n := headSize + int(stream[4])
		part(name, n)
	}
	if len(stream) > 0 {
		t.Errorf("%d bytes are left", len(stream))
	}
	golden.Compare(t, "testdata/stream.txt", b.String())
}

func TestWhatMakesNoSenseIsRefusedThoughItsChecksumsAreRight(t *testing.T) {
	state, names := made(t, "one", "two!")
	one, two := names[0], names[1]
	h := testHeader
	// Blocks as a list: kind and payload.
	type block struct {
		kind    byte
		payload []byte
	}
	table := func(n Table, content string) []block {
		return []block{{kindTable, u64(n.ID)}, {kindBytes, []byte(content)}, {kindTableEnd, u64(n.Size, n.Digest)}}
	}
	end := func(tables, size int) block {
		return block{kindEnd, u64(uint64(tables), uint64(size), uint64(len(state)))}
	}
	build := func(all ...[]block) []byte {
		b := h.append(nil)
		n := uint64(0)
		for _, part := range all {
			for _, x := range part {
				n++
				at := len(b)
				b = append(append(b, make([]byte, headSize)...), x.payload...)
				putHead(b[at:], x.kind, h.Backup, n, x.payload)
			}
		}
		return b
	}
	st := block{kindState, state}
	if _, _, err := read(bytes.NewReader(build(table(one, "one"), table(two, "two!"), []block{st, end(2, 7)}))); err != nil {
		t.Fatal(err)
	}
	for name, stream := range map[string][]byte{
		"a table missing":            build(table(one, "one"), []block{st, end(1, 3)}),
		"a table twice":              build(table(one, "one"), table(one, "one"), table(two, "two!"), []block{st, end(3, 10)}),
		"a table of no state":        build(table(one, "one"), table(Table{9, 4, xxhash.Sum64String("two!")}, "two!"), []block{st, end(2, 7)}),
		"another content":            build(table(one, "One"), table(two, "two!"), []block{st, end(2, 7)}),
		"another size":               build(table(one, "ones"), table(two, "two!"), []block{st, end(2, 8)}),
		"an empty table":             build([]block{{kindTable, u64(7)}, {kindTableEnd, u64(0, xxhash.Sum64(nil))}, st, end(1, 0)}),
		"a block without bytes":      build([]block{{kindTable, u64(7)}, {kindBytes, nil}}),
		"a table in a table":         build([]block{{kindTable, u64(7)}, {kindTable, u64(7)}}),
		"a table without id":         build([]block{{kindTable, u64(0)}}),
		"totals that are wrong":      build(table(one, "one"), table(two, "two!"), []block{st, end(1, 7)}),
		"no state":                   build(table(one, "one"), table(two, "two!"), []block{end(2, 7)}),
		"state in the middle":        build(table(one, "one"), []block{st}, table(two, "two!"), []block{end(2, 7)}),
		"a kind that is not":         build([]block{{99, nil}}),
		"bytes of no table":          build([]block{{kindBytes, []byte("x")}}),
		"a state that is cut":        build([]block{{kindState, state[:len(state)-1]}, {kindEnd, u64(0, 0, uint64(len(state)-1))}}),
		"a state that is garbage":    build([]block{{kindState, []byte{1, 255}}, {kindEnd, u64(0, 0, 2)}}),
		"blocks that changed places": swapped(build(table(one, "one"), table(two, "two!"), []block{st, end(2, 7)})),
		"bytes behind the end":       append(build(table(one, "one"), table(two, "two!"), []block{st, end(2, 7)}), 0),
		"a block too large":          build([]block{{kindTable, u64(7)}, {kindBytes, make([]byte, maxPayload+1)}}),
	} {
		if _, _, err := read(bytes.NewReader(stream)); !errors.Is(err, base.ErrCorruption) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryByteOfAStreamIsUnderAChecksum(t *testing.T) {
	state, names := made(t, "one", "two!")
	stream := write(t, testHeader, state, map[uint64]string{names[0].ID: "one", names[1].ID: "two!"})
	for at := range stream {
		damaged := slices.Clone(stream)
		damaged[at] ^= 0x10
		if _, _, err := read(bytes.NewReader(damaged)); err == nil {
			t.Errorf("byte %d of %d may be changed", at, len(stream))
		}
	}
}

// swapped exchanges the first two tables of a stream, block for block.
func swapped(stream []byte) []byte {
	const first, second = 3*headSize + 8 + 3 + 16, 3*headSize + 8 + 4 + 16
	at := headerSize
	return slices.Concat(stream[:at], stream[at+first:at+first+second], stream[at:at+first], stream[at+first+second:])
}

func u64(all ...uint64) (b []byte) {
	for _, v := range all {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return b
}

func TestAWriterThatIsCalledOutOfOrderWritesNoBackup(t *testing.T) {
	state, names := made(t, "one")
	for name, call := range map[string]func(w *Writer) error{
		"bytes without a table":   func(w *Writer) error { _, err := w.Write([]byte("x")); return err },
		"an end without a table":  func(w *Writer) error { _, err := w.EndTable(); return err },
		"a table without bytes":   func(w *Writer) error { _, err := w.EndTable(); return errors.Join(w.Table(7), err) },
		"a table in a table":      func(w *Writer) error { return errors.Join(w.Table(7), w.Table(8)) },
		"finished within a table": func(w *Writer) error { _, err := w.Finish(state); return errors.Join(w.Table(names[0].ID), err) },
		"finished without one":    func(w *Writer) error { _, err := w.Finish(state); return err },
		"finished without state":  func(w *Writer) error { _, err := w.Finish(nil); return err },
	} {
		var b bytes.Buffer
		w, err := NewWriter(&b, testHeader)
		if err != nil {
			t.Fatal(err)
		}
		if err := call(w); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := w.Finish(state); err == nil {
			t.Errorf("%s: finished afterwards", name)
		}
		if _, _, err := read(&b); !errors.Is(err, base.ErrCorruption) {
			t.Errorf("%s: read: %v", name, err)
		}
	}
}
