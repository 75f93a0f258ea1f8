package siltstone

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
)

// holdKind is what can be left open: each keeps files and memory from being
// freed.
type holdKind uint8

const (
	holdIterator holdKind = iota
	holdSnapshot
	holdTransaction
	holdKinds
)

func (k holdKind) String() string {
	return [...]string{"iterator", "snapshot", "transaction"}[k]
}

// holders counts what is open and, if asked, remembers who opened it. Safe for
// concurrent use.
type holders struct {
	open [holdKinds]atomic.Int64

	track  bool // constant: Options.TrackOpen
	mu     sync.Mutex
	stacks map[any]string
}

func (h *holders) opened(k holdKind, what any) {
	h.open[k].Add(1)
	if h.track {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.stacks == nil {
			h.stacks = map[any]string{}
		}
		h.stacks[what] = fmt.Sprintf("%v opened by\n%s", k, debug.Stack())
	}
}

func (h *holders) closed(k holdKind, what any) {
	h.open[k].Add(-1)
	if h.track {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.stacks, what)
	}
}

// err returns an error that lists what is still open, or nil.
func (h *holders) err() error {
	var parts []string
	for k := range holdKinds {
		if n := h.open[k].Load(); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %v(s)", n, k))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var stacks strings.Builder
	for _, s := range h.stacks {
		stacks.WriteString("\n" + s)
	}
	return fmt.Errorf("siltstone: closed with %s still open%s", strings.Join(parts, ", "), stacks.String())
}
