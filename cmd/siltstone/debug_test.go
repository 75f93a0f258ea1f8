package main

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestHostileFilesAreErrors damages files in many ways and draws them: no panic, and each
// drawing ends.
func TestHostileFilesAreErrors(t *testing.T) {
	const stores = "../../testdata/stores/"
	tl := newTool(nil, io.Discard, io.Discard)
	r := rand.New(rand.NewPCG(7, 7))
	for _, c := range []struct {
		file string
		draw func(name string, f *os.File, size int64) error
	}{
		{"format1-s2/000058.wal", func(name string, f *os.File, size int64) error {
			return (&walDrawing{t: tl, f: f, name: name, changes: true}).draw(size)
		}},
		{"format2-s2/MANIFEST-000001", func(name string, f *os.File, size int64) error { return tl.drawManifest(f, size, name) }},
		{"format2-s2/000036.sst", func(name string, f *os.File, size int64) error {
			return (&sstDrawing{t: tl, f: f, name: name, size: size, blocks: true, records: true}).draw()
		}},
	} {
		whole, err := os.ReadFile(stores + c.file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), filepath.Base(c.file))
		for i := range 600 {
			b := append([]byte(nil), whole...)
			switch i % 3 {
			case 0:
				b = b[:r.IntN(len(b))]
			case 1:
				b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
			case 2:
				at := r.IntN(len(b))
				for j := at; j < min(len(b), at+8); j++ {
					b[j] = 0xff
				}
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			tl.json = i%2 == 0
			_ = openFile(path, func(f *os.File, size int64) error { return c.draw(filepath.Base(path), f, size) })
		}
	}
}
