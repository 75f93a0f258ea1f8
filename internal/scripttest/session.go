package scripttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// Knobs are what the tests of the root package can do to a store and others
// cannot.
type Knobs struct {
	// Configure takes the workers from a store, and sets the sizes that are not 0.
	Configure func(o *siltstone.Options, s Sizes)
	// Step does all background work there is.
	Step func(db *siltstone.DB) error
	// CompactTables merges what is in tables and leaves what is in memory.
	CompactTables func(db *siltstone.DB) error
}

// Sizes are options that only tests have.
type Sizes struct {
	Block, Runs int
	Table       int64
}

// session is one run of a script.
type session struct {
	knobs   Knobs
	way     string
	disk    *vfstest.Disk
	faults  *vfstest.Faults
	clock   clock
	stores  map[string]*store
	named   map[string]any // what the script has opened: transactions, snapshots, …
	closers []func()       // of those, for the end
	events  []string
}

// store is a store of a script, open or closed.
type store struct {
	dir   string
	opts  siltstone.Options
	sizes Sizes
	db    *siltstone.DB // the last one; of a closed store it answers ErrClosed
	open  bool
}

// mainStore is the store that a command without a target is for.
const mainStore = "db"

var background = context.Background()

// began is what the clock shows at the beginning of a script.
var began = time.UnixMilli(1_700_000_000_000)

// clock is the stores' time, which the script advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newSession(k Knobs, way string) *session {
	disk := vfstest.NewDisk(1)
	return &session{
		knobs: k, way: way, disk: disk, faults: vfstest.NewFaults(disk), clock: clock{now: began},
		stores: map[string]*store{}, named: map[string]any{},
	}
}

// Run runs the script in one of its ways. With update it takes the answers into
// the script, else it compares them with those that are there.
func (s *Script) Run(t *testing.T, way string, update bool, k Knobs) {
	t.Helper()
	run := newSession(k, way)
	for i := range s.lines {
		l := &s.lines[i]
		if !l.isCommand() {
			continue
		}
		got, err := run.answer(l.text)
		if err != nil {
			t.Errorf("%s:%d: %s: %v", s.path, l.number, l.text, err)
			break
		}
		if update {
			l.answer = got
		} else if !slices.Equal(got, l.answer) {
			t.Errorf("%s:%d: %s\ngot\n    %s\nwant\n    %s", s.path, l.number, l.text, strings.Join(got, "\n    "), strings.Join(l.answer, "\n    "))
		}
	}
	if err := run.end(); err != nil {
		t.Errorf("%s: at the end: %v", s.path, err)
	}
}

// end checks and closes whatever is open.
func (s *session) end() (err error) {
	s.endNamed()
	for _, st := range s.stores {
		if st.open {
			err = errors.Join(err, st.db.Check(background), st.db.Close())
			st.open = false
		}
	}
	if open := s.disk.OpenFiles(); len(open) > 0 {
		err = errors.Join(err, fmt.Errorf("files left open: %v", open))
	}
	return err
}

// endNamed ends every transaction, snapshot and iterator.
func (s *session) endNamed() {
	for _, end := range slices.Backward(s.closers) {
		end()
	}
	s.closers = nil
}

// mayName ends the run if nothing can be called name. It is asked before something
// is opened that would have none.
func (s *session) mayName(name string) {
	if _, taken := s.stores[name]; taken || name == "" || strings.ContainsAny(name, "/:") {
		mistake("%q cannot be a name", name)
	}
}

// name gives something that was opened a name, and remembers how to end it.
func (s *session) name(name string, what any, end func()) {
	s.named[name] = what
	if end != nil {
		s.closers = append(s.closers, end)
	}
}

// find returns what a target names: name, or name/keyspace.
func (s *session) find(target string) any {
	name, in, hasKeyspace := strings.Cut(target, "/")
	name = cmp.Or(name, mainStore)
	what, ok := s.named[name]
	if !ok {
		st, is := s.stores[name]
		if !is || st.db == nil {
			mistake("nothing is called %q", name)
		}
		what = st.db
	}
	if !hasKeyspace {
		return what
	}
	ks, ok := s.named[in].(*siltstone.Keyspace)
	if !ok {
		mistake("no keyspace is called %q", in)
	}
	switch w := what.(type) {
	case *siltstone.Tx:
		return w.In(ks)
	case *siltstone.Snapshot:
		return w.In(ks)
	case batch:
		return batch{w.Batch.In(ks)}
	}
	mistake("%q has no keyspaces", name)
	return nil
}

// cut replaces the disk by what a power cut now leaves of it. Every store is
// closed then, and nothing that was opened lives on.
func (s *session) cut(p vfstest.Profile) {
	image := s.disk.Image(p, nil)
	s.endNamed()
	for _, st := range s.stores {
		if st.open {
			_ = st.db.Close() // of the life that is over
			st.open = false
		}
	}
	s.disk, s.faults = image, vfstest.NewFaults(image)
}
