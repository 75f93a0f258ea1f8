package siltstone_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/scripttest"
	"github.com/siltstonedb/siltstone/internal/typedtest"
)

// TestScripts runs the scenarios of testdata/scripts and compares the answers with
// those in the files, which -update rewrites.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { runScript(t, path) })
	}
}

// runScript runs a script in all its ways, and with collections in all their forms
// if it asks for that. The answers are the same each time, so an update takes the
// first.
func runScript(t *testing.T, path string) {
	s, err := scripttest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	knobs := scripttest.Knobs{
		Configure: func(o *siltstone.Options, z scripttest.Sizes) {
			o.Extreme(siltstone.Extremes{BlockSize: z.Block, RunLimit: z.Runs, TableBytes: z.Table, ManualWork: true})
		},
		Step:          (*siltstone.DB).Step,
		CompactTables: (*siltstone.DB).CompactTables,
	}
	update := flag.Lookup("update").Value.String() == "true"
	forms := typedtest.InlineLimits[len(typedtest.InlineLimits)-1:] // the one in force
	if s.Forms() {
		forms = typedtest.InlineLimits[:]
	}
	first := true
	for _, form := range forms {
		for _, way := range s.Ways() {
			run := func(t *testing.T) {
				typedtest.InlineUpTo(t, form.Elements, form.Bytes)
				s.Run(t, way, update && first, knobs)
				first = false
			}
			if len(forms)*len(s.Ways()) == 1 {
				run(t)
				continue
			}
			t.Run(strings.Trim(fmt.Sprintf("%s inline up to %d", way, form.Elements), " "), run)
		}
	}
	if update && !t.Failed() {
		if err := s.Write(); err != nil {
			t.Fatal(err)
		}
	}
}
