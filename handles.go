package siltstone

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone/internal/engine/readstate"
	"github.com/siltstonedb/siltstone/internal/invariants"
	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/metrics"
)

// holdKind is a kind of handle that keeps files and memory until it is closed.
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

// handles counts open iterators, snapshots and transactions and, with track, keeps
// the stack of each opening. Safe for concurrent use.
type handles struct {
	open [holdKinds]atomic.Int64

	track   bool // constant: Options.TrackOpen
	mu      invariants.Mutex
	tracked map[any]hold
}

// hold is one open handle that is tracked.
type hold struct {
	kind  holdKind
	since time.Time
	state *readstate.State // that it holds, or nil
	stack string
}

// opened notes that the handle what was opened; state is the state it holds, or nil.
func (h *handles) opened(k holdKind, what any, state *readstate.State) {
	h.open[k].Add(1)
	if !h.track {
		return
	}
	o := hold{kind: k, since: time.Now(), state: state, stack: callerStack()}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tracked == nil {
		h.tracked = map[any]hold{}
	}
	h.tracked[what] = o
}

// callerStack is the goroutine's stack from the caller of the store on.
func callerStack() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var stack strings.Builder
	for more, inside := true, true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); inside && ofStore(f) {
			continue
		}
		inside = false
		fmt.Fprintf(&stack, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
	}
	return stack.String()
}

// ofStore reports whether a frame is one of the store's own.
func ofStore(f runtime.Frame) bool {
	rest, ok := strings.CutPrefix(f.Function, "github.com/siltstonedb/siltstone")
	if !ok || strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	for _, pkg := range [...]string{".", "/typed.", "/codec.", "/internal/collection."} {
		if strings.HasPrefix(rest, pkg) {
			return true
		}
	}
	return false
}

func (h *handles) closed(k holdKind, what any) {
	h.open[k].Add(-1)
	if h.track {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.tracked, what)
	}
}

// list returns the tracked handles, oldest first.
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

// any reports whether one is open.
func (h *handles) any() bool {
	return h.open[holdIterator].Load()+h.open[holdSnapshot].Load()+h.open[holdTransaction].Load() > 0
}

// metrics counts the handles that are open at now.
func (h *handles) metrics(now time.Time) metrics.Handles {
	m := metrics.Handles{
		Iterators: h.open[holdIterator].Load(), Snapshots: h.open[holdSnapshot].Load(), Transactions: h.open[holdTransaction].Load(),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.tracked {
		m.Oldest = max(m.Oldest, now.Sub(o.since))
	}
	return m
}

// err returns an error that lists the handles that are still open, or nil.
func (h *handles) err() error {
	var parts []string
	for k := range holdKinds {
		if n := h.open[k].Load(); n > 0 {
			parts = append(parts, quantity.Count(n, k.String()))
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
	// PinnedBytes estimates the bytes that closing it would free: the tables and
	// memtables that no other state in use has. Handles that share a state count it
	// each. A snapshot holds no files, but keeps merges from dropping old versions; with
	// Options.Beside it holds those of its state.
	PinnedBytes int64
	Stack       string // of the goroutine that opened it, at that moment
}

// String is the handle in one line, and its stack.
func (h OpenHandle) String() string {
	return fmt.Sprintf("%s since %s, pins %s\n%s", h.Kind, h.Since.UTC().Format(time.RFC3339), quantity.Bytes(h.PinnedBytes), h.Stack)
}

// OpenHandles returns the open iterators, snapshots and transactions, oldest first,
// with the stacks of their opening. Without Options.TrackOpen it returns nil:
// Metrics().Open has the counts.
func (db *DB) OpenHandles() []OpenHandle {
	if db == nil || !db.handles.track {
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
