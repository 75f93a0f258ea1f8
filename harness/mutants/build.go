package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// build is the module with all faults woven in. The tests of a package are compiled when
// they are first run, once. The compiler sees the faults in an overlay, so that the tree
// stays as it is.
type build struct {
	root, temp, overlay string

	mu       sync.Mutex // guards what follows, through compilations
	programs map[string]*program
}

// program is the compiled tests of a package.
type program struct {
	once sync.Once
	path string
	err  error
}

func newBuild(root string, all []mutant) (*build, error) {
	files, err := weave(root, all)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	b := &build{root: root, temp: temp, overlay: filepath.Join(temp, "overlay.json"), programs: map[string]*program{}}
	replace := map[string]string{}
	for name, text := range files {
		to := filepath.Join(temp, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return b, err
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = to
	}
	o, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return b, err
	}
	return b, os.WriteFile(b.overlay, o, 0o644)
}

func (b *build) remove() { _ = os.RemoveAll(b.temp) }

// buildTime is how long the tests of a package may take to be compiled.
const buildTime = 15 * time.Minute

// program returns the compiled tests of the package in dir.
func (b *build) program(dir string) (string, error) {
	b.mu.Lock()
	p := b.programs[dir]
	if p == nil {
		p = &program{}
		b.programs[dir] = p
	}
	b.mu.Unlock()
	p.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), buildTime)
		defer cancel()
		p.path = filepath.Join(b.temp, strings.ReplaceAll(dir, "/", "-")+".test.exe")
		// No symbols: that is quicker.
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", p.path, "-vet=off", "-ldflags=-s -w", "-overlay", b.overlay, "./"+dir)
		cmd.Dir = b.root
		if out, err := cmd.CombinedOutput(); err != nil {
			p.err = fmt.Errorf("the tests of %s with the mutants, whose names stand before the lines, do not compile: %w\n%s", dir, err, out)
		}
	})
	return p.path, p.err
}

// run runs the tests of s with the fault of that number, 0 for none.
func (b *build) run(s step, id int, c *config) (verdict, error) {
	program, err := b.program(s.dir)
	if err != nil {
		return verdict{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout+time.Minute)
	defer cancel()
	args := []string{"-test.short", "-test.failfast", "-test.timeout", c.timeout.String()}
	if s.pattern != "" {
		args = append(args, "-test.run", s.pattern)
	}
	if c.skip != "" {
		args = append(args, "-test.skip", c.skip)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join(b.root, filepath.FromSlash(s.dir))
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", chosenBy, id))
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return verdict{outcome: survived}, nil
	}
	if ctx.Err() != nil {
		return verdict{outcome: hung, by: s.String() + ": the run did not end"}, nil
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		return verdict{}, err
	}
	v := judge(string(out))
	v.by = s.dir + ": " + v.by
	return v, nil
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	running = regexp.MustCompile(`(?m)^\s+(Test\S+) \(\d`)
)

// judge reads the output of a run of tests that was red.
func judge(out string) verdict {
	if strings.Contains(out, "panic: test timed out after") {
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
