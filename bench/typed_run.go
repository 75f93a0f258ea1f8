package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/siltstonedb/siltstone"
)

// typedTask is what a child process of typed does: all rows with some goroutines.
type typedTask struct {
	engine   string
	workers  int
	run      int
	n        uint64
	dir      string
	profiles string
	shapes   []typedShape
}

// typedRunCommand is a child process of typed.
func typedRunCommand(args []string) error {
	var t typedTask
	fs := flag.NewFlagSet("typed-run", flag.ContinueOnError)
	fs.StringVar(&t.engine, "engine", oursOne, "name of the column")
	fs.IntVar(&t.workers, "workers", 1, "goroutines")
	fs.IntVar(&t.run, "run", 1, "number of the run")
	fs.Uint64Var(&t.n, "n", quickTypedKeys, "keys, and operations in a row")
	fs.StringVar(&t.dir, "dir", "", "folder for the store")
	fs.StringVar(&t.profiles, "profiles", "", "folder for CPU profiles")
	rows := fs.String("rows", "", "regular expression for rows")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if t.dir == "" || t.workers < 1 {
		return errors.New("typed-run takes a -dir and -workers")
	}
	c := &typedComparison{}
	var err error
	if c.rows, err = regexp.Compile(*rows); err != nil {
		return err
	}
	t.shapes = c.chosen()
	return t.execute(os.Stdout)
}

// openTyped opens a store with the memory that compare gives each engine.
func openTyped(dir string) (*siltstone.DB, error) {
	return siltstone.Open(dir, &siltstone.Options{
		MemoryLimit:   cacheBytes + 2*memtableBytes,
		MemtableBytes: memtableBytes,
		Durability:    siltstone.BufferedDurability,
	})
}

// execute proves that the calls store what they are given, then times each row
// and writes a line for it.
func (t *typedTask) execute(out io.Writer) error {
	if err := proveTyped(filepath.Join(t.dir, "proof")); err != nil {
		return err
	}
	db, err := openTyped(filepath.Join(t.dir, "store"))
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	values := newValues(typedValue)
	for i, s := range t.shapes {
		r, err := t.time(db, uint64(i), s, values)
		if err != nil {
			r.Err = err.Error()
		}
		if err := lines.Encode(r); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

// time times one row. Each has numbers of its own: a row that reads meets keys in
// another order than the one that wrote them, and some that are not there.
func (t *typedTask) time(db *siltstone.DB, number uint64, s typedShape, v *values) (result, error) {
	r := result{Engine: t.engine, Scenario: "typed", Row: s.row, Run: t.run, Unit: perSecond}
	profiler := &task{kind: engineKind{name: t.engine}, run: t.run, profiles: t.profiles}
	stop, err := profiler.profile(s.row, true)
	if err != nil {
		return r, err
	}
	defer stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := drive{workers: t.workers, ops: int64(t.n), every: 64}
	m, err := d.run(func(w *worker, i int64) (int, error) {
		if w.done == 0 {
			w.rng = rng(mix(mix(number+1)<<8 + uint64(w.id)))
		}
		return 1, s.call(db, w, t.n, v)
	})
	if err != nil {
		return r, err
	}
	runtime.ReadMemStats(&after)
	r.fill(m)
	r.Allocs = float64(after.Mallocs-before.Mallocs) / float64(m.ops)
	r.AllocBytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(m.ops)
	return r, nil
}

const typedProof = 1000 // keys

// proveTyped makes every call that writes, with keys of few numbers, closes and
// reopens the store, and reads all back.
func proveTyped(dir string) error {
	db, err := openTyped(dir)
	if err != nil {
		return err
	}
	v := newValues(typedValue)
	w := &worker{rng: 1}
	for _, s := range typedShapes() {
		if s.after != "" {
			continue
		}
		for range 12 * typedProof { // misses a key once in 160,000 times
			if err := s.call(db, w, typedProof, v); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", s.row, err), db.Close())
			}
		}
	}
	if err := db.Close(); err != nil {
		return err
	}
	if db, err = openTyped(dir); err != nil {
		return err
	}
	err = readTypedProof(db, w, v)
	return errors.Join(err, db.Close(), os.RemoveAll(dir))
}

// readTypedProof compares what is stored with what was written. A number that was
// never drawn may be missing, but hardly any is.
func readTypedProof(db *siltstone.DB, w *worker, v *values) error {
	stored, sum := 0, int64(0)
	for i := range uint64(typedProof) {
		text, err := db.String(w.named("key:", i)).Get()
		if found(err) != nil || err == nil && !v.holds(i, text) {
			return fmt.Errorf("key %d is %q, %v", i, text, err)
		}
		field, ferr := db.Hash(w.named("hash:", i)).Get("field")
		if found(ferr) != nil || ferr == nil && !v.holds(i, field) {
			return fmt.Errorf("hash %d has %q, %v", i, field, ferr)
		}
		n, cerr := db.String(w.named("counter:", i)).Incr(0)
		sum += n
		member, serr := db.Set(w.named("set:", i)).Has("element")
		score, zerr := db.ZSet(w.named("zset:", i)).Score("element")
		if err := errors.Join(cerr, serr, found(zerr)); err != nil || score < 0 || score >= typedProof {
			return fmt.Errorf("number %d: score %v, %w", i, score, err)
		}
		if err == nil && ferr == nil && zerr == nil && n > 0 && member {
			stored++
		}
	}
	members, err := db.Set("myset").Len()
	ranked, zerr := db.ZSet("myzset").Len()
	const most, least = typedProof, typedProof - 10
	if stored < least || sum != 12*typedProof || members < least || members > most || ranked < least || ranked > most {
		err = errors.Join(err, fmt.Errorf("after reopening %d of %d numbers are stored, counters sum up to %d, %d members, %d ranked",
			stored, typedProof, sum, members, ranked))
	}
	return errors.Join(err, zerr)
}
