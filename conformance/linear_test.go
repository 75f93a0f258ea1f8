package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// call is a call on one key, for porcupine: a register that counts, or a set.
type call struct {
	kind callKind
	key  string
	arg  string
}

type callKind int

const (
	getCall callKind = iota
	putCall
	deleteCall
	incrCall
	setNXCall
	addCall
	removeCall
	hasCall
)

// unknown is the answer of a call that the power cut off.
const unknown = "?"

// linearModel says what each call does to its key: a number as text, or members
// between commas; "" is nothing.
var linearModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(call).key
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
		want, next := step(state.(string), input.(call))
		return output == unknown || output == want, next
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		c := input.(call)
		return fmt.Sprintf("%d(%s, %s) = %v", c.kind, c.key, c.arg, output)
	},
}

// step returns the answer of a call in a state, and the state after it.
func step(state string, c call) (answer, next string) {
	member := c.arg + ","
	switch c.kind {
	case getCall:
		return state, state
	case putCall:
		return "", c.arg
	case deleteCall:
		return "", ""
	case incrCall:
		n, _ := strconv.Atoi(state)
		next = strconv.Itoa(n + 1)
		return next, next
	case setNXCall:
		if state == "" {
			return "true", c.arg
		}
		return "false", state
	case hasCall:
		return strconv.FormatBool(strings.Contains(state, member)), state
	case addCall:
		if strings.Contains(state, member) {
			return "0", state
		}
		return "1", insertMember(state, c.arg)
	}
	if !strings.Contains(state, member) {
		return "0", state
	}
	return "1", strings.Replace(state, member, "", 1)
}

// insertMember keeps members sorted, so that equal states look equal.
func insertMember(state, m string) string {
	parts := strings.Split(state, ",")
	for i, p := range parts {
		if p == "" || p > m {
			return strings.Join(append(append(append([]string{}, parts[:i]...), m), parts[i:]...), ",")
		}
	}
	return state
}

// do makes the call in one of the ways there are. durable asks for an answer
// that holds after a power cut, which reading alone does not.
func do(db *siltstone.DB, c call, rng *rand.Rand, durable bool) (answer string, err error) {
	inUpdate := rng.IntN(2) == 0 || durable
	key := []byte(c.key)
	switch c.kind {
	case getCall:
		var v []byte
		if inUpdate {
			err = db.Update(bg, func(tx *siltstone.Tx) error { v, err = tx.Get(key); return absent(err) })
		} else {
			v, err = db.Get(key)
		}
		return string(v), absent(err)
	case putCall:
		if inUpdate {
			return "", db.Update(bg, func(tx *siltstone.Tx) error { return tx.Put(key, []byte(c.arg)) })
		}
		return "", db.Put(key, []byte(c.arg))
	case deleteCall:
		return "", db.Delete(key)
	case incrCall:
		var n int64
		if rng.IntN(2) == 0 {
			n, err = db.String(c.key).Incr(1)
		} else {
			err = db.Update(bg, func(tx *siltstone.Tx) error { n, err = incrByHand(tx, key); return err })
		}
		return strconv.FormatInt(n, 10), err
	case setNXCall:
		r, err := db.String(c.key).SetWith([]byte(c.arg), setNX)
		return strconv.FormatBool(r.Written), err
	case hasCall:
		var has bool
		if inUpdate {
			err = db.Update(bg, func(tx *siltstone.Tx) error { has, err = tx.Set(c.key).Has(c.arg); return err })
		} else {
			has, err = db.Set(c.key).Has(c.arg)
		}
		return strconv.FormatBool(has), err
	case addCall:
		n, err := db.Set(c.key).Add(c.arg)
		return strconv.Itoa(n), err
	}
	n, err := db.Set(c.key).Remove(c.arg)
	return strconv.Itoa(n), err
}

func absent(err error) error {
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil
	}
	return err
}

// incrByHand reads and writes back.
func incrByHand(tx *siltstone.Tx, key []byte) (int64, error) {
	v, err := tx.Get(key)
	if absent(err) != nil {
		return 0, err
	}
	n, _ := strconv.ParseInt(string(v), 10, 64)
	return n + 1, tx.Put(key, strconv.AppendInt(nil, n+1, 10))
}

// randomCall is on one of few keys: registers, or sets.
func randomCall(rng *rand.Rand) call {
	if rng.IntN(2) == 0 {
		kind := []callKind{getCall, getCall, putCall, deleteCall, incrCall, incrCall, setNXCall}[rng.IntN(7)]
		return call{kind, fmt.Sprint("register", rng.IntN(3)), strconv.Itoa(rng.IntN(1000))}
	}
	kind := []callKind{addCall, addCall, removeCall, hasCall}[rng.IntN(4)]
	return call{kind, fmt.Sprint("set", rng.IntN(2)), []string{"a", "b", "c"}[rng.IntN(3)]}
}

// linear runs calls by many and checks them.
func linear(t *testing.T, seed uint64, crash bool) (checked int) {
	w := newTraffic(t, seed)
	defer func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if crash {
		rng := rand.New(rand.NewPCG(seed, 4))
		w.crashAt(1+rng.Int64N(250), vfstest.Profiles()[rng.IntN(6)])
	}
	var mu sync.Mutex
	var all []porcupine.Operation
	client := 0
	record := func(rng *rand.Rand, c call, id int) bool {
		o := porcupine.Operation{ClientId: id, Input: c, Call: w.events.Add(1)}
		answer, err := do(w.db, c, rng, crash)
		o.Return, o.Output = w.events.Add(1), answer
		if err != nil {
			t.Error(err)
			return false
		}
		mu.Lock()
		all = append(all, o)
		mu.Unlock()
		return true
	}
	w.crowd(6, func(rng *rand.Rand) {
		mu.Lock()
		client++
		id := client
		mu.Unlock()
		for i := 0; i < 60 && !w.over(); i++ {
			if !record(rng, randomCall(rng), id) {
				return
			}
		}
	})
	w.restart()
	var settled []porcupine.Operation
	for _, o := range all {
		end, counts := w.outcome(o.Call, o.Return)
		if o.Return = end; end == forever {
			o.Output = unknown
		}
		if counts {
			settled = append(settled, o)
		}
	}
	all = nil
	rng := rand.New(rand.NewPCG(seed, 5))
	for i := range 3 {
		record(rng, call{kind: getCall, key: fmt.Sprint("register", i)}, 99)
		for _, m := range []string{"a", "b", "c"} {
			record(rng, call{kind: hasCall, key: fmt.Sprint("set", i%2), arg: m}, 99)
		}
	}
	settled = append(settled, all...)
	if !porcupine.CheckOperations(linearModel, settled) {
		t.Fatalf("seed %d, crash %v: the history is not linearizable", seed, crash)
	}
	return len(settled)
}

func TestCallsAreLinearizable(t *testing.T) {
	budgeted(t, func(seed uint64) int { return linear(t, seed, false) })
}

func TestCallsAreLinearizableAcrossACrash(t *testing.T) {
	budgeted(t, func(seed uint64) int { return linear(t, seed, true) })
}

func TestLinearModelKnowsAStaleReadAndALostIncrement(t *testing.T) {
	op := func(at, end int64, c call, answer string) porcupine.Operation {
		return porcupine.Operation{ClientId: int(at), Call: at, Return: end, Input: c, Output: answer}
	}
	get, incr, put := call{getCall, "k", ""}, call{incrCall, "k", ""}, call{putCall, "k", "5"}
	for name, h := range map[string][]porcupine.Operation{
		"stale read":     {op(1, 2, put, ""), op(3, 4, get, "")},
		"lost increment": {op(1, 9, incr, "1"), op(2, 8, incr, "1")},
		"lost after cut": {op(1, 2, put, ""), op(3, forever, incr, unknown), op(4, 5, get, "7")},
	} {
		if porcupine.CheckOperations(linearModel, h) {
			t.Errorf("%s passes", name)
		}
	}
	if !porcupine.CheckOperations(linearModel, []porcupine.Operation{op(1, 2, put, ""), op(3, forever, incr, unknown), op(4, 5, get, "5")}) {
		t.Error("a call that was cut off may have had no effect")
	}
}
