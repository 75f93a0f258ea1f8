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
	"github.com/siltstonedb/siltstone/examples/goindex/index"
)

// indexTree is what the command does: it loads, closes, reopens and asks.
func indexTree(ctx context.Context, c config, t index.Tree, out io.Writer) error {
	fmt.Fprintf(out, "source   %s: %d files in %d packages\n", t.Root, t.Files, len(t.Packages))
	if err := load(ctx, c, t, out); err != nil {
		return err
	}
	start := time.Now()
	db, err := siltstone.Open(c.store, &siltstone.Options{MustExist: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "open     %v\n\n", since(start))
	return errors.Join(ask(db, out), db.Close())
}

// load opens the store, makes it equal to the tree and closes it.
func load(ctx context.Context, c config, t index.Tree, out io.Writer) error {
	var work work
	db, err := siltstone.Open(c.store, &siltstone.Options{OnEvent: work.note})
	if err != nil {
		return err
	}
	l := index.Loader{DB: db, Source: t, Progress: index.NewProgress("loading", len(t.Packages))}
	start := time.Now()
	err = l.Run(ctx)
	l.Progress.End()
	took := since(start)
	start = time.Now()
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	printResult(out, l.Result, took)
	fmt.Fprintf(out, "close    %v\n", since(start))
	work.print(out, l.Result.Bytes)
	return printFiles(out, c.store)
}

func printResult(out io.Writer, r index.Result, took time.Duration) {
	if r.Commits == 0 {
		fmt.Fprintf(out, "load     nothing committed: all %d packages are unchanged; %v\n", r.Unchanged, took)
		return
	}
	fmt.Fprintf(out, "load     %d packages committed (%d of them removed), %d unchanged; %d files, %d lines, %s; %v\n",
		r.Commits, r.Gone, r.Unchanged, r.Files, r.Lines, size(r.Bytes), took)
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
