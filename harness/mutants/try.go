package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// outcome is what became of a mutant.
type outcome uint8

const (
	survived outcome = iota // all tests are green
	caught                  // a test is red
	hung                    // tests did not end: caught by the timeout
	broken                  // it does not compile
)

func (o outcome) String() string {
	return [...]string{"survived", "caught", "hung", "broken"}[o]
}

// verdict is the outcome of the runs for one mutant.
type verdict struct {
	outcome
	by   string // the tests that noticed, or the first words of the compiler
	took time.Duration
}

// try tries m in dir, a copy of the module, and leaves that as it was.
func try(m mutant, dir string, timeout time.Duration, green *baseline) (verdict, error) {
	file := filepath.Join(dir, filepath.FromSlash(m.file))
	original, err := os.ReadFile(file)
	if err != nil {
		return verdict{}, err
	}
	mutated, err := m.apply(dir)
	if err != nil {
		return verdict{}, err
	}
	if err := os.WriteFile(file, []byte(mutated), 0o644); err != nil {
		return verdict{}, err
	}
	begin := time.Now()
	v, at := runUntilRed(m.steps(), dir, timeout)
	v.took = time.Since(begin)
	if err := os.WriteFile(file, original, 0o644); err != nil {
		return v, err
	}
	if v.outcome == caught || v.outcome == hung {
		err = green.check(at, dir, timeout)
	}
	return v, err
}

// runUntilRed runs one step after the other until one is red, and returns that.
func runUntilRed(steps []step, dir string, timeout time.Duration) (v verdict, at step) {
	for _, at = range steps {
		if v = at.run(dir, timeout); v.outcome != survived {
			break
		}
	}
	return v, at
}

// baseline is the runs that are known to be green without a fault.
type baseline struct {
	mu    sync.Mutex
	green map[step]bool
}

func newBaseline() *baseline { return &baseline{green: map[step]bool{}} }

// check runs s in dir, where the module is as it was, unless that was done before. It
// fails if s is red: then it says nothing about a mutant.
func (b *baseline) check(s step, dir string, timeout time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.green[s] {
		return nil
	}
	if v := s.run(dir, timeout); v.outcome != survived {
		return fmt.Errorf("the tests of %v are red without it: %s", s, v.by)
	}
	b.green[s] = true
	return nil
}

// buildTime is how long a package may take to be built, beside the time of its tests.
const buildTime = 5 * time.Minute

// run runs the tests of s in the module in dir. Of -trimpath the builds of one copy
// serve the next one.
func (s step) run(dir string, timeout time.Duration) verdict {
	ctx, cancel := context.WithTimeout(context.Background(), timeout+buildTime)
	defer cancel()
	args := []string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-trimpath", "-timeout", timeout.String()}
	if s.pattern != "" {
		args = append(args, "-run", s.pattern)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+s.dir)...)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return verdict{outcome: survived}
	}
	if ctx.Err() != nil {
		return verdict{outcome: hung, by: s.String() + ": the run did not end"}
	}
	v := judge(string(out))
	v.by = s.dir + ": " + v.by
	return v
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	running = regexp.MustCompile(`(?m)^\s+(Test\S+) \(\d`)
)

// judge reads the output of a run of tests that was red.
func judge(out string) verdict {
	switch {
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return verdict{outcome: broken, by: compilerSays(out)}
	case strings.Contains(out, "panic: test timed out after"):
		return verdict{outcome: hung, by: first(running, out, "no test") + ", timed out"}
	}
	return verdict{outcome: caught, by: first(failed, out, "a crash")}
}

func first(re *regexp.Regexp, out, none string) string {
	if m := re.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return none
}

// compilerSays returns the first error of the compiler.
func compilerSays(out string) string {
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			return strings.TrimSpace(line)
		}
	}
	return "it does not build"
}

// copyModule copies the files of the module at root to dir, but what git keeps.
func copyModule(dir, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, path)
		switch {
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
}
