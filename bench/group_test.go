package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestAGroupIsLimitedByEitherVersion(t *testing.T) {
	for _, files := range [][]string{
		{"memory.max", "memory.swap.max", "cgroup.procs"},
		{"memory.limit_in_bytes", "cgroup.procs"},
	} {
		g := &group{dir: t.TempDir()}
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(g.dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.limit(123 << 20); err != nil {
			t.Fatal(err)
		}
		if err := g.enter(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{files[0]: strconv.Itoa(123 << 20), "cgroup.procs": strconv.Itoa(os.Getpid())} {
			if got, err := os.ReadFile(filepath.Join(g.dir, name)); string(got) != want {
				t.Errorf("%s has %q, %v; want %q", name, got, err, want)
			}
		}
	}
}

func TestAGroupThatCannotBeLimitedIsRemoved(t *testing.T) {
	parent := t.TempDir()
	for _, dir := range []string{parent, filepath.Join(parent, "absent")} {
		if g, err := newGroup(dir, 1<<20); err == nil {
			t.Errorf("%q: made %v", dir, g)
		}
	}
	if left, err := os.ReadDir(parent); len(left) > 0 || err != nil {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestDataIsAsManyTimesTheMemoryAsItsScenarioSays(t *testing.T) {
	for _, times := range []int{2, 8} {
		b := (&task{scenario: beyondScenario(times), n: 5, memory: 64 << 20}).bed()
		if data := int64(b.n) * b.pairLen(); data/(64<<20) != int64(times) && data/(64<<20) != int64(times)-1 {
			t.Errorf("%d times: %d bytes of data", times, data)
		}
		if held := b.config.Cache + 3*b.config.Memtable; held > 64<<20/2 {
			t.Errorf("%d times: cache and memtables take %d bytes", times, held)
		}
	}
}
