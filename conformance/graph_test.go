package conformance

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// txnRecord is what a transaction did to lists: it appended values that no other
// appends, and read whole lists.
type txnRecord struct {
	call, end int64 // of a clock that counts events; end is forever if the outcome is unknown
	ops       []listOp
}

const forever = math.MaxInt64

// listOp is an append of value, or if value is 0 a read.
type listOp struct {
	key   string
	value int
	read  []int
}

func (r *txnRecord) String() string {
	var b strings.Builder
	for _, o := range r.ops {
		if o.value != 0 {
			fmt.Fprintf(&b, "append(%s, %d) ", o.key, o.value)
		} else {
			fmt.Fprintf(&b, "read(%s) = %v ", o.key, o.read)
		}
	}
	if r.end == forever {
		b.WriteString("(outcome unknown)")
	}
	return b.String()
}

// checkSerial reports whether the transactions can have run one after the other,
// each wholly between its call and its end, and left the lists in final. Those
// with an unknown outcome may be missing, wholly.
//
// The final lists tell the order of the appends, and with it who depends on whom:
//
//	ww  of two neighbours in a list the appender of the former comes first
//	wr  the appender of the last value that was read comes before the reader
//	rw  the reader comes before the appender of the next value
//	rt  who ended comes before who was called later
//
// Such an order exists exactly if there is no cycle.
func checkSerial(txns []*txnRecord, final map[string][]int) error {
	g := &graph{final: final, writer: map[int]int{}, at: map[int]int{}}
	for _, t := range txns {
		kept, err := g.survived(t)
		if err != nil {
			return err
		}
		if kept {
			g.txns = append(g.txns, t)
		}
	}
	for i, t := range g.txns {
		for _, o := range t.ops {
			if o.value != 0 {
				g.writer[o.value] = i
			}
		}
	}
	g.edges = make([][]edge, len(g.txns))
	if err := g.versions(); err != nil {
		return err
	}
	for i := range g.txns {
		if err := g.reads(i); err != nil {
			return err
		}
	}
	g.realTime()
	return g.cycle()
}

// graph is what depends on what. Nodes beyond the transactions are moments.
type graph struct {
	txns   []*txnRecord
	final  map[string][]int
	writer map[int]int // of a value: the transaction
	at     map[int]int // of a value: its place in its list
	edges  [][]edge
}

type edge struct {
	to  int
	why string
}

func (g *graph) edge(from, to int, why string) {
	if from != to {
		g.edges[from] = append(g.edges[from], edge{to, why})
	}
}

// survived reports whether the transaction took effect: each of its appends is
// there, or, if nobody was told that it did, none.
func (g *graph) survived(t *txnRecord) (bool, error) {
	there, missing := 0, 0
	for _, o := range t.ops {
		if o.value == 0 {
			continue
		}
		if slices.Contains(g.final[o.key], o.value) {
			there++
		} else {
			missing++
		}
	}
	switch {
	case missing == 0:
		return t.end != forever || there > 0, nil
	case t.end != forever:
		return false, fmt.Errorf("lost: %v", t)
	case there > 0:
		return false, fmt.Errorf("half of it is there: %v", t)
	}
	return false, nil
}

// versions follows each list.
func (g *graph) versions() error {
	for key, values := range g.final {
		last := -1
		for i, v := range values {
			w, ok := g.writer[v]
			if !ok {
				return fmt.Errorf("list %s holds %d, which nobody appended", key, v)
			}
			if _, twice := g.at[v]; twice {
				return fmt.Errorf("list %s holds %d twice", key, v)
			}
			g.at[v] = i
			if last >= 0 {
				g.edge(last, w, "ww "+key)
			}
			last = w
		}
	}
	return nil
}

// reads looks at what transaction i read: its own appends, behind a prefix of
// the list that ends with the whole of another one.
func (g *graph) reads(i int) error {
	t := g.txns[i]
	var own = map[string][]int{}
	for _, o := range t.ops {
		if o.value != 0 {
			own[o.key] = append(own[o.key], o.value)
			continue
		}
		mine := own[o.key]
		n := len(o.read) - len(mine)
		if n < 0 || !slices.Equal(o.read[n:], mine) {
			return fmt.Errorf("does not read what it appended itself: %v", t)
		}
		list := g.final[o.key]
		if n > len(list) || !slices.Equal(o.read[:n], list[:n]) {
			return fmt.Errorf("reads what never was a state of %s, which ends as %v: %v", o.key, list, t)
		}
		if n > 0 {
			g.edge(g.writer[list[n-1]], i, "wr "+o.key)
			if n < len(list) && g.writer[list[n-1]] == g.writer[list[n]] && g.writer[list[n]] != i {
				return fmt.Errorf("reads half of what another appends to %s: %v", o.key, t)
			}
		}
		if n < len(list) {
			g.edge(i, g.writer[list[n]], "rw "+o.key)
		}
	}
	return nil
}

// realTime makes a node of each end, in their order: a transaction that was
// called later comes after the latest of them.
func (g *graph) realTime() {
	n := len(g.txns)
	byEnd := make([]int, n)
	for i := range byEnd {
		byEnd[i] = i
	}
	slices.SortFunc(byEnd, func(a, b int) int { return int(min(1, max(-1, g.txns[a].end-g.txns[b].end))) })
	g.edges = append(g.edges, make([][]edge, n)...)
	for place, i := range byEnd {
		g.edge(i, n+place, "rt")
		if place > 0 {
			g.edge(n+place-1, n+place, "rt")
		}
	}
	for i, t := range g.txns {
		ended, _ := slices.BinarySearchFunc(byEnd, t.call, func(j int, call int64) int {
			return int(min(1, max(-1, g.txns[j].end-call)))
		})
		if ended > 0 {
			g.edge(n+ended-1, i, "rt")
		}
	}
}

// cycle returns an error that tells a cycle, if there is one.
func (g *graph) cycle() error {
	const (
		unseen = iota
		open
		closed
	)
	state := make([]int, len(g.edges))
	next := make([]int, len(g.edges)) // edge to follow
	for root := range g.edges {
		if state[root] != unseen {
			continue
		}
		path := []int{root}
		state[root] = open
		for len(path) > 0 {
			at := path[len(path)-1]
			if next[at] == len(g.edges[at]) {
				state[at] = closed
				path = path[:len(path)-1]
				continue
			}
			to := g.edges[at][next[at]].to
			next[at]++
			switch state[to] {
			case open:
				return g.tell(path[slices.Index(path, to):])
			case unseen:
				state[to] = open
				path = append(path, to)
			}
		}
	}
	return nil
}

// tell prints a cycle; next points behind the edge that was followed.
func (g *graph) tell(path []int) error {
	var b strings.Builder
	b.WriteString("there is no order of these:")
	for i, at := range path {
		to := path[(i+1)%len(path)]
		why := ""
		for _, e := range g.edges[at] {
			if e.to == to {
				why = e.why
			}
		}
		if at < len(g.txns) {
			fmt.Fprintf(&b, "\n  %v", g.txns[at])
		}
		fmt.Fprintf(&b, "\n    %s →", why)
	}
	return fmt.Errorf("%s", b.String())
}

// TestSerialCheckerKnowsAnomalies: a checker that finds nothing must have been
// able to.
func TestSerialCheckerKnowsAnomalies(t *testing.T) {
	add := func(key string, v int) listOp { return listOp{key: key, value: v} }
	read := func(key string, values ...int) listOp { return listOp{key: key, read: values} }
	txn := func(call, end int64, ops ...listOp) *txnRecord { return &txnRecord{call, end, ops} }
	xy := func(x, y []int) map[string][]int { return map[string][]int{"x": x, "y": y} }
	for _, c := range []struct {
		name  string
		txns  []*txnRecord
		final map[string][]int
		fault string // empty: none
	}{
		{"in order", []*txnRecord{txn(1, 2, add("x", 1)), txn(3, 4, read("x", 1), add("y", 2)), txn(5, 6, read("y", 2), read("x", 1))}, xy([]int{1}, []int{2}), ""},
		{"beside each other", []*txnRecord{txn(1, 9, add("x", 1)), txn(1, 9, read("x"), read("y")), txn(1, 9, add("y", 2), read("x", 1))}, xy([]int{1}, []int{2}), ""},
		{"lost update", []*txnRecord{txn(1, 9, read("x"), add("x", 1)), txn(1, 9, read("x"), add("x", 2))}, xy([]int{1, 2}, nil), "no order"},
		{"lost append", []*txnRecord{txn(1, 9, add("x", 1)), txn(1, 9, add("x", 2))}, xy([]int{2}, nil), "lost"},
		{"write skew", []*txnRecord{txn(1, 9, read("x"), add("y", 1)), txn(1, 9, read("y"), add("x", 2))}, xy([]int{2}, []int{1}), "no order"},
		{"read skew", []*txnRecord{txn(1, 9, add("x", 1), add("y", 2)), txn(1, 9, read("x", 1), read("y"))}, xy([]int{1}, []int{2}), "no order"},
		{"read-only anomaly", []*txnRecord{
			txn(1, 9, read("x"), read("y"), add("x", 1)), txn(1, 4, read("y"), add("y", 2)), txn(5, 6, read("x"), read("y", 2)),
		}, xy([]int{1}, []int{2}), "no order"},
		{"stale read", []*txnRecord{txn(1, 2, add("x", 1)), txn(3, 4, read("x"))}, xy([]int{1}, nil), "no order"},
		{"read of nothing", []*txnRecord{txn(1, 2, read("x", 7))}, xy(nil, nil), "never was a state"},
		{"half of a transaction", []*txnRecord{txn(1, 9, add("x", 1), add("x", 2)), txn(1, 9, read("x", 1))}, xy([]int{1, 2}, nil), "half"},
		{"half survived", []*txnRecord{txn(1, forever, add("x", 1), add("y", 2))}, xy([]int{1}, nil), "half"},
		{"lost with the power", []*txnRecord{txn(1, forever, add("x", 1), add("y", 2))}, xy(nil, nil), ""},
		{"seen and lost with the power", []*txnRecord{txn(1, forever, add("x", 1)), txn(1, 9, read("x", 1))}, xy(nil, nil), "never was a state"},
		{"not its own", []*txnRecord{txn(1, 9, add("x", 1), read("x"))}, xy([]int{1}, nil), "itself"},
		{"from nowhere", nil, xy([]int{3}, nil), "nobody appended"},
	} {
		err := checkSerial(c.txns, c.final)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.name, err, c.fault)
		}
	}
}
