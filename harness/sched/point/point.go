package point

import (
	"cmp"
	"iter"
	"maps"
	"reflect"
	"slices"
	"time"
)

// At is a switch point.
func At(name string) {
	if s := now.Load(); s != nil {
		s.point(name)
	}
}

// Woken stands behind what blocks: the caller was woken by somebody who goes on, and
// waits until it is its turn.
func Woken(name string) {
	if s := now.Load(); s != nil {
		s.myTurn(name)
	}
}

// Yield is a switch point of a loop that waits for others, who go first.
func Yield(name string) {
	s := now.Load()
	if s == nil {
		return
	}
	a := s.me(name)
	s.mu.Lock()
	s.choose.fall(a)
	s.mu.Unlock()
	s.park(a, name, nil)
}

// Number returns a number of the calling actor, for what spreads goroutines.
func Number() int {
	if s := now.Load(); s != nil {
		a := s.me("number")
		return len(a.name) + a.number
	}
	return 0
}

// InOrder ranges over a map in the order of its keys.
func InOrder[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// Go is a go statement.
func Go(name string, f func()) { go Actor(name, f)() }

// Actor returns f as an actor: it is started by a timer or a context.
func Actor(name string, f func()) func() {
	s := now.Load()
	if s == nil {
		return f
	}
	n := 0
	a := s.newActor(name)
	s.mu.Lock()
	s.alive-- // it may never be started
	s.mu.Unlock()
	return func() {
		if n++; n > 1 {
			a = s.newActor(name)
		} else {
			s.mu.Lock()
			s.alive++
			s.mu.Unlock()
		}
		s.begin(a)
		defer s.end(a)
		f()
	}
}

// Client is Go for an actor of the scenario.
func Client(name string, f func()) {
	s := now.Load()
	a := s.newActor(name)
	a.client = true
	go func() {
		s.begin(a)
		defer s.end(a)
		f()
	}()
}

// Sleep is time.Sleep.
func Sleep(name string, d time.Duration) {
	time.Sleep(d)
	Woken(name)
}

// Still lets time pass only when nobody can go on.
func Still() {
	if s := now.Load(); s != nil {
		s.choose.clock = 0
	}
}

// Case is a case of a select statement.
type Case struct{ c reflect.SelectCase }

// Recv is the case that receives from c.
func Recv[T any](c <-chan T) Case {
	return Case{reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}}
}

// Send is the case that sends v to c.
func Send[T any](c chan<- T, v T) Case {
	return Case{reflect.SelectCase{Dir: reflect.SelectSend, Chan: reflect.ValueOf(c), Send: reflect.ValueOf(v)}}
}

// Select is a select statement without a default; it returns the number of the case.
// Of several that are ready the seed chooses one.
func Select(name string, cases ...Case) int {
	all := make([]reflect.SelectCase, len(cases))
	for i := range cases {
		all[i] = cases[i].c
	}
	s := now.Load()
	if s == nil {
		i, _, _ := reflect.Select(all)
		return i
	}
	s.myTurn(name)
	s.mu.Lock()
	order := s.choose.order(len(all))
	s.mu.Unlock()
	for _, i := range order {
		if all[i].Chan.IsNil() {
			continue
		}
		if got, _, _ := reflect.Select([]reflect.SelectCase{all[i], {Dir: reflect.SelectDefault}}); got == 0 {
			return i
		}
	}
	i, _, _ := reflect.Select(all)
	s.myTurn(name)
	return i
}
