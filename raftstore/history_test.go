package raftstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// registerCall is an operation on a register in a history, and registerAnswer what it
// returned; unknown: nobody knows.
type (
	registerCall struct {
		key, kind string // "get", "set" and "cas"
		old, new  string
	}
	registerAnswer struct {
		value   string
		swapped bool
		unknown bool
	}
)

var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(registerCall).key
			keys[k] = append(keys[k], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range keys {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		c, a := input.(registerCall), output.(registerAnswer)
		switch c.kind {
		case "get":
			return a.unknown || a.value == state.(string), state
		case "set":
			return true, c.new
		}
		if state.(string) == c.old {
			return a.unknown || a.swapped, c.new
		}
		return a.unknown || !a.swapped, state
	},
}

// client is a replica as the clients of a workload call it.
type client interface {
	do(ctx context.Context, c registerCall) (registerAnswer, error)
	tag(ctx context.Context, id [16]byte, tag string) error
	tags(ctx context.Context) ([]string, error) // all that there are
}

// callTimeout is how long a client waits.
const callTimeout = 2 * time.Second

// direct is a replica in this process.
type direct struct{ s *Store }

func (d direct) do(ctx context.Context, c registerCall) (a registerAnswer, err error) {
	switch c.kind {
	case "set":
		_, err = setCommand.Do(ctx, d.s, setArg{c.key, c.new})
	case "cas":
		a.swapped, err = casCommand.Do(ctx, d.s, casArg{c.key, c.old, c.new})
	default:
		a.value, err = readRegister(ctx, d.s, c.key)
	}
	return a, err
}

func (d direct) tag(ctx context.Context, id [16]byte, tag string) error {
	_, err := tagCommand.DoOnce(ctx, d.s, id, tagArg{"tags", tag})
	return err
}

func (d direct) tags(ctx context.Context) (all []string, err error) {
	err = d.s.View(ctx, LinearizableRead, func(tx *siltstone.Tx) error {
		for tag, err := range tx.List("tags").Range(0, -1) {
			if err != nil {
				return err
			}
			all = append(all, string(tag))
		}
		return nil
	})
	return all, err
}

// workload is clients that call replicas and note what they are told.
type workload struct {
	seed   uint64
	pick   func(rng *rand.Rand) client // nil: it is down
	stop   chan struct{}
	work   sync.WaitGroup
	events atomic.Int64 // a clock that orders calls and returns

	mu      sync.Mutex
	history []porcupine.Operation
	added   map[string]bool // tags: whether it was acknowledged
	calls   int
}

// start runs clients until the workload is told to stop.
func (w *workload) start(clients int) {
	w.stop, w.added = make(chan struct{}), map[string]bool{}
	for id := range clients {
		rng := rand.New(rand.NewPCG(w.seed, uint64(id)))
		w.work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-w.stop:
					return
				default:
				}
				if rng.IntN(5) == 0 {
					w.tag(rng, fmt.Sprintf("%d.%d", id, n))
				} else if c := w.pick(rng); c != nil {
					w.call(c, rng, id, n)
				}
			}
		})
	}
}

// tag adds a tag. A client that does not know what became of it asks another replica for
// the same, some times.
func (w *workload) tag(rng *rand.Rand, tag string) {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], rng.Uint64())
	acknowledged := false
	for try := 0; try < 3 && !acknowledged; try++ {
		if c := w.pick(rng); c != nil {
			ctx, cancel := context.WithTimeout(bg, callTimeout)
			acknowledged = c.tag(ctx, id, tag) == nil
			cancel()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.added[tag] = acknowledged
}

// call makes one call of a register that is drawn, and notes it.
func (w *workload) call(to client, rng *rand.Rand, id, n int) {
	ctx, cancel := context.WithTimeout(bg, callTimeout)
	defer cancel()
	c := registerCall{key: fmt.Sprint("r", rng.IntN(4)), kind: "get"}
	switch rng.IntN(4) {
	case 0:
		c.kind, c.new = "set", fmt.Sprintf("%d.%d", id, n)
	case 1:
		c.kind, c.old, c.new = "cas", w.latest(c.key), fmt.Sprintf("%d.%d", id, n)
	}
	o := porcupine.Operation{ClientId: id, Call: w.events.Add(1), Input: c}
	a, err := to.do(ctx, c)
	o.Return = w.events.Add(1)
	switch {
	case errors.Is(err, ErrNoLeader):
		return // it did nothing
	case err != nil && c.kind == "get":
		return
	case err != nil:
		a.unknown, o.Return = true, 1<<62 // it may happen at any time
	}
	o.Output = a
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, o)
	if err == nil {
		w.calls++
	}
}

// latest returns a value that a register has had, so that some swaps come about.
func (w *workload) latest(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range slices.Backward(w.history) {
		if c := o.Input.(registerCall); c.key == key && c.kind != "get" {
			return c.new
		}
	}
	return ""
}

func readRegister(ctx context.Context, s *Store, key string) (value string, err error) {
	err = s.View(ctx, LinearizableRead, func(tx *siltstone.Tx) error {
		in, err := In(tx, "registers")
		if err != nil {
			return err
		}
		v, err := in.Get([]byte(key))
		if value = string(v); errors.Is(err, siltstone.ErrNotFound) {
			return nil
		}
		return err
	})
	return value, err
}

// end stops the clients.
func (w *workload) end() {
	if w.stop != nil {
		close(w.stop)
		w.work.Wait()
		w.stop = nil
	}
}

// check says what of the history no single store could have answered, and which tags
// were lost or are there twice by what the leader has.
func (w *workload) check(t *testing.T, leader client) {
	t.Helper()
	w.end()
	if r := porcupine.CheckOperationsTimeout(registerModel, w.history, time.Minute); r != porcupine.Ok {
		t.Errorf("the history of %d operations is %v; of the registers that are wrong:", len(w.history), r)
		for _, part := range registerModel.Partition(w.history) {
			if porcupine.CheckOperationsTimeout(registerModel, part, time.Minute) == porcupine.Ok {
				continue
			}
			slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
			for _, o := range part {
				t.Logf("%d to %d: %+v: %+v", o.Call, o.Return, o.Input, o.Output)
			}
		}
	}
	all, err := leader.tags(bg)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, tag := range all {
		found[tag]++
	}
	acknowledged := 0
	for tag, ok := range w.added {
		if ok {
			acknowledged++
		}
		if n := found[tag]; n > 1 || ok && n == 0 {
			t.Errorf("tag %s, acknowledged %v, is there %d times", tag, ok, n)
		}
		delete(found, tag)
	}
	if len(found) > 0 {
		t.Errorf("nobody has added %v", found)
	}
	t.Logf("%d operations on registers, %d of them answered; %d tags, %d of them acknowledged", len(w.history), w.calls, len(w.added), acknowledged)
	if len(w.history) == 0 || acknowledged == 0 {
		t.Error("nothing was done")
	}
}

// until waits for so many more calls to have been answered.
func (w *workload) until(t *testing.T, more int) {
	t.Helper()
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.calls
	}
	for before, at := count(), time.Now(); count() < before+more; time.Sleep(5 * time.Millisecond) {
		if time.Since(at) > time.Minute {
			t.Fatal("the cluster answers no calls")
		}
	}
}

// TestHistoriesAreLinearizable has clients call replicas whose leader is cut off, closed
// and opened again, and transferred, while snapshots are taken all the time.
func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	sizes := []int{3, 5}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size, " replicas"), func(t *testing.T) {
			c := newCluster(t, size, often)
			n := seed.New(t)
			w := &workload{seed: n, pick: func(rng *rand.Rand) client {
				if s := c.nodes[rng.IntN(size)].store(); s != nil {
					return direct{s}
				}
				return nil
			}}
			c.leader()
			w.start(5)
			defer w.end()
			rng := rand.New(rand.NewPCG(n, 1000))
			rounds := 3
			if *long {
				rounds = 40
			}
			for round := range rounds {
				w.until(t, 30)
				lead := c.leader()
				switch what := (round + int(n%3)) % 3; what {
				case 0:
					c.links.isolate(lead.opts.Addr, c.nodes)
					w.until(t, 20)
					c.links.isolate("", c.nodes)
				case 1:
					c.stop(lead)
					w.until(t, 20)
					c.start(lead, nil)
				default:
					victim := c.nodes[rng.IntN(size)]
					c.stop(victim)
					_ = c.leader().store().TransferLeadership() // it may be under way already
					w.until(t, 20)
					c.start(victim, nil)
				}
			}
			w.until(t, 30)
			w.check(t, direct{c.leader().store()})
			c.equal()
		})
	}
}

func TestTheModelOfRegistersTellsHistoriesApart(t *testing.T) {
	op := func(id int, at, end int64, c registerCall, a registerAnswer) porcupine.Operation {
		return porcupine.Operation{ClientId: id, Call: at, Return: end, Input: c, Output: a}
	}
	set, get := registerCall{key: "k", kind: "set", new: "1"}, registerCall{key: "k", kind: "get"}
	for name, h := range map[string][]porcupine.Operation{
		"a lost write":  {op(1, 1, 2, set, registerAnswer{}), op(2, 3, 4, get, registerAnswer{})},
		"a stale read":  {op(1, 1, 9, set, registerAnswer{}), op(2, 2, 3, get, registerAnswer{value: "1"}), op(3, 4, 5, get, registerAnswer{})},
		"a wrong swap":  {op(1, 1, 2, registerCall{"k", "cas", "x", "y"}, registerAnswer{swapped: true})},
		"an odd answer": {op(1, 1, 2, get, registerAnswer{value: "7"})},
	} {
		if porcupine.CheckOperations(registerModel, h) {
			t.Errorf("%s is taken", name)
		}
	}
	if !porcupine.CheckOperations(registerModel, []porcupine.Operation{
		op(1, 1, 99, set, registerAnswer{unknown: true}), op(2, 2, 3, get, registerAnswer{}), op(2, 4, 5, get, registerAnswer{value: "1"}),
	}) {
		t.Error("a write of unknown outcome may come late")
	}
}
