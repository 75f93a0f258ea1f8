package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/examples/goindex/index"
)

// crashRounds is how often the loading process is killed. Each round goes on
// from what the one before left.
const crashRounds = 3

// crash is -crash: it has a child process load the tree, kills it without
// warning at a random moment, and compares what the store then holds with what
// the child said was committed.
//
//	acknowledged  packages whose commit had returned
//	found         packages in the store
//	lost          acknowledged, but not found: must be none
//	extra         found, but not acknowledged: the commit in flight, at most
//	torn          not as in the source: must be none
func crash(ctx context.Context, c config, t index.Tree, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "goindex-crash-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w; the store is kept in %s", err, dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	c.store = filepath.Join(dir, "store")
	acknowledged := map[string]bool{}
	for round := range crashRounds {
		// A share of what is left to load, so that every round dies half-way.
		left := len(t.Packages) - len(acknowledged)
		kill := 1 + rand.IntN(max(1, left/(crashRounds-round)))
		if err := loadAndKill(ctx, c, kill, acknowledged); err != nil {
			return err
		}
		fmt.Fprintf(out, "killed after commit %d\n", kill)
		if err := judgeCrash(ctx, c, t, acknowledged, out); err != nil {
			return err
		}
	}
	return nil
}

// loadAndKill starts a child that loads, kills it when it has acknowledged n
// packages, and adds all that it acknowledged before it died.
func loadAndKill(ctx context.Context, c config, n int, acknowledged map[string]bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, "-acks", "-dir", c.store, "-src", c.source, "-n", strconv.Itoa(c.limit))
	child.Stderr = os.Stderr
	acks, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(acks)
	killed := false
	for i := 1; lines.Scan(); i++ {
		acknowledged[lines.Text()] = true
		if i == n {
			// SIGKILL, where there are signals. What the pipe still holds is read.
			if err := child.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
			killed = true
		}
	}
	if err := child.Wait(); err != nil && !killed {
		return fmt.Errorf("child: %w", err)
	}
	return errors.Join(lines.Err(), ctx.Err())
}

// judgeCrash opens the store as the child left it.
func judgeCrash(ctx context.Context, c config, t index.Tree, acknowledged map[string]bool, out io.Writer) error {
	db, err := siltstone.Open(c.store, nil)
	if err != nil {
		return err
	}
	v := verifier{source: t, progress: index.NewProgress("comparing", len(t.Packages))}
	err = errors.Join(db.Check(ctx), v.run(ctx, db), db.Close())
	v.progress.End()
	if err != nil {
		return err
	}
	lost := 0
	for _, path := range v.packages[missing] {
		if acknowledged[path] {
			lost++
		}
	}
	found := append(v.packages[whole], v.packages[torn]...)
	extra := len(found) - (len(acknowledged) - lost)
	fmt.Fprintf(out, "  acknowledged %d, found %d, lost %d, extra %d, torn %d\n",
		len(acknowledged), len(found), lost, extra, len(v.packages[torn]))
	v.print(out)
	// What was found counts as acknowledged from now on: a commit that has been
	// seen must not go away either.
	for _, path := range found {
		acknowledged[path] = true
	}
	if lost > 0 || len(v.faults) > 0 {
		return errors.New("the store is not what was committed")
	}
	return nil
}

// acknowledge is -acks, the child of -crash: each line says that a commit has
// returned.
func acknowledge(ctx context.Context, c config, t index.Tree, out io.Writer) error {
	db, err := siltstone.Open(c.store, nil)
	if err != nil {
		return err
	}
	l := index.Loader{DB: db, Source: t, Committed: func(path string) error {
		_, err := fmt.Fprintln(out, path)
		return err
	}}
	return errors.Join(l.Run(ctx), db.Close())
}
