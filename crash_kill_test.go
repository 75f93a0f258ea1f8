package siltstone

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
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
	o := &killedOp{level: SyncDurability + Durability(rng.IntN(3))}
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
			if killedOpOf(w, n).level == BufferedDurability {
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

func TestAPowerCutInACheckpointLeavesAWholeCopyOrNone(t *testing.T) {
	t.Parallel()
	for _, links := range []bool{true, false} {
		disk, clock := vfstest.NewDisk(3), newHandClock()
		var f vfs.FS = disk
		if !links {
			f = unlinkable{disk}
		}
		db := copyable(t, f, clock)
		rng, cuts, whole := seeded(3), 0, 0
		judge := func(op vfstest.Op) {
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, tier(1, 2, 2), rng) {
					cuts++
					names, err := image.List(".")
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range names {
						if name != "db" && name != "copy" && !strings.HasSuffix(name, ".partial") {
							t.Fatalf("cut %v before %v: left %q", p, op, name)
						}
					}
					if !slices.Contains(names, "copy") {
						continue
					}
					whole++
					again := openCopy(t, image, clock.copy())
					if n := checkNumbered(t, again); n != 70 {
						t.Fatalf("cut %v before %v: the copy holds the state after commit %d", p, op, n)
					}
					mustClose(t, again)
				}
			}
		}
		disk.OnOp(judge)
		if err := db.Checkpoint(bg, "copy"); err != nil {
			t.Fatal(err)
		}
		disk.OnOp(nil)
		for image := range disk.Images(vfstest.P1, 1, rng) {
			mustClose(t, openCopy(t, image, clock.copy())) // it is durable on return
		}
		if whole == 0 || whole == cuts {
			t.Errorf("%d of %d cuts left a copy: nothing was shown", whole, cuts)
		}
		t.Logf("links=%v: %d cuts, %d left a copy, each whole", links, cuts, whole)
		mustClose(t, db)
	}
}

func TestACheckpointThatFailsOrIsCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	counting := vfstest.NewDisk(4)
	db := copyable(t, counting, newHandClock())
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	begin := counting.Ops()
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	ops := counting.Ops() - begin
	mustClose(t, db)
	for k := int64(1); k <= ops; k += tier[int64](3, 1, 1) {
		for _, cancelled := range []bool{true, false} {
			disk := vfstest.NewDisk(4)
			faults := vfstest.NewFaults(disk)
			db := copyable(t, faults, newHandClock())
			if err := db.Flush(bg); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(bg)
			want := vfstest.ErrInjected
			if cancelled {
				want = context.Canceled
				first := disk.Ops()
				disk.OnOp(func(op vfstest.Op) {
					if op.N == first+k {
						cancel()
					}
				})
			} else {
				faults.Inject(vfstest.Fault{Match: vfstest.On(changing...), Nth: k})
			}
			err := db.Checkpoint(ctx, "copy")
			disk.OnOp(nil)
			faults.Clear()
			cancel()
			names, lerr := disk.List(".")
			if lerr != nil {
				t.Fatal(lerr)
			}
			switch {
			case err == nil && slices.Contains(names, "copy"): // too late
			case !errors.Is(err, want), len(names) != 1:
				t.Errorf("operation %d of %d, cancelled %v: %v, left %v", k, ops, cancelled, err, names)
			}
			if n := checkNumbered(t, db); n != 70 {
				t.Errorf("the store holds the state after commit %d", n)
			}
			mustClose(t, db)
			if open := disk.OpenFiles(); len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
		}
	}
}

// linking calls before in front of each Link.
type linking struct {
	vfs.FS
	before func()
}

func (l linking) Link(from, to string) error {
	l.before()
	return l.FS.Link(from, to)
}

func TestTablesMergedAwayMeanwhileAreStillLinked(t *testing.T) {
	disk, clock := vfstest.NewDisk(9), newHandClock()
	var db *DB
	db = copyable(t, linking{disk, func() {
		if err := db.CompactTables(); err != nil {
			t.Fatal(err)
		}
		db.keepStep()
	}}, clock)
	runs := len(db.set.State().Version.Runs)
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	if runs < 2 || len(db.set.State().Version.Runs) != 1 {
		t.Fatal("nothing was merged: nothing is shown")
	}
	again := openCopy(t, disk, clock)
	if n := checkNumbered(t, again); n != 70 {
		t.Errorf("the copy holds the state after commit %d", n)
	}
	mustClose(t, again)
	mustClose(t, db)
}

// The copy's clock goes on from the parent's, also if the wall shows less by then
// and the parent had nothing to write since it advanced.
func TestTheClockOfACopyGoesOnFromItsParents(t *testing.T) {
	mem, clock := vfs.NewMem(), newHandClock()
	db := mustOpen(t, mem, clock)
	putAt(t, db, SyncDurability, "k", "v")
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	was := db.clock.Now()
	if err := db.Checkpoint(bg, "copy"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	again := openCopy(t, mem, newHandClock())
	if now := again.clock.Now(); now < was {
		t.Errorf("the copy shows %d, its parent had shown %d", now, was)
	}
	mustClose(t, again)
}
