package siltstone

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
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

// handles counts what is open and, if asked, remembers who opened it. Safe for
// concurrent use.
type handles struct {
	open [holdKinds]atomic.Int64

	track   bool // constant: Options.TrackOpen
	mu      invariants.Mutex
	tracked map[any]hold
}

// hold is one open thing that is tracked.
type hold struct {
	kind  holdKind
	since time.Time
	state *readstate.State // that it holds, or nil
	stack string
}

// opened notes that what was opened; state is what it holds, or nil.
func (h *handles) opened(k holdKind, what any, state *readstate.State) {
	h.open[k].Add(1)
	if !h.track {
		return
	}
	o := hold{kind: k, since: time.Now(), state: state, stack: string(debug.Stack())}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tracked == nil {
		h.tracked = map[any]hold{}
	}
	h.tracked[what] = o
}

func (h *handles) closed(k holdKind, what any) {
	h.open[k].Add(-1)
	if h.track {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tracked, what)
	}
}

// list returns what is tracked, oldest first.
func (h *handles) list() []hold {
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
func (h *handles) metrics(now time.Time) OpenMetrics {
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
func (h *handles) err() error {
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

// OpenHandle is an iterator, snapshot or transaction that is open.
type OpenHandle struct {
	Kind  string // "iterator", "snapshot" or "transaction"
	Since time.Time
	// PinnedBytes estimates what its closing would free: the tables and memtables
	// that no other state in use has. Handles that share a state count it each. A
	// snapshot holds no files, but keeps merges from dropping old versions.
	PinnedBytes int64
	Stack       string // of the goroutine that opened it, at that moment
}

// String is the handle in one line, and its stack.
func (h OpenHandle) String() string {
	return fmt.Sprintf("%s since %s, pins %s\n%s", h.Kind, h.Since.UTC().Format(time.RFC3339), sizeText(h.PinnedBytes), h.Stack)
}

// OpenHandles returns what is open, oldest first, and who opened it. Without
// Options.TrackOpen nobody remembers, and it returns nil: Metrics().Open has the
// counts.
func (db *DB) OpenHandles() []OpenHandle {
	if !db.handles.track {
		return nil
	}
	all := []OpenHandle{}
	for _, o := range db.handles.list() {
		all = append(all, OpenHandle{
			Kind: o.kind.String(), Since: o.since, PinnedBytes: db.states.PinnedBy(o.state), Stack: o.stack,
		})
	}
	return all
}
