package resp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// keyName names a key of the store.
type keyName struct{ space, key string }

// change is a key that a command has written, as those who are interested are told of it.
type change struct {
	space string
	key   []byte // valid as long as the command's arguments
	class byte   // of the event, as in notify-keyspace-events
	event string // its name; empty: there is none
}

func (ch *change) name() keyName { return keyName{ch.space, string(ch.key)} }

// interest holds which clients watch a key (WATCH) and which wait for one (BLPOP and the
// like). A command that writes announces the keys it has written while it still holds
// Server.writes. If there is nobody that costs an atomic load.
//
//	LPUSH k ─► commit ─► announce ─┬─► watchers of k: their EXEC will fail
//	                               ├─► waiters for k: first come, first served
//	                               └─► subscribers of events
//
// A waiter is served by the goroutine of the command that wrote: so that it is served
// before the writer has its reply, and in turn. Keys that are written without the server
// nobody announces: see Server.retry.
type interest struct {
	count atomic.Int64 // watchers and waiters

	mu       sync.Mutex
	watchers map[keyName]map[*conn]struct{}
	waiters  map[keyName][]*waiter
}

// waiter is a client in a blocking command. It is changed under interest.mu, until it has
// ended; then its own goroutine goes on with it.
type waiter struct {
	c     *conn
	cmd   *command
	keys  []keyName
	until time.Time // zero: for ever
	none  func(*reply)
	ended bool
}

// wakeAt is when the waiter is to look at the time.
func (w *waiter) wakeAt() time.Time {
	if w.until.IsZero() {
		return time.Now().Add(time.Hour)
	}
	return w.until
}

func (i *interest) watch(c *conn, k keyName) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watchers == nil {
		i.watchers = map[keyName]map[*conn]struct{}{}
	}
	if i.watchers[k] == nil {
		i.watchers[k] = map[*conn]struct{}{}
	}
	i.watchers[k][c] = struct{}{}
	i.count.Add(1)
}

func (i *interest) watches(c *conn, k keyName) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, watched := i.watchers[k][c]
	return watched
}

func (i *interest) unwatch(c *conn, k keyName) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.watchers[k][c]; !ok {
		return
	}
	delete(i.watchers[k], c)
	if len(i.watchers[k]) == 0 {
		delete(i.watchers, k)
	}
	i.count.Add(-1)
}

// enlist puts a waiter at the end of the queues of its keys.
func (i *interest) enlist(w *waiter) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiters == nil {
		i.waiters = map[keyName][]*waiter{}
	}
	for _, k := range w.keys {
		i.waiters[k] = append(i.waiters[k], w)
	}
	w.c.waiter = w
	i.count.Add(1)
}

// strike takes a waiter out of its queues: it has ended.
func (i *interest) strike(w *waiter) {
	for _, k := range w.keys {
		rest := slices.DeleteFunc(i.waiters[k], func(o *waiter) bool { return o == w })
		if len(rest) == 0 {
			delete(i.waiters, k)
		} else {
			i.waiters[k] = rest
		}
	}
	w.ended, w.c.waiter = true, nil
	i.count.Add(-1)
}

// leave ends the waiting of a connection that goes.
func (i *interest) leave(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c.waiter != nil {
		i.strike(c.waiter)
	}
}

// waiting reports whether a client is in a blocking command.
func (i *interest) waiting(c *conn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return c.waiter != nil
}

// release ends the waiting of a client with an answer that somebody else chooses, and
// reports whether it waited.
func (i *interest) release(c *conn, answer func(*waiter)) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := c.waiter
	if w == nil {
		return false
	}
	answer(w)
	i.strike(w)
	c.wake(func() {})
	return true
}

// announce tells those who are interested what a call has written, and what those who are
// served by it write. Server.writes is held.
func (s *Server) announce(changes []change) {
	events := s.config.events.Load()
	if s.interest.count.Load() == 0 && events == 0 {
		return
	}
	s.interest.mu.Lock()
	for at := 0; at < len(changes); at++ { // it grows
		ch := changes[at]
		for c := range s.interest.watchers[ch.name()] {
			c.multi.touched.Store(true)
		}
		if len(s.interest.waiters) > 0 {
			changes = s.interest.serve(ch.name(), changes)
		}
	}
	s.interest.mu.Unlock()
	if events != 0 {
		for _, ch := range changes {
			s.notify(events, ch)
		}
	}
}

// serve lets those who wait for a key try, in turn, until one of each kind has found
// nothing, and appends what they have written.
func (i *interest) serve(k keyName, changes []change) []change {
	var empty [2]bool // of lists, of sorted sets
	for _, w := range slices.Clone(i.waiters[k]) {
		kind := 0
		if w.cmd.flags&zsetWait != 0 {
			kind = 1
		}
		if w.ended || empty[kind] {
			continue
		}
		var done bool
		if changes, done = i.try(w, k, changes); !done {
			empty[kind] = true
			continue
		}
		w.c.wake(func() {})
	}
	return changes
}

// try runs the command of a waiter once more, for one of its keys, and reports whether it
// has ended. A key that holds something else by now is none to wait for.
func (i *interest) try(w *waiter, k keyName, changes []change) ([]change, bool) {
	call := &w.c.call
	want := typed.TypeList
	if w.cmd.flags&zsetWait != 0 {
		want = typed.TypeZSet
	}
	if kind, err := call.space.Key(k.key).Type(); absent(err) || err == nil && kind != want {
		return changes, false
	}
	call.ready = k.key
	_ = call.attempt(w.cmd) // it has written its error
	call.ready = ""
	changes = append(changes, call.changes...)
	call.changes = call.changes[:0]
	if call.waits != nil {
		call.waits = nil
		return changes, false
	}
	i.strike(w)
	return changes, true
}

// retry is for what was written while a client began to wait: the waiter looks by itself.
// If its time is over it ends with nothing.
func (s *Server) retry(w *waiter) {
	s.writes.RLock()
	defer s.writes.RUnlock()
	s.interest.mu.Lock()
	var changes []change
	if !w.ended {
		done := false
		for at := 0; at < len(w.keys) && !done; at++ {
			changes, done = s.interest.try(w, w.keys[at], changes)
		}
		if !done && !w.until.IsZero() && !time.Now().Before(w.until) {
			w.none(&w.c.call.out)
			s.interest.strike(w)
		}
	}
	s.interest.mu.Unlock()
	if len(changes) > 0 {
		s.announce(changes)
	}
}

// follow is for what others than the server write: the store tells which keys of the waiter
// have changed, and those who wait for them are served in turn, as after a command. It ends
// when stop is called, or when the store does not tell any more: then the waiter gets the
// error. The keys of a command are of one keyspace.
func (s *Server) follow(w *waiter, ks *siltstone.Keyspace) (stop func()) {
	if s.opts.SoleWriter {
		return func() {}
	}
	keys := make([][]byte, len(w.keys))
	for i, k := range w.keys {
		keys[i] = []byte(k.key)
	}
	wait := s.db.Wait
	if ks != nil {
		wait = ks.Wait
	}
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for key, err := range wait(ctx, keys...) {
			switch {
			case err == nil:
				s.written(keyName{w.keys[0].space, string(key)})
			case ctx.Err() == nil:
				s.interest.release(w.c, func(w *waiter) { w.c.call.out.error(errorText(err)) })
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// written serves those who wait for a key that somebody may have written.
func (s *Server) written(k keyName) {
	s.writes.RLock()
	defer s.writes.RUnlock()
	s.interest.mu.Lock()
	changes := s.interest.serve(k, nil)
	s.interest.mu.Unlock()
	if len(changes) > 0 {
		s.announce(changes)
	}
}
