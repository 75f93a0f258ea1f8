package siltstone

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
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

	track   bool // constant: Options.TrackOpen
	mu      sync.Mutex
	tracked map[any]hold
}

// hold is one open thing that is tracked.
type hold struct {
	kind  holdKind
	since time.Time
	state *readstate.State // that it holds, or nil
	stack string
}

func (h *holders) opened(k holdKind, what any) {
	h.open[k].Add(1)
	if !h.track {
		return
	}
	o := hold{kind: k, since: time.Now(), stack: string(debug.Stack())}
	switch w := what.(type) {
	case *Iterator:
		o.state = w.state
	case *Tx:
		o.state = w.t.view.State
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tracked == nil {
		h.tracked = map[any]hold{}
	}
	h.tracked[what] = o
}

func (h *holders) closed(k holdKind, what any) {
	h.open[k].Add(-1)
	if h.track {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tracked, what)
	}
}

// list returns what is tracked, oldest first.
func (h *holders) list() []hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]hold, 0, len(h.tracked))
	for _, o := range h.tracked {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b hold) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.kind, b.kind)) })
	return all
}

// metrics counts what is open at now.
func (h *holders) metrics(now time.Time) OpenMetrics {
	m := OpenMetrics{
		Iterators: h.open[holdIterator].Load(), Snapshots: h.open[holdSnapshot].Load(), Transactions: h.open[holdTransaction].Load(),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.tracked {
		m.Oldest = max(m.Oldest, now.Sub(o.since))
	}
	return m
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
	var stacks strings.Builder
	for _, o := range h.list() {
		fmt.Fprintf(&stacks, "\n%v opened by\n%s", o.kind, o.stack)
	}
	return fmt.Errorf("siltstone: closed with %s still open%s", strings.Join(parts, ", "), stacks.String())
}
