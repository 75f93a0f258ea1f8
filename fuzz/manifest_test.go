package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/manifest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/wal"
)

func manifestEdits(t testing.TB) []*manifest.Edit {
	v, err := manifest.ParseVersion("L0 #9: 31[c-k]{size=4096,puts=3,maxseq=9}\nL6 #1: 11[a-d] 12[e-m)\n")
	if err != nil {
		t.Fatal(err)
	}
	return []*manifest.Edit{
		{Added: v.AllTables(), LastSeq: 50, FileLimit: 64},
		{Removed: []base.FileNum{31}, Nominated: []manifest.IDRange{{Keyspace: 1, First: 7, Last: 9}}, MinLog: 5},
		{Settled: []manifest.IDRange{{Keyspace: 1, First: 8, Last: 8}}, IDLimit: 4096, KeyspaceLimit: 2, Clock: 1700, Clean: true},
	}
}

// FuzzEdit decodes any bytes as an edit: what is accepted has this one encoding.
func FuzzEdit(f *testing.F) {
	for _, e := range manifestEdits(f) {
		f.Add(manifest.AppendEdit(nil, e))
	}
	f.Add([]byte{12, 0})
	f.Add([]byte{1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := manifest.DecodeEdit(data)
		if err != nil {
			return
		}
		if again := manifest.AppendEdit(nil, e); !bytes.Equal(again, data) {
			t.Fatalf("%x is accepted, but encoded as %x", data, again)
		}
		s, err := manifest.NewState(1).Apply(e)
		if err != nil {
			return
		}
		if err := s.Version.Check(); err != nil {
			t.Fatalf("%s leads to an impossible version: %v", e, err)
		}
		again, err := manifest.NewState(1).Apply(s.Snapshot())
		if err != nil || again.String() != s.String() {
			t.Fatalf("snapshot of\n%s: %v\n%s", s, err, again)
		}
	})
}

// manifestNumber is the number of every manifest made here.
const manifestNumber = 7

func writeManifest(t testing.TB) []byte {
	fsys := vfs.NewMem()
	l, err := manifest.Create(fsys, ".", manifestNumber, manifest.NewState(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range manifestEdits(t) {
		err = errors.Join(err, l.Append(e))
	}
	f, openErr := fsys.Open(base.Filename(base.FileManifest, manifestNumber))
	if err = errors.Join(err, l.Close(), openErr); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, l.Size())
	if _, err := f.ReadAt(data, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return data
}

// FuzzManifest reads any bytes as a manifest.
func FuzzManifest(f *testing.F) {
	data := writeManifest(f)
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add(data[:130])
	f.Add(append(data[:len(data):len(data)], make([]byte, 300)...))
	f.Add(append(data[:len(data)-3:len(data)-3], make([]byte, 300)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, i, err := manifest.Read(bytes.NewReader(data), int64(len(data)), manifestNumber)
		if err != nil {
			if !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew) {
				t.Fatal(err)
			}
			return
		}
		// Behind the last edit, whole or torn, only reserved space may follow.
		end := i.End + i.Torn
		if i.Edits < 1 || end > int64(len(data)) || len(bytes.Trim(data[end:], "\x00")) != 0 {
			t.Fatalf("%+v of %d bytes", i, len(data))
		}
		if err := s.Version.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzManifestRecords puts any bytes into valid frames of a valid manifest, so
// that what stands behind the checksums is reached.
func FuzzManifestRecords(f *testing.F) {
	for _, e := range manifestEdits(f) {
		f.Add(manifest.AppendEdit(nil, e), []byte{11})
	}
	whole := writeManifest(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var s sink
		s.Write(whole[:128])
		w := wal.NewFrameWriter(&s, binary.LittleEndian.Uint64(whole[40:]), 128, 0)
		err := w.Append(wal.Frame{First: 1, Count: 1}, first)
		if err = errors.Join(err, w.Append(wal.Frame{First: 2, Count: 1}, second)); err != nil {
			t.Fatal(err)
		}
		state, i, err := manifest.Read(bytes.NewReader(s.Bytes()), int64(s.Len()), manifestNumber)
		switch {
		case err == nil && i.Edits == 2 && i.Torn == 0:
			if err := state.Version.Check(); err != nil {
				t.Fatal(err)
			}
		case !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew):
			t.Fatalf("%+v, %v", i, err)
		}
	})
}

// FuzzManifestHeader makes the checksum of any header right.
func FuzzManifestHeader(f *testing.F) {
	whole := writeManifest(f)
	f.Add(whole[:120])
	f.Fuzz(func(t *testing.T, head []byte) {
		data := bytes.Clone(whole)
		copy(data[:120], head)
		binary.LittleEndian.PutUint64(data[120:], xxhash.Sum64(data[:120]))
		_, _, err := manifest.Read(bytes.NewReader(data), int64(len(data)), manifestNumber)
		if err != nil && !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew) {
			t.Fatal(err)
		}
	})
}
