// Cold measures reads of a store that is larger than its cache, on a disk that makes
// them wait. It loads a store, of one run and then of several, and prints a line for
// each kind of read: how often it went to the disk, for how many bytes, how long it
// waited there, how much it allocated, and how long it took.
//
//	go run ./harness/cold                       a modelled disk: its waits are counted, not slept
//	go run ./harness/cold -real                 the disk of -dir, with little kept in the page cache
//	go run ./harness/cold -against HEAD~5       the same reads by an older revision as well, by turns
//
// The modelled disk takes -latency for a read and then a time for each byte, answers
// any number of reads at once, and sends their bytes one after the other. It keeps
// nothing. So its figures do not depend on the machine, but for the time an operation
// took, which is that of the processor alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/internal/load"
)

type settings struct {
	load.Settings
	cache   int64
	latency time.Duration
	rate    int64
	real    bool
	rounds  int
	against string
	stores  string // of another process that loaded them: only read
	label   string
	rows    string
	wanted  *regexp.Regexp
}

func main() {
	var s settings
	s.Flags()
	flag.Int64Var(&s.cache, "cache", 16<<20, "MemoryLimit of the store that is read, in bytes")
	flag.DurationVar(&s.latency, "latency", 100*time.Microsecond, "of the modelled disk")
	flag.Int64Var(&s.rate, "rate", 700<<20, "of the modelled disk, bytes a second")
	flag.BoolVar(&s.real, "real", false, "read from the disk of -dir")
	flag.IntVar(&s.rounds, "rounds", 1, "how often all is measured")
	flag.StringVar(&s.against, "against", "", "revision to be measured as well")
	flag.StringVar(&s.stores, "stores", "", "directory of stores that were loaded before")
	flag.StringVar(&s.label, "label", "here", "what a line begins with")
	flag.StringVar(&s.rows, "rows", "", "regular expression that a row must match")
	given := false
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "n" })
	if !given {
		s.Keys = 300_000
	}
	if flag.Lookup("value").Value.String() == "128" {
		s.ValueSize = 1 << 10
	}
	if s.stores != "" {
		s.Dir = s.stores
	}
	s.Main("cold", s.run)
}

func (s *settings) run() (err error) {
	if s.wanted, err = regexp.Compile(s.rows); err != nil {
		return err
	}
	if s.stores != "" {
		return s.measure()
	}
	if err := s.loadStores(); err != nil {
		return err
	}
	fmt.Printf("%-10s %-8s %-18s %9s %9s %10s %10s %10s\n", "", "store", "", "reads/op", "KiB/op", "waits µs", "alloc B", "op µs")
	if s.against == "" {
		return s.measure()
	}
	old, remove, err := s.build()
	if err != nil {
		return err
	}
	defer remove()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	rounds := s.rounds
	for range rounds {
		for label, program := range map[string]string{s.against: old, "here": self} {
			if err := s.child(program, label); err != nil {
				return err
			}
		}
	}
	return nil
}

// child has another program read the stores.
func (s *settings) child(program, label string) error {
	cmd := exec.Command(program, "-stores", s.Dir, "-label", label, "-n", fmt.Sprint(s.Keys), "-value", fmt.Sprint(s.ValueSize),
		"-rows", s.rows, "-cache", fmt.Sprint(s.cache), "-latency", s.latency.String(), "-rate", fmt.Sprint(s.rate), fmt.Sprintf("-real=%v", s.real))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// build builds this program with the store as it was at another revision.
func (s *settings) build() (program string, remove func(), err error) {
	tree, err := os.MkdirTemp("", "siltstone-cold-tree")
	if err != nil {
		return "", nil, err
	}
	git := func(args ...string) error {
		cmd := exec.Command("git", args...)
		cmd.Stderr = os.Stderr
		return cmd.Run()
	}
	remove = func() {
		err := git("worktree", "remove", "--force", tree)
		if err := errors.Join(err, os.RemoveAll(tree)); err != nil {
			fmt.Fprintln(os.Stderr, "cold:", err)
		}
	}
	if err := git("worktree", "add", "--quiet", "--detach", tree, s.against); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(tree))
	}
	program = filepath.Join(tree, "cold.test")
	to := filepath.Join(tree, "harness", "cold")
	err = errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS("harness/cold")))
	if err == nil {
		cmd := exec.Command("go", "build", "-o", program, "./harness/cold")
		cmd.Dir, cmd.Stderr = tree, os.Stderr
		err = cmd.Run()
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return program, remove, nil
}

const (
	youngRuns  = 5  // of the store of several runs, above the last level
	youngShare = 20 // the part of the keys that each of them has
)

// loadStores makes a store of one run, and one with young runs above it.
func (s *settings) loadStores() error {
	for _, name := range []string{"one-run", "six-runs"} {
		db, err := siltstone.Open(filepath.Join(s.Dir, name), &siltstone.Options{
			Durability: siltstone.BufferedDurability, MemoryLimit: 256 << 20, MemtableBytes: 64 << 20,
		})
		if err != nil {
			return err
		}
		err = s.loadStore(db, name != "one-run")
		if err == nil {
			fmt.Printf("%s: %d runs\n", name, len(db.Metrics().Runs))
		}
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) loadStore(db *siltstone.DB, young bool) error {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 2))
	var key, value []byte
	put := func(i uint64) error {
		key, value = load.Key(key, i), value[:0]
		for uint64(len(value)) < s.ValueSize {
			value = fmt.Appendf(value, "%016x", rng.Uint64())
		}
		return db.Put(key, value[:s.ValueSize])
	}
	for i := range s.Keys {
		if err := put(i); err != nil {
			return err
		}
	}
	if err := db.Compact(ctx, siltstone.Range{}); err != nil || !young {
		return err
	}
	for range youngRuns {
		for range s.Keys / youngShare {
			if err := put(rng.Uint64N(s.Keys)); err != nil {
				return err
			}
		}
		if err := db.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measure reads both stores in all ways.
func (s *settings) measure() error {
	for _, name := range []string{"one-run", "six-runs"} {
		d := newDisk(s)
		db, err := siltstone.Open(filepath.Join(s.Dir, name), &siltstone.Options{ReadOnly: true, MemoryLimit: s.cache, FS: d})
		if err != nil {
			return err
		}
		for _, r := range s.reads() {
			if !s.wanted.MatchString(name + " " + r.name) {
				continue
			}
			if err = s.row(db, d, name, &r); err != nil {
				break
			}
		}
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
	return nil
}

// row measures one way to read.
func (s *settings) row(db *siltstone.DB, d *disk, store string, r *read) error {
	rng := rand.New(rand.NewPCG(3, 4))
	d.drop()
	for range r.ops / 4 { // the cache fills
		if err := r.do(db, rng); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	d.drop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	counts, begin := d.counts(), time.Now()
	for range r.ops {
		if err := r.do(db, rng); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if !s.real {
			d.drop() // what was asked for in vain is not there for the next one
		}
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	c, n := d.counts().minus(counts), float64(r.ops)
	wait := fmt.Sprintf("%10.1f", float64(c.waited.Microseconds())/n)
	if s.real {
		wait = strings.Repeat(" ", 9) + "-"
	}
	fmt.Printf("%-10s %-8s %-18s %9.2f %9.1f %s %10.0f %10.1f\n", s.label, store, r.name, float64(c.reads)/n,
		float64(c.bytes)/1024/n, wait, float64(after.TotalAlloc-before.TotalAlloc)/n, float64(took.Nanoseconds())/1e3/n)
	return nil
}
