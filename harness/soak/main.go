// Soak turns the data of a store over for as long as it is told, and shows that what the
// store holds does not grow. Three writers use every type, times to live of keys and of
// elements, batches, transactions, range deletes and keyspaces that are made and dropped;
// snapshots are held for a while, and checkpoints are made and removed. About 40 MB live
// at a time, under a MemoryLimit of 64 MiB and a MaxDiskBytes of 1 GiB.
//
//	go run ./harness/soak                        three minutes
//	go run ./harness/soak -for 6h -svg soak.svg  with a picture
//
// Each writer knows what its keys must hold, and compares all along. At the end every
// answer is compared, Check must be silent, and the same again after Close and Open.
//
// It prints the medians of each figure over both halves of the run, and by how much the
// straight line through the second rises along it. It exits 1, and leaves the store, if an answer was wrong, or if memory, disk,
// descriptors or goroutines grew by more than their bounds. Speed has no bound.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

type settings struct {
	dir          string
	svg          string
	seed         uint64
	total        time.Duration
	memory, disk int64
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "directory for the store and its copies; a temporary one if empty")
	flag.StringVar(&s.svg, "svg", "", "file for the picture; none if empty")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of the changes")
	flag.DurationVar(&s.total, "for", 3*time.Minute, "how long to change and sample")
	flag.Int64Var(&s.memory, "memory", 64<<20, "MemoryLimit in bytes")
	flag.Int64Var(&s.disk, "disk", 1<<30, "MaxDiskBytes")
	flag.Parse()
	if err := s.run(); err != nil {
		fmt.Fprintf(os.Stderr, "soak: seed %d, store in %s: %v\n", s.seed, s.dir, err)
		os.Exit(1)
	}
}

func (s *settings) run() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "siltstone-soak"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(s.dir)
			}
		}()
	}
	db, err := s.open()
	if err != nil {
		return err
	}
	l := newLoad(s, db)
	if err := l.fill(); err != nil {
		return errors.Join(err, db.Close())
	}
	r := newRecorder(s, l)
	if err := errors.Join(l.turn(r), db.Close()); err != nil {
		return err
	}
	if l.db, err = s.open(); err != nil {
		return err
	}
	if err := errors.Join(l.verify(), l.db.Close()); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	if s.svg != "" {
		if err := os.WriteFile(s.svg, r.draw(), 0o644); err != nil {
			return err
		}
	}
	return s.report(l, r)
}

func (s *settings) storeDir() string { return filepath.Join(s.dir, "store") }

// report prints the figures. It returns an error if one has grown beyond its bound.
func (s *settings) report(l *load, r *recorder) error {
	live, written := l.bytes()
	fmt.Printf("seed %d, %v, %d samples: %d operations, %.0f MB written, %.1f MB live: turned over %.1f times; %d snapshots, %d checkpoints, %d keyspaces\n",
		s.seed, r.lasted().Round(time.Second), len(r.samples), l.ops.Load(), float64(written)/1e6, float64(live)/1e6, float64(written)/float64(live),
		l.snapshots, l.checkpoints, l.keyspaces())
	fmt.Printf("every answer right, Check silent, and again after Close and Open\n\n")
	fmt.Printf("%-32s %12s %12s %12s %14s   %s\n", "", "first half", "second half", "most", "line rises by", "may grow by")
	var errs []error
	for i, f := range figures {
		v := r.series(i)
		t := trendOf(v, r.times)
		verdict := "not bounded"
		if f.growth > 0 {
			verdict = number(f.growth) + ": ok"
			if t.grew() > f.growth {
				verdict = number(f.growth) + ": GREW by " + number(t.grew())
				errs = append(errs, fmt.Errorf("%s grew by %s %s", f.name, number(t.grew()), f.unit))
			}
		}
		if most := f.limit(s); most > 0 && t.second > most {
			errs = append(errs, fmt.Errorf("%s: the median %s %s is above %s", f.name, number(t.second), f.unit, number(most)))
		}
		fmt.Printf("%-32s %12s %12s %12s %14s   %s\n", f.name+", "+f.unit, number(t.first), number(t.second), number(t.most), number(t.rise), verdict)
	}
	return errors.Join(errs...)
}
