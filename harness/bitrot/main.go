// Bitrot damages small stores of several engines in the same ways, and counts what they
// answer. Each engine holds the same data: some hundred keys in tables, and more commits
// in its log, all of them synced. A case is one damage of a copy of its files: a byte
// changed in one of five ways, a file cut short, swapped with another, missing, or as it
// was earlier. The copy is opened, every key is asked for, and everything is scanned.
//
//	go run .                               a sample of every engine
//	go run . -long -engines bbolt          every byte and every cut
//	go run . -long -engines bbolt -dir D -from 0 -to 20000 -add bbolt.json
//
// The last form does a part of the cases: the stores are kept in D, and the counts are
// added to those in the file. Cases run in processes of their own, so that a panic, an
// exit, a fault of memory or a hang is counted and ends nothing.
//
// It prints tables in Markdown. With -v each case that was neither harmless nor
// detected is told, with its number: -from N -to N+1 -v runs it again in the same -dir.
// It exits 1 if Siltstone gave a wrong answer, lost data silently, or crashed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	engines  string
	dir      string
	sample   int
	long     bool
	seed     uint64
	from, to int
	add      string
	timeout  time.Duration
	memory   int64
	verbose  bool
	child    bool
}

func main() {
	var s settings
	flag.StringVar(&s.engines, "engines", "", "names, with commas; all if empty")
	flag.StringVar(&s.dir, "dir", "", "directory that keeps the sound stores; a temporary one if empty")
	flag.IntVar(&s.sample, "sample", 2000, "changed bytes in the log of each engine, and as many in its other files; a fifth as many cuts, and every misplaced file")
	flag.BoolVar(&s.long, "long", false, "every byte in five ways, and every cut")
	flag.Uint64Var(&s.seed, "seed", 1, "of the data, the sample, and what bytes are changed to")
	flag.IntVar(&s.from, "from", 0, "number of the first case")
	flag.IntVar(&s.to, "to", 1<<40, "number behind the last case")
	flag.StringVar(&s.add, "add", "", "file with counts, which are added to")
	flag.DurationVar(&s.timeout, "timeout", 20*time.Second, "after which a case is a hang")
	flag.Int64Var(&s.memory, "memory", 8<<30, "address space of a process in bytes; a case that wants more is out of memory")
	flag.BoolVar(&s.verbose, "v", false, "tell each case that was neither harmless nor detected")
	flag.BoolVar(&s.child, "child", false, "be the process that runs cases")
	flag.Parse()
	run := s.parent
	if s.child {
		run = s.runCases
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bitrot:", err)
		os.Exit(1)
	}
}

// parent runs the cases of every engine and prints the table.
func (s *settings) parent() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "siltstone-bitrot"); err != nil {
			return err
		}
		defer os.RemoveAll(s.dir)
	}
	chosen, err := chooseEngines(s.engines)
	if err != nil {
		return err
	}
	all, err := readTallies(s.add)
	if err != nil {
		return err
	}
	for _, k := range chosen {
		img, err := s.image(k)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		cases := s.casesOf(img)
		r := runner{settings: s, kind: k, img: img, cases: cases, all: all}
		if err := r.run(); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if err := all.write(s.add); err != nil {
		return err
	}
	fmt.Printf("Seed %d.\n\n%s", s.seed, all.report())
	for name, t := range all {
		if strings.HasPrefix(name, ours) && t.broken() > 0 {
			return errors.New("Siltstone did not keep its promise; -v tells the cases")
		}
	}
	return nil
}

// image returns the sound store of an engine, made now or kept from an earlier run.
func (s *settings) image(k engineKind) (*image, error) {
	name := filepath.Join(s.dir, k.name+".image")
	img, err := readImage(name)
	if !errors.Is(err, os.ErrNotExist) {
		return img, err
	}
	if img, err = build(k, filepath.Join(s.dir, k.name+".build"), newHistory(s.seed)); err != nil {
		return nil, err
	}
	return img, img.write(name)
}
