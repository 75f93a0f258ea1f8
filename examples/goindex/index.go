package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/siltstonedb/siltstone"
)

// index is what the command does without -crash: it loads, closes, reopens,
// asks, and with -verify compares.
func index(ctx context.Context, c config, t tree, out io.Writer) error {
	fmt.Fprintf(out, "source   %s: %d files in %d packages\n", t.root, t.files, len(t.packages))
	if err := load(ctx, c, t, out); err != nil {
		return err
	}
	start := time.Now()
	db, err := siltstone.Open(c.store, &siltstone.Options{MustExist: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "open     %v\n\n", since(start))
	err = ask(db, out)
	if err == nil && c.verify {
		err = compare(ctx, db, t, out)
	}
	return errors.Join(err, db.Close())
}

// load opens the store, makes it equal to the tree and closes it.
func load(ctx context.Context, c config, t tree, out io.Writer) error {
	var work work
	db, err := siltstone.Open(c.store, &siltstone.Options{OnEvent: work.note})
	if err != nil {
		return err
	}
	l := loader{db: db, source: t, progress: newProgress("loading", len(t.packages))}
	start := time.Now()
	err = l.run(ctx)
	l.progress.end()
	took := since(start)
	start = time.Now()
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	l.result.print(out, took)
	fmt.Fprintf(out, "close    %v\n", since(start))
	work.print(out, l.result.bytes)
	return printFiles(out, c.store)
}

func (r loadResult) print(out io.Writer, took time.Duration) {
	if r.commits == 0 {
		fmt.Fprintf(out, "load     nothing committed: all %d packages are unchanged; %v\n", r.unchanged, took)
		return
	}
	fmt.Fprintf(out, "load     %d packages committed (%d of them removed), %d unchanged; %d files, %d lines, %s; %v\n",
		r.commits, r.gone, r.unchanged, r.files, r.lines, size(r.bytes), took)
}

// printFiles shows what the store's directory holds, by kind of file.
func printFiles(out io.Writer, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var total int64
	tables := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		if filepath.Ext(e.Name()) == ".sst" {
			tables++
		}
	}
	fmt.Fprintf(out, "disk     %s in %d files, %d of them tables; %s\n", size(total), len(entries), tables, dir)
	return nil
}

// size prints a number of bytes.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// since is the time since start, in three digits or so.
func since(start time.Time) time.Duration {
	d := time.Since(start)
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}
