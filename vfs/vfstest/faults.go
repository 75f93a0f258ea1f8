package vfstest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"

	"github.com/siltstonedb/siltstone/vfs"
)

// Faults is a vfs.FS that passes every call on to another one, counts it, and
// makes it fail if a Fault says so. It is safe for concurrent use.
type Faults struct {
	inner vfs.FS

	mu       sync.Mutex // guards what follows
	hook     func(Op)
	ops      int64
	count    [kinds]int64
	faults   []*armed
	injected int64
	open     map[any]string
}

// Fault says which calls fail, and how. The zero value fails the next call,
// whatever it is, with EIO.
type Fault struct {
	// Match says which calls are meant; nil means all. It runs under the Faults'
	// lock and must not call it. On makes the usual ones.
	Match func(Op) bool
	// Nth is the first matching call that fails, from 1, counted since Inject. 0
	// means 1.
	Nth int64
	// Times is how many matching calls fail from there on. 0 means 1, Forever
	// means until Clear.
	Times int64
	// Err is the cause that the returned error wraps beside ErrInjected; nil means
	// EIO. For a full disk take vfs.ErrNoSpace.
	Err error
	// Effect is what becomes of the call; the zero value is NotDone.
	Effect Effect
	// Damage changes what a Damaged read returns; nil turns one bit in the middle.
	Damage func(p []byte)
}

// Forever as Fault.Times makes calls fail until Clear.
const Forever = -1

// Effect says how much of a failing call takes place.
type Effect uint8

const (
	// NotDone fails without doing anything. Close does close, and then fails: a
	// file cannot be left open by a failing close.
	NotDone Effect = iota
	// Half writes, or reads, the first half of the bytes and fails. Other calls
	// are not done.
	Half
	// Done does all of it and fails nevertheless. For Create, Open, OpenWrite and
	// Lock the handle that nobody gets is closed; the file stays.
	Done
	// Damaged makes a read succeed with wrong bytes. Other calls are not touched.
	Damaged
	// Forgotten, for Sync on a Disk, fails and makes the kernel take the bytes for
	// written: they can be read until the power goes, the next Sync succeeds, and
	// still they are not durable. On another FS, and for other calls, it is NotDone.
	Forgotten
	// Reverted, for Sync on a Disk, fails and takes the file's bytes back to those
	// that are durable, with the length as it was. On another FS, and for other
	// calls, it is NotDone.
	Reverted
)

// ErrInjected is wrapped by every error that Faults makes.
var ErrInjected = errors.New("vfstest: injected fault")

// armed is a Fault with what is left of it.
type armed struct {
	Fault
	matched int64
}

// NewFaults returns a Faults over inner, with no fault.
func NewFaults(inner vfs.FS) *Faults {
	return &Faults{inner: inner, open: map[any]string{}}
}

// Inject adds a fault. If several want the same call the first one gets it; all
// of them count it.
func (f *Faults) Inject(fault Fault) {
	if fault.Nth == 0 {
		fault.Nth = 1
	}
	if fault.Times == 0 {
		fault.Times = 1
	}
	if fault.Err == nil {
		fault.Err = syscall.EIO
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &armed{Fault: fault})
}

// Clear takes all faults away. Counts stay.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// OnOp makes every call run hook first, in the goroutine of the call and without
// any lock: it may block, to hold the call up, and may use f. nil ends it.
func (f *Faults) OnOp(hook func(Op)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Count returns how many calls of the kind there have been, failed ones
// included.
func (f *Faults) Count(kind Kind) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kind >= kinds {
		return 0
	}
	return f.count[kind]
}

// Ops returns how many calls there have been.
func (f *Faults) Ops() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Injected returns how many calls a fault has touched, silently damaged reads
// included. A test whose fault was never met has shown nothing.
func (f *Faults) Injected() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected
}

// OpenFiles returns the sorted names of the files and locks that were opened
// through f and are still open.
func (f *Faults) OpenFiles() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := make([]string, 0, len(f.open))
	for _, name := range f.open {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// On matches calls of the given kinds, all kinds if there are none.
func On(of ...Kind) func(Op) bool {
	return func(op Op) bool { return len(of) == 0 || slices.Contains(of, op.Kind) }
}

// OnName matches calls of the given kinds (all if there are none) on a file whose
// name, or second name, contains part.
func OnName(part string, of ...Kind) func(Op) bool {
	kind := On(of...)
	return func(op Op) bool {
		return kind(op) && (strings.Contains(op.Name, part) || strings.Contains(op.To, part))
	}
}

// meet counts op and returns the fault that gets it, or nil.
func (f *Faults) meet(op Op) *Fault {
	f.mu.Lock()
	f.ops++
	op.N = f.ops
	f.count[op.Kind]++
	var hit *Fault
	for _, a := range f.faults {
		if a.meets(op) && hit == nil && a.touches(op) {
			hit = &a.Fault
		}
	}
	if hit != nil {
		f.injected++
	}
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		hook(op)
	}
	return hit
}

func (a *armed) meets(op Op) bool {
	if a.Match != nil && !a.Match(op) {
		return false
	}
	a.matched++
	return a.matched >= a.Nth && (a.Times < 0 || a.matched-a.Nth < a.Times)
}

// touches reports whether the fault changes anything about a matching call.
func (a *armed) touches(op Op) bool { return a.Effect != Damaged || op.Kind == Read }

// failure is the error of a call that fails because of fault.
func (fault *Fault) failure(op Op) error {
	return &fs.PathError{
		Op: op.Kind.String(), Path: op.Name,
		Err: fmt.Errorf("%w: %w", ErrInjected, fault.Err),
	}
}

// run is a call that has no halves.
func (f *Faults) run(op Op, call func() error) error {
	fault := f.meet(op)
	if fault == nil {
		return call()
	}
	if fault.Effect != Done {
		return fault.failure(op)
	}
	return errors.Join(fault.failure(op), call())
}
