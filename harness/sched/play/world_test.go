package play

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/harness/sched/point"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// ctx is that of all calls.
var ctx = context.Background()

// world is a store, its disk and its clients.
type world struct {
	rand    *rand.Rand // for the scenario's own choices, before clients begin
	faults  *vfstest.Faults
	options siltstone.Options
	db      *siltstone.DB

	clients sync.WaitGroup
}

// newWorld opens a store that rotates, flushes and merges all the time.
func newWorld(seed uint64) *world {
	w := &world{
		rand: rand.New(rand.NewPCG(seed, 0x3a71d)), faults: vfstest.NewFaults(vfs.NewMem()),
	}
	w.options.FS = w.faults
	point.Tiny(&w.options)
	w.db = w.open()
	return w
}

func (w *world) open() *siltstone.DB {
	db, err := siltstone.Open("db", &w.options)
	if err != nil {
		point.Fail("open: %v", err)
	}
	return db
}

// client starts a client.
func (w *world) client(name string, f func()) {
	w.clients.Add(1)
	point.Client(name, func() {
		defer w.clients.Done()
		f()
	})
}

// mix lets the clients run until all have ended.
func (w *world) mix() {
	point.Mix(true)
	w.clients.Wait()
	point.Woken("mixed")
	point.Mix(false)
}

// again closes the store if it is open, and opens it anew.
func (w *world) again() {
	if err := w.db.Close(); err != nil {
		point.Fail("close: %v", err)
	}
	w.db = w.open()
}

// end checks and closes the store.
func (w *world) end() {
	if err := w.db.Check(ctx); err != nil {
		point.Fail("Check: %v", err)
	}
	if err := w.db.Close(); err != nil {
		point.Fail("close: %v", err)
	}
	if open := w.faults.OpenFiles(); len(open) > 0 {
		point.Fail("still open: %v", open)
	}
}

// must fails the schedule if err is none of those allowed.
func must(what string, err error, allowed ...error) {
	if err == nil {
		return
	}
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	point.Fail("%s: %v", what, err)
}

// get returns the value of a key, or nothing.
func (w *world) get(key string) string {
	v, err := w.db.Get([]byte(key))
	must("get "+key, err, siltstone.ErrNotFound)
	return string(v)
}

func key(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

// on returns the match of a kind of call, of files of an extension.
func on(kind vfstest.Kind, extension string) func(vfstest.Op) bool {
	return func(op vfstest.Op) bool { return op.Kind == kind && strings.HasSuffix(op.Name, extension) }
}
