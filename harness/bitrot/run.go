package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// batch is how many cases a process runs: what an engine leaks after a failed open ends
// with it.
const batch = 200

// runner runs the cases of one engine.
type runner struct {
	*settings
	kind  engineKind
	img   *image
	cases []damage
	all   tallies
}

// run runs the cases that the settings ask for.
func (r *runner) run() error {
	for from, to := r.from, min(r.to, len(r.cases)); from < to; {
		next, err := r.runBatch(from, min(from+batch, to))
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// runBatch runs cases in a process of their own, until all are done or one has ended the
// process. It returns the number of the next case.
func (r *runner) runBatch(from, to int) (next int, err error) {
	c, err := r.start(r.kind, from, r.cases[from:to])
	if err != nil {
		return 0, err
	}
	var hung atomic.Bool
	timer := time.AfterFunc(r.timeout, func() {
		hung.Store(true)
		_ = c.cmd.Process.Kill() // else it has just ended by itself
	})
	defer timer.Stop()
	next = from
	running := false
	for lines := bufio.NewScanner(c.out); lines.Scan(); {
		timer.Reset(r.timeout)
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "begin":
			running = true
		case "end":
			v, why, err := parseEnd(rest)
			if err != nil {
				return 0, err
			}
			r.count(next, v, why)
			next++
			running = false
		}
	}
	err = c.cmd.Wait()
	if !running {
		if next == from || err != nil {
			return 0, fmt.Errorf("the process of cases %d to %d: %w: %s", from, to, err, c.stderr.gist())
		}
		return next, r.clean(r.kind, next-1)
	}
	r.count(next, r.ending(c, hung.Load()), fmt.Sprintf("%v: %s", err, c.stderr.gist()))
	return next + 1, r.clean(r.kind, next)
}

// ending names the end of a process in the middle of a case.
func (r *runner) ending(c *process, hung bool) verdict {
	switch {
	case hung:
		return hang
	case c.stderr.says("out of memory"), c.stderr.says("cannot allocate memory"):
		return memory
	case c.cmd.ProcessState.ExitCode() == 1: // a panic is 2, a signal negative
		return exit
	}
	return crash
}

// count adds a verdict, and tells it if it is asked to.
func (r *runner) count(i int, v verdict, why string) {
	t := r.all.of(r.img, r.cases[i].IsLog)
	t.Counts[v]++
	t.Cases++
	if r.verbose && v != harmless && v != detected {
		fmt.Printf("%s: case %d: %s: %s: %.300q\n", r.kind.name, i, r.cases[i], v, why)
	}
}

func parseEnd(line string) (verdict, string, error) {
	_, rest, _ := strings.Cut(line, " ")
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", "", fmt.Errorf("line %q: %w", line, err)
	}
	v, err := strconv.Unquote(quoted)
	if err != nil {
		return "", "", err
	}
	why, err := strconv.Unquote(strings.TrimSpace(rest[len(quoted):]))
	return verdict(v), why, err
}

// process is a child that runs cases.
type process struct {
	cmd    *exec.Cmd
	out    interface{ Read([]byte) (int, error) }
	stderr *endWriter
}

// start begins a process under the limit of memory.
func (s *settings) start(k engineKind, from int, cases []damage) (*process, error) {
	p := &process{stderr: new(endWriter)}
	p.cmd = exec.Command("sh", "-c", `ulimit -v "$0" && exec "$@"`, fmt.Sprint(s.memory>>10), os.Args[0], "-child", "-engines", k.name,
		"-dir", s.dir, "-seed", fmt.Sprint(s.seed), "-from", fmt.Sprint(from))
	in := new(bytes.Buffer)
	if err := gob.NewEncoder(in).Encode(cases); err != nil {
		return nil, err
	}
	p.cmd.Stdin = in
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	p.out = out
	if err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// endWriter keeps the end of what is written to it: engines log much before they die.
type endWriter struct{ b []byte }

func (w *endWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	if over := len(w.b) - 64<<10; over > 32<<10 {
		w.b = bytes.Clone(w.b[over:])
	}
	return len(b), nil
}

func (w *endWriter) says(s string) bool { return bytes.Contains(w.b, []byte(s)) }

// gist returns what tells most of the end of a process.
func (w *endWriter) gist() string {
	for _, mark := range []string{"panic:", "fatal error:", "unexpected fault", "corruption"} {
		if i := bytes.Index(w.b, []byte(mark)); i >= 0 {
			return string(w.b[i:min(i+400, len(w.b))])
		}
	}
	return string(w.b[max(0, len(w.b)-300):])
}

// clean removes what a process has left of a case.
func (s *settings) clean(k engineKind, i int) error { return os.RemoveAll(s.caseDir(k, i)) }

// caseDir is the directory of a case.
func (s *settings) caseDir(k engineKind, i int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s.case%d", k.name, i))
}
