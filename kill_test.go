package siltstone

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var killRounds = flag.Int("kills", 20, "how many processes TestKilledProcessLosesNothingItPromised kills")

// A killed child runs writers, each with a numbered list of operations that
// follow from its number alone. It says what it is about to do and what has
// returned on its standard output, which outlives it:
//
//	I 2 17      writer 2 begins its operation 17
//	A 2 17      it has returned
//
// The parent kills it, reads the store and works out of it, for each writer, how
// many of its operations are there: always the first so many, whole.
const (
	childDir    = "SILTSTONE_CHILD_DIR"    // set in the child: the store's directory
	childFirsts = "SILTSTONE_CHILD_FIRSTS" // the first operation of each writer
)

// killedOp is operation n of a writer.
type killedOp struct {
	level Durability
	batch Batch
	edit  func(state map[string]string)
}

// slots is how many keys a writer has, beside the one that tells its last
// operation.
const slots = 50

func killedOpOf(writer, n int) *killedOp {
	rng := rand.New(rand.NewPCG(uint64(writer), uint64(n)))
	o := &killedOp{level: Sync + Durability(rng.IntN(3))}
	key := func(slot int) string { return fmt.Sprintf("w%d/%03d", writer, slot) }
	type edit struct{ key, value, until string }
	var edits []edit
	put := func(k, v string) {
		o.batch.Put([]byte(k), []byte(v))
		edits = append(edits, edit{key: k, value: v})
	}
	put(fmt.Sprintf("w%d/last", writer), strconv.Itoa(n))
	for range 1 + rng.IntN(4) {
		value := fmt.Sprintf("%d:%s", n, strings.Repeat("x", rng.IntN(400)))
		put(key(rng.IntN(slots)), value)
	}
	if rng.IntN(6) == 0 {
		lo := rng.IntN(slots)
		hi := lo + rng.IntN(10)
		o.batch.DeleteRange(Range{[]byte(key(lo)), []byte(key(hi))})
		edits = append(edits, edit{key: key(lo), until: key(hi)})
	}
	o.edit = func(state map[string]string) {
		for _, e := range edits {
			if e.until == "" {
				state[e.key] = e.value
				continue
			}
			for k := range state {
				if k >= e.key && k < e.until {
					delete(state, k)
				}
			}
		}
	}
	return o
}

// killedOptions make a child flush and merge all the time.
func killedOptions() *Options {
	return &Options{MemoryLimit: leastMemory, MemtableBytes: 32 << 10, blockSize: 1 << 10, tableBytes: 64 << 10, runLimit: 2}
}

// TestKilledChild is the child, and does nothing in any other process.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs in the processes that TestKilledProcessLosesNothingItPromised starts")
	}
	db, err := Open(dir, killedOptions())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	say := func(what string, writer, n int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("\n%s %d %d\n", what, writer, n)
	}
	var writers sync.WaitGroup
	for w, first := range strings.Split(os.Getenv(childFirsts), ",") {
		n, err := strconv.Atoi(first)
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			for ; ; n++ {
				o := killedOpOf(w, n)
				say("I", w, n)
				if err := db.Apply(&o.batch, o.level); err != nil {
					t.Errorf("writer %d: operation %d: %v", w, n, err)
					return
				}
				say("A", w, n)
			}
		})
	}
	writers.Wait()
}

func TestKilledProcessLosesNothingItPromised(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const seed = 5
	rng := seeded(seed)
	acked := 0
	for round := 0; round < *killRounds; {
		store := &killedStore{t: t, dir: t.TempDir(), rng: rng, writers: 1 + rng.IntN(4)}
		for life := 0; life < 5 && round < *killRounds; life++ {
			store.live()
			round++
		}
		for _, n := range store.done {
			acked += n
		}
		if err := os.RemoveAll(store.dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("kill9: kills=%d operations that survived=%d: none missing, none torn", *killRounds, acked)
}

// killedStore is a store whose processes are killed, one after the other.
type killedStore struct {
	t       testing.TB
	dir     string
	rng     *rand.Rand
	writers int
	lives   int
	done    []int // operations of each writer that are in the store
}

// live runs a process until it is killed, and judges what it leaves.
func (k *killedStore) live() {
	k.t.Helper()
	k.lives++
	if k.done == nil {
		k.done = make([]int, k.writers)
	}
	p := promises{must: append([]int(nil), k.done...), issued: append([]int(nil), k.done...), acked: append([]int(nil), k.done...)}
	p.seen = make([][]int, k.writers)
	p.read(k.t, k.kill())
	k.judge(&p)
}

// kill starts a child, kills it and returns what it said.
func (k *killedStore) kill() []byte {
	k.t.Helper()
	var firsts []string
	for _, n := range k.done {
		firsts = append(firsts, strconv.Itoa(n+1))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), childDir+"="+k.dir, childFirsts+"="+strings.Join(firsts, ","))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	// The time runs from the child's first word; some are killed while they open
	// the store.
	var said bytes.Buffer
	if k.rng.IntN(5) != 0 {
		if _, err := io.CopyN(&said, out, 1); err != nil {
			k.t.Fatalf("the child said nothing: %v\n%s", err, &stderr)
		}
	}
	after := time.Duration(k.rng.IntN(150)) * time.Millisecond
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if _, err := io.Copy(&said, out); err != nil {
		k.t.Fatal(err)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.Exited() {
		k.t.Fatalf("the child ended by itself: %v\n%s\n%s", cmd.ProcessState, &said, &stderr)
	}
	return said.Bytes()
}

// promises is what a child said: which operations it began, and which must have
// survived it.
type promises struct {
	issued []int
	acked  []int
	must   []int   // survive: acked at level OS or Sync, and all before those
	seen   [][]int // when a writer's operation began, what had been acked
}

func (p *promises) read(t testing.TB, said []byte) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(said))
	for lines.Scan() {
		var what string
		var w, n int
		if k, _ := fmt.Sscanf(lines.Text(), "%1s %d %d", &what, &w, &n); k != 3 {
			continue // a line that the kill cut short
		}
		switch what {
		case "I":
			p.issued[w] = n
			p.seen[w] = append(p.seen[w][:0], p.acked...)
		case "A":
			p.acked[w] = n
			if killedOpOf(w, n).level == Buffered {
				continue
			}
			for v, m := range p.seen[w] {
				p.must[v] = max(p.must[v], m)
			}
			p.must[w] = max(p.must[w], n)
		}
	}
}

// judge reads the store that a killed child left, sometimes without recovering
// it.
func (k *killedStore) judge(p *promises) {
	k.t.Helper()
	o := killedOptions()
	o.ReadOnly = k.lives%2 == 0
	if _, err := os.Stat(k.dir + "/CURRENT"); err != nil {
		o.ReadOnly = false // killed before there was a store
	}
	db, err := Open(k.dir, o)
	if err != nil {
		k.t.Fatalf("life %d: open after the kill: %v", k.lives, err)
	}
	found := map[string]string{}
	for kv, err := range db.Scan(Range{}) {
		if err != nil {
			k.t.Fatal(err)
		}
		found[string(kv.Key)] = string(kv.Value)
	}
	if err := db.Check(context.Background()); err != nil {
		k.t.Fatalf("life %d: %v", k.lives, err)
	}
	if err := db.Close(); err != nil {
		k.t.Fatal(err)
	}
	want := map[string]string{}
	for w := range k.writers {
		last, _ := strconv.Atoi(found[fmt.Sprintf("w%d/last", w)])
		if last < p.must[w] || last > p.issued[w] {
			k.t.Fatalf("life %d: writer %d: the store has operations up to %d, want one of %d to %d", k.lives, w, last, p.must[w], p.issued[w])
		}
		for n := 1; n <= last; n++ {
			killedOpOf(w, n).edit(want)
		}
		k.done[w] = last
	}
	k.same(found, want)
}

func (k *killedStore) same(found, want map[string]string) {
	k.t.Helper()
	for key, v := range want {
		if found[key] != v {
			k.t.Fatalf("life %d: %s is %.40q, want %.40q", k.lives, key, found[key], v)
		}
	}
	for key, v := range found {
		if _, ok := want[key]; !ok {
			k.t.Fatalf("life %d: %s is %.40q and was never there", k.lives, key, v)
		}
	}
}
