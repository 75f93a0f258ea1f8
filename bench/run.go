package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"time"
)

// task is what one child process does: one scenario on one engine.
type task struct {
	kind     engineKind
	scenario scenario
	run      int
	n        uint64
	limit    time.Duration
	rows     *regexp.Regexp // rows asked for; nil: all
	dir      string         // empty, for the store
	profiles string         // folder for a CPU profile per row; "": none
	hasty    bool           // does not wait until the engine rests: for tests
	group    string         // control group to enter; "": none
	memory   int64          // bytes that it has
	cache    int64          // bytes for blocks and memtables where they are given
}

// bed returns an unopened bed for the task.
func (t *task) bed() *bed {
	b := &bed{
		kind: t.kind,
		config: Config{
			Dir: filepath.Join(t.dir, "store"), Cache: cacheBytes, Memtable: memtableBytes,
			Sync: t.scenario.sync, Value: t.scenario.value,
		},
		keys:   t.scenario.keys,
		values: newValues(t.scenario.value),
		limit:  t.limit,
		hasty:  t.hasty,
		n:      t.scenario.count(t.n),
	}
	if t.scenario.times > 0 {
		b.n = uint64(int64(t.scenario.times) * t.memory / b.pairLen())
		b.config.Cache, b.config.Memtable = t.memory/memoryCache, t.memory/memoryMemtable
	}
	if t.scenario.given {
		b.config.Cache, b.config.Memtable = givenCache(t.cache)
	}
	if t.scenario.unlimited && !t.hasty {
		b.limit = 0
	}
	return b
}

// run proves the engine, goes through the steps and writes a line per row. A
// failure ends the scenario and is a line too.
func (t *task) execute(out io.Writer) error {
	lines := json.NewEncoder(out)
	fail := func(row string, err error) error {
		return lines.Encode(result{
			Engine: t.kind.name, Scenario: t.scenario.name, Row: row, Run: t.run, Err: err.Error(),
		})
	}
	in := &group{dir: t.group}
	if t.group != "" {
		if err := in.enter(); err != nil {
			return fail("", err)
		}
	}
	b := t.bed()
	proof := b.config
	proof.Dir = t.dir
	if err := prove(t.kind, proof); err != nil {
		return fail("", fmt.Errorf("the wrapper does not store: %w", err))
	}
	resetPeakMemory()
	if err := b.open(); err != nil {
		return fail("", err)
	}
	for _, s := range t.scenario.steps {
		r, err := t.step(b, s)
		if err == nil && r != nil && t.group != "" {
			r.Held, err = in.holds()
		}
		if err != nil {
			return errors.Join(fail(s.row, err), b.close())
		}
		if r != nil {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
	}
	return b.close()
}

// step takes one step and returns its line, if it has one that is asked for.
func (t *task) step(b *bed, s step) (*result, error) {
	asked := s.row != "" && (t.rows == nil || t.rows.MatchString(s.row))
	r := &result{Engine: t.kind.name, Scenario: t.scenario.name, Row: s.row, Run: t.run, Unit: s.unit}
	switch {
	case s.prepare != nil:
		return nil, s.prepare(b)
	case s.figure != nil && asked:
		var err error
		r.Value, err = s.figure(b)
		return r, err
	case s.time != nil && (asked || s.needed):
		stop, err := t.profile(s.row, asked)
		if err != nil {
			return nil, err
		}
		m, err := s.time(b)
		stop()
		if err != nil {
			return nil, err
		}
		if r.Resident, err = b.resident(); err != nil || !asked {
			return nil, err
		}
		if r.fill(m); s.sized {
			r.Stored = int64(b.stored) * b.pairLen()
		}
		return r, nil
	}
	return nil, nil
}

// profile starts the CPU profile of a row and returns what ends it.
func (t *task) profile(row string, asked bool) (stop func(), err error) {
	if t.profiles == "" || !asked {
		return func() {}, nil
	}
	if err := os.MkdirAll(t.profiles, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(t.profiles, fmt.Sprintf("%s-%s-%d.pprof", t.kind.name, row, t.run)))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
