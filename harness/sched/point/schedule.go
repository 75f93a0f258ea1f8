package point

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// Bounds of a schedule.
const (
	// patience is the time, the bubble's, for which no client may go on.
	patience = 3 * time.Minute
	// mostSteps is how many steps a schedule may have.
	mostSteps = 300_000
	// traceKept is how many of the last steps are told of a schedule that failed.
	traceKept = 60
)

// Trace gets every step, if it is not nil.
var Trace io.Writer

// now is the schedule that is being played; nil: points do nothing.
var now atomic.Pointer[schedule]

// schedule is one that is being played.
type schedule struct {
	running atomic.Pointer[actor] // nil: nobody was let go on

	mu      sync.Mutex        // guards this group; never held while anything waits
	actors  map[uint64]*actor // by their goroutines
	all     []*actor          // the same, by name and number
	blocked int               // actors that wait for a lock
	numbers map[string]int
	alive   int // actors that have not ended
	clients int // of the scenario, that have not ended
	steps   int
	hash    uint64
	last    [traceKept]step
	room    []*actor // for ready

	arrived chan struct{} // holds one when an actor comes to a point
	plain   bool          // nothing is switched but where an actor waits
	failed  string
	moved   time.Time // when a client went on last

	choose chooser
}

// step is one entry of the trace.
type step struct {
	actor *actor
	at    string
}

// actor is a goroutine.
type actor struct {
	name   string
	number int // of the actors of that name
	client bool
	wake   chan struct{}

	parked bool
	at     string
	waits  any // the lock it waits for
	rank   uint64
}

func (a *actor) String() string {
	if a.number == 0 {
		return a.name
	}
	return fmt.Sprintf("%s#%d", a.name, a.number)
}

func newSchedule(seed uint64) *schedule {
	return &schedule{
		actors: map[uint64]*actor{}, numbers: map[string]int{}, arrived: make(chan struct{}, 1),
		hash: fnvOffset, plain: true, moved: time.Now(), choose: newChooser(seed),
	}
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// newActor makes an actor that has not begun.
func (s *schedule) newActor(name string) *actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &actor{name: name, number: s.numbers[name], wake: make(chan struct{})}
	a.rank = s.choose.rank()
	s.numbers[name]++
	s.alive++
	return a
}

// begin makes the calling goroutine the actor.
func (s *schedule) begin(a *actor) {
	s.mu.Lock()
	s.addLocked(goroutine(), a)
	if a.client {
		s.clients++
	}
	s.mu.Unlock()
	s.park(a, "begin", nil)
}

// addLocked adds an actor, that of goroutine g. One that had g has ended unseen.
func (s *schedule) addLocked(g uint64, a *actor) {
	s.removeLocked(g)
	s.actors[g] = a
	i, _ := slices.BinarySearchFunc(s.all, a, compare)
	s.all = slices.Insert(s.all, i, a)
}

func (s *schedule) removeLocked(g uint64) {
	if a := s.actors[g]; a != nil {
		delete(s.actors, g)
		i, _ := slices.BinarySearchFunc(s.all, a, compare)
		s.all = slices.Delete(s.all, i, i+1)
	}
}

func compare(a, b *actor) int {
	return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
}

// end says that the calling goroutine, an actor, ends.
func (s *schedule) end(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(goroutine())
	s.alive--
	if a.client {
		s.clients--
		s.moved = time.Now()
	}
	s.running.CompareAndSwap(a, nil)
}

// me returns the actor that the calling goroutine is. One that nobody named, such as
// that of a pulled loop, is named by the point at which it is met first.
func (s *schedule) me(at string) *actor {
	g := goroutine()
	s.mu.Lock()
	a := s.actors[g]
	s.mu.Unlock()
	if a == nil {
		a = s.newActor("from " + at)
		s.mu.Lock()
		s.addLocked(g, a)
		s.alive--
		s.mu.Unlock()
	}
	return a
}

// point is a switch point.
func (s *schedule) point(at string) {
	a := s.me(at)
	if s.running.Load() == a && s.stays(a, at) {
		return
	}
	s.park(a, at, nil)
}

// stays reports whether the actor that runs goes on at once.
func (s *schedule) stays(a *actor, at string) bool {
	if !s.plain && !s.choose.goesOn() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(a, at)
	return s.steps < mostSteps
}

// myTurn waits, behind a wait, until the actor is let go on.
func (s *schedule) myTurn(at string) *actor {
	a := s.me(at)
	if s.running.Load() != a {
		s.park(a, at, nil)
	}
	return a
}

// park waits until the actor is let go on. With a lock it waits until that is free, too.
func (s *schedule) park(a *actor, at string, lock any) {
	s.mu.Lock()
	a.parked, a.at, a.waits = true, at, lock
	if lock != nil {
		s.blocked++
	}
	s.running.CompareAndSwap(a, nil)
	s.mu.Unlock()
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	<-a.wake
}

// free says that a lock may be free.
func (s *schedule) free(lock any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked == 0 {
		return
	}
	for _, a := range s.all {
		if a.waits == lock {
			a.waits = nil
			s.blocked--
		}
	}
}

// note adds a step to the trace.
func (s *schedule) note(a *actor, at string) {
	s.last[s.steps%traceKept] = step{a, at}
	s.steps++
	if Trace != nil {
		fmt.Fprintf(Trace, "%7d %-14v %s\n", s.steps, a, at)
	}
	s.hash = add(add(s.hash, a.name)^uint64(a.number), at)
	if a.client {
		s.moved = time.Now()
	}
}

// add mixes a string into a hash.
func add(hash uint64, s string) uint64 {
	for i := range len(s) {
		hash = (hash ^ uint64(s[i])) * fnvPrime
	}
	return hash
}

// ready returns the actors that can go on, in an order that does not depend on when
// they came.
func (s *schedule) ready() []*actor {
	s.room = s.room[:0]
	for _, a := range s.all {
		if a.parked && a.waits == nil {
			s.room = append(s.room, a)
		}
	}
	return s.room
}

// play lets actors go on, one at a time, until all clients have ended and nobody else
// can.
func (s *schedule) play() {
	for s.failed == "" {
		synctest.Wait()
		s.mu.Lock()
		all, clients := s.ready(), s.clients
		switch {
		case len(all) == 0 && clients == 0:
			s.mu.Unlock()
			return
		case len(all) == 0:
			s.mu.Unlock()
			s.await()
		case !s.plain && s.choose.timePasses():
			s.mu.Unlock()
			time.Sleep(s.choose.moment())
		case s.steps >= mostSteps:
			s.mu.Unlock()
			s.failed = fmt.Sprintf("no end after %d steps", mostSteps)
		default:
			a := all[0]
			if !s.plain {
				a = s.choose.from(all, s.steps)
			} else if i := slices.IndexFunc(all, func(a *actor) bool { return a.client }); i >= 0 {
				a = all[i]
			}
			s.note(a, a.at)
			a.parked = false
			s.running.Store(a)
			s.mu.Unlock()
			a.wake <- struct{}{}
		}
	}
}

// await lets time pass until an actor comes to a point. It fails if no client has for
// long.
func (s *schedule) await() {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-s.arrived:
	case <-t.C:
	}
	if time.Since(s.moved) >= patience {
		stacks := make([]byte, 4<<20)
		s.failed = fmt.Sprintf("clients wait for ever: nobody has gone on for %v\n%s%s", patience, s.standing(), stacks[:runtime.Stack(stacks, true)])
	}
}

// standing says where all actors stand.
func (s *schedule) standing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, a := range s.all {
		switch {
		case a.waits != nil:
			fmt.Fprintf(&b, "  %v waits for a lock at %s\n", a, a.at)
		case a.parked:
			fmt.Fprintf(&b, "  %v could go on at %s\n", a, a.at)
		default:
			fmt.Fprintf(&b, "  %v waits behind %s\n", a, a.at)
		}
	}
	return b.String()
}

// trace returns the last steps.
func (s *schedule) trace() string {
	var b strings.Builder
	for i := max(0, s.steps-traceKept); i < s.steps; i++ {
		e := s.last[i%traceKept]
		fmt.Fprintf(&b, "  %7d %-14v %s\n", i, e.actor, e.at)
	}
	return b.String()
}
