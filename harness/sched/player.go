package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// player is a program that plays scenarios over a rewritten store.
type player struct {
	program string
	dir     string
}

// build rewrites the module at root, with the changes beside the fitting ones, and
// builds the scenarios over it. All files go to dir.
func build(root, dir string, changes []change) (*player, error) {
	o, err := newOverlay(root, dir, append(changes[:len(changes):len(changes)], fitting...))
	if err != nil {
		return nil, err
	}
	file, err := o.file()
	if err != nil {
		return nil, err
	}
	p := &player{program: filepath.Join(dir, "play.test"), dir: dir}
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", p.program, "./harness/sched/play")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return p, nil
}

// run is what is to be played.
type run struct {
	scenario  string
	seed      uint64
	schedules uint64
	length    time.Duration // instead of a number of schedules
	twice     bool
	trace     string
}

// result is what became of it, as package play writes it.
type result struct {
	Seed      uint64 // of the schedule that failed, or was the last
	Schedules uint64
	Steps     int
	Failed    string
}

// hang is how long a run may take beyond its time, and one of a number of schedules
// for each of them.
const hang = 2 * time.Minute

// play plays until a schedule fails. One that ends the process has failed.
func (p *player) play(r run) (result, error) {
	report := filepath.Join(p.dir, "report.json")
	limit := r.length + hang
	if r.length == 0 {
		limit += time.Duration(r.schedules) * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, "-test.run", "^TestPlay$", "-test.timeout", "0",
		"-scenario", r.scenario, "-first", strconv.FormatUint(r.seed, 10), "-schedules", strconv.FormatUint(r.schedules, 10),
		"-for", r.length.String(), "-twice="+strconv.FormatBool(r.twice), "-trace", r.trace, "-report", report)
	// One processor is enough for what runs one at a time, and no preemption lets the
	// runtime's own choices into what runs beside it.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
	out, failure := cmd.CombinedOutput()
	var res result
	b, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(bytes.TrimSpace(b), &res)
	}
	if err != nil {
		return res, fmt.Errorf("%s: %w, %v\n%s", r.scenario, err, failure, out)
	}
	if failure != nil && res.Failed == "" {
		res.Failed = "the process ended: " + failure.Error() + "\n" + string(out)
		if ctx.Err() != nil {
			res.Failed = "the process hangs"
		}
	}
	return res, nil
}

// scenarios returns the names of all.
func (p *player) scenarios() ([]string, error) {
	out, err := exec.Command(p.program, "-test.run", "^TestPlay$", "-list").Output()
	return strings.Fields(string(out)), err
}
