package keyspace

import (
	"errors"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestAPrefixNamesItsNumber(t *testing.T) {
	for _, n := range []uint32{1, 2, 255, 256, 1 << 24, 1<<32 - 1} {
		if got := Number(Prefix(n)); got != n {
			t.Errorf("prefix of %d is that of %d", n, got)
		}
	}
	if Prefix(0) != nil || Number(nil) != 0 || Number([]byte("abc")) != 0 {
		t.Error("the default keyspace has a prefix, or what is none names a number")
	}
}

func TestAKeyspaceIsReadUntilItsDropIsVisible(t *testing.T) {
	s := New("a", 1)
	s.End(7)
	if err := s.ReadableAt(6); err != nil {
		t.Errorf("before the drop: %v", err)
	}
	for _, err := range []error{s.ReadableAt(7), s.Writable()} {
		if !errors.Is(err, base.ErrDropped) {
			t.Errorf("at the drop: %v", err)
		}
	}
	var whole *Space
	if whole.Writable() != nil || whole.ReadableAt(base.SeqMax) != nil || whole.ID() != 0 || whole.Prefix() != nil {
		t.Error("the default keyspace has been dropped, or has a name")
	}
}

func TestADroppedKeyspaceIsNotHandedOut(t *testing.T) {
	var r Registry
	old := New("a", 1)
	r.Add(old)
	if r.Get("a") != old || r.Get("b") != nil {
		t.Error("the wrong keyspace is handed out")
	}
	old.End(3)
	if r.Get("a") != nil {
		t.Error("a dropped keyspace is handed out")
	}
	again := New("a", 2)
	r.Add(again)
	r.Forget(old) // late: its name is another's
	if r.Get("a") != again || len(r.All()) != 1 {
		t.Error("forgetting a dropped keyspace has forgotten the new one of its name")
	}
	r.Forget(again)
	if r.Get("a") != again {
		t.Error("a keyspace was forgotten that is not dropped")
	}
}

func TestNamesHaveBounds(t *testing.T) {
	for name, want := range map[string]error{
		"": base.ErrEmptyKey, "a": nil,
		strings.Repeat("a", MaxNameLen): nil, strings.Repeat("a", MaxNameLen+1): base.ErrKeyTooLarge,
	} {
		if err := CheckName(name); !errors.Is(err, want) {
			t.Errorf("a name of %d bytes: %v, want %v", len(name), err, want)
		}
	}
}
