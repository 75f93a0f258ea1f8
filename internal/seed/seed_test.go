package seed

import (
	"strings"
	"testing"
)

// failing is a test that has failed, and what it logged.
type failing struct {
	testing.TB
	cleanup func()
	logged  string
}

func (f *failing) Helper()           {}
func (f *failing) Failed() bool      { return true }
func (f *failing) Cleanup(fn func()) { f.cleanup = fn }
func (f *failing) Log(args ...any)   { f.logged = args[0].(string) }
func (f *failing) Name() string      { return "TestX/a.b" }

func TestAFailingTestTellsHowItIsReplayed(t *testing.T) {
	f := &failing{TB: t}
	n := New(f)
	f.cleanup()
	if n == 0 || f.logged != Replay(f, n) || !strings.HasPrefix(f.logged, `replay: go test . -run '^TestX$/^a\.b$' -seed `) {
		t.Errorf("seed %d: %q", n, f.logged)
	}
}

func TestTheSeedOfTheCommandLineIsTaken(t *testing.T) {
	defer func(n uint64) { *flagged = n }(*flagged)
	*flagged = 42
	if n, ok := Given(); n != 42 || !ok || New(t) != 42 {
		t.Errorf("seed %d, %v", n, ok)
	}
	*flagged = 0
	if n, ok := Given(); ok {
		t.Errorf("seed %d without a flag", n)
	}
}
