package commitlog

import (
	"errors"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/wal"
)

// zeroes is what a segment was asked to fill.
type zeroes struct {
	from, to []int64
	err      error
}

func (z *zeroes) zero(from, to int64) error {
	z.from, z.to = append(z.from, from), append(z.to, to)
	return z.err
}

// zeroingLog returns a log over s, with so much space reserved, that fills it.
func zeroingLog(t *testing.T, s *sink, z *zeroes, reserved int64) committer {
	t.Helper()
	seg := s.segment(1)
	seg.Zero, seg.Reserved = z.zero, reserved
	l := New(1, seg, nil)
	if err := l.Activate(wal.Predecessor{}, 0, 10); err != nil {
		t.Fatal(err)
	}
	return committer{l: l}
}

func (c *committer) commit(t *testing.T, n int, level Level) {
	t.Helper()
	if err := c.l.Wait(c.append(strings.Repeat("x", n)), level); err != nil {
		t.Fatal(err)
	}
}

func TestSpaceInFrontOfSyncedCommitsIsFilled(t *testing.T) {
	s, z := &sink{}, &zeroes{}
	const reserved = 3*zeroStep + 100
	c := zeroingLog(t, s, z, reserved)
	for len(s.data) < reserved-2*(zeroLeast+8<<10) {
		asked := len(z.to)
		c.commit(t, 8<<10, Durable)
		if len(z.to) > asked && z.from[asked] < int64(len(s.data)) {
			t.Fatalf("filled from %d on, the log ends at %d", z.from[asked], len(s.data))
		}
		if ready := z.to[len(z.to)-1] - int64(len(s.data)); ready < zeroLeast-(8<<10)-100 {
			t.Fatalf("%d bytes lie ready at %d", ready, len(s.data))
		}
	}
	for i := 1; i < len(z.from); i++ {
		if z.from[i] != z.to[i-1] {
			t.Errorf("filled up to %d and then from %d on", z.to[i-1], z.from[i])
		}
	}
	if last := z.to[len(z.to)-1]; last != reserved || len(z.to) != 3 {
		t.Errorf("filled %v, %d are reserved", z.to, reserved)
	}
}

func TestSpaceIsNotFilledForFewSyncsOrNone(t *testing.T) {
	s, z := &sink{}, &zeroes{}
	c := zeroingLog(t, s, z, 8<<20)
	for range 8 {
		for range 20 {
			c.commit(t, 8<<10, Written)
		}
		c.commit(t, 100, Durable)
	}
	if len(z.to) != 0 {
		t.Errorf("filled up to %v for a sync in 160 KiB", z.to)
	}
}

func TestSpaceThatCannotBeFilledIsLeft(t *testing.T) {
	s, z := &sink{}, &zeroes{err: errors.New("no")}
	c := zeroingLog(t, s, z, 8<<20)
	for range 10 {
		c.commit(t, 100, Durable)
	}
	if len(z.to) != 1 {
		t.Errorf("asked %d times", len(z.to))
	}
	if got, _ := s.frames(t); len(got) != 10 {
		t.Errorf("%d frames, want 10", len(got))
	}
}
