package raftstore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone"
)

// Commands are registered when a program starts, where nobody looks at an error.
func TestOpenReturnsTheFirstMistakeOfRegister(t *testing.T) {
	fn := func(*siltstone.Tx, string) (string, error) { return "", nil }
	for _, c := range []struct {
		what     string
		register func(*Commands)
	}{
		{"no name", func(c *Commands) { Register(c, "", fn) }},
		{"more than", func(c *Commands) { Register(c, strings.Repeat("n", maxName+1), fn) }},
		{"or function", func(c *Commands) { Register[string, string](c, "a", nil) }},
		{"already", func(c *Commands) { Register(c, "a", fn); Register(c, "a", fn); Register(c, "", fn) }},
	} {
		var commands Commands
		c.register(&commands)
		_, err := Open(Options{ID: "a", Addr: "127.0.0.1:0", Dir: t.TempDir(), Commands: &commands})
		if err == nil || !strings.Contains(err.Error(), c.what) {
			t.Errorf("%s: Open says %v", c.what, err)
		}
	}
	Register(nil, "a", fn)
}

// A command whose first attempt may have been applied, and whose last one met no leader.
func TestWhatMayHaveBeenAppliedIsNeverSaidToHaveMetNoLeader(t *testing.T) {
	if err := givenUp(true, context.DeadlineExceeded); errors.Is(err, ErrNoLeader) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := givenUp(false, context.DeadlineExceeded); !errors.Is(err, ErrNoLeader) {
		t.Errorf("%v", err)
	}
}
