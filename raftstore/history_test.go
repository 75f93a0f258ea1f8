package raftstore

import (
	"context"
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

// workload is clients that call replicas and note what they are told.
type workload struct {
	c      *cluster
	seed   uint64
	stop   chan struct{}
	work   sync.WaitGroup
	events atomic.Int64 // a clock that orders calls and returns

	mu      sync.Mutex
	history []porcupine.Operation
	tags    map[string]bool // by tag: it was acknowledged
	calls   int
}

// start runs clients until the workload is told to stop.
func (w *workload) start(clients int) {
	w.stop, w.tags = make(chan struct{}), map[string]bool{}
	for id := range clients {
		rng := rand.New(rand.NewPCG(w.seed, uint64(id)))
		w.work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-w.stop:
					return
				default:
				}
				if s := w.c.nodes[rng.IntN(len(w.c.nodes))].store(); s != nil {
					w.call(s, rng, id, n)
				}
			}
		})
	}
}

// call makes one call that is drawn, and notes it.
func (w *workload) call(s *Store, rng *rand.Rand, id, n int) {
	ctx, cancel := context.WithTimeout(bg, 3*time.Second)
	defer cancel()
	c := registerCall{key: fmt.Sprint("r", rng.IntN(4)), new: fmt.Sprintf("%d.%d", id, n)}
	o := porcupine.Operation{ClientId: id, Call: w.events.Add(1)}
	var a registerAnswer
	var err error
	switch rng.IntN(5) {
	case 0:
		tag := fmt.Sprintf("%d.%d", id, n)
		_, err := tagCommand.Do(ctx, s, tagArg{"tags", tag})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tags[tag] = err == nil
		return
	case 1:
		c.kind = "set"
		_, err = setCommand.Do(ctx, s, setArg{c.key, c.new})
	case 2:
		c.kind, c.old = "cas", w.latest(c.key)
		a.swapped, err = casCommand.Do(ctx, s, casArg{c.key, c.old, c.new})
	default:
		c.kind = "get"
		a.value, err = readRegister(ctx, s, c.key)
	}
	o.Return = w.events.Add(1)
	switch {
	case errors.Is(err, ErrNoLeader):
		return // it did nothing
	case err != nil && c.kind == "get":
		return
	case err != nil:
		a.unknown, o.Return = true, 1<<62 // it may happen at any time
	}
	o.Input, o.Output = c, a
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, o)
	w.calls++
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

// check says what of the history no single store could have answered, and which tags
// were lost or are there twice.
func (w *workload) check(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.work.Wait()
	if r := porcupine.CheckOperationsTimeout(registerModel, w.history, time.Minute); r != porcupine.Ok {
		t.Errorf("the history of %d operations is %v", len(w.history), r)
	}
	found := map[string]int{}
	err := w.c.leader().store().View(bg, LinearizableRead, func(tx *siltstone.Tx) error {
		for tag, err := range tx.List("tags").Range(0, -1) {
			if err != nil {
				return err
			}
			found[string(tag)]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for tag, ok := range w.tags {
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
	t.Logf("%d operations on registers, %d tags of which %d were acknowledged", len(w.history), len(w.tags), acknowledged)
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
	sizes := []int{3, 5}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size, " replicas"), func(t *testing.T) {
			c := newCluster(t, size, often)
			n := seed.New(t)
			w := &workload{c: c, seed: n}
			c.leader()
			w.start(5)
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
			w.check(t)
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
