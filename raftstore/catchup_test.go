package raftstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
)

// load writes some MiB that do not compress, and makes tables of them on the leader.
func (c *cluster) load(mib int) {
	c.t.Helper()
	lead := c.leader().store()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range mib * 4 {
		b := make([]byte, 192<<10)
		for j := range b {
			b[j] = byte('!' + rng.IntN(90))
		}
		if _, err := setCommand.Do(bg, lead, setArg{fmt.Sprintf("load %04d", i), strings.ReplaceAll(string(b), `\`, "/")}); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := errors.Join(lead.machine.db.Flush(bg), lead.machine.db.Compact(bg, siltstone.Range{})); err != nil {
		c.t.Fatal(err)
	}
}

// forget has the leader take a snapshot that holds n commands more, and drop the log.
func (c *cluster) forget(n int) {
	c.t.Helper()
	for i := range n {
		if _, err := tagCommand.Do(bg, c.leader().store(), tagArg{"forgotten", fmt.Sprint(i)}); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := c.leader().store().Snapshot(); err != nil {
		c.t.Fatal(err)
	}
}

// seldom has raft take snapshots when it is told to, and keep little of the log.
func seldom(c *raft.Config) {
	quick(c)
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = time.Hour, 1<<30, 5
}

// TestAReplicaThatWasAwayIsSentOnlyTheTablesThatItHasNot counts bytes, and damages a table
// of the replica: that one is sent again.
func TestAReplicaThatWasAwayIsSentOnlyTheTablesThatItHasNot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, seldom) // one voter: no other leads, whose tables are others
	var mu sync.Mutex
	var told []SnapshotSent
	for _, n := range c.nodes {
		c.stop(n)
		n.opts.OnEvent = func(e Event) {
			if e, ok := e.(SnapshotSent); ok && e.Err == nil {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, e)
			}
		}
		c.start(n, nil)
	}
	// The leader tells of it after the replica has it.
	last := func(n int) SnapshotSent {
		t.Helper()
		var sent []SnapshotSent
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			mu.Lock()
			sent = slices.Clone(told)
			mu.Unlock()
			if len(sent) >= n {
				break
			}
		}
		if len(sent) != n {
			t.Fatalf("%d snapshots were sent: %v", len(sent), sent)
		}
		return sent[n-1]
	}
	c.load(6)
	c.forget(20)
	away := c.joinBy("n2", (*Store).AddReader)
	c.equal()
	if e := last(1); e.Bytes != e.Size || e.Bytes < 4<<20 {
		t.Errorf("an empty one: %v", e)
	}
	c.stop(away)
	c.forget(20)
	c.start(away, nil)
	c.equal()
	e := last(2)
	t.Log(e)
	if e.Bytes > e.Size/10 {
		t.Errorf("one that was away for a little: %v", e)
	}
	if m := c.leader().store().Metrics().Snapshots; m.Sent > 0 && m.SparedBytes < e.Size*9/10 {
		t.Errorf("%+v", m)
	}
	c.stop(away)
	damage(t, away.opts.Dir)
	c.forget(20)
	c.start(away, nil)
	c.equal()
	if e := last(3); e.Bytes < e.Size/2 {
		t.Errorf("one whose table is damaged: %v", e)
	}
}

// damage changes a byte of the largest table in the snapshots of a replica.
func damage(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(err)
	}
	var largest []byte
	name := ""
	for _, table := range tables {
		b, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(largest) {
			largest, name = b, table
		}
	}
	largest[len(largest)/2] ^= 1
	// The store has the same file by another name, and is to keep the good one.
	if err := errors.Join(os.Remove(name), os.WriteFile(name, largest, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if table != name && filepath.Base(table) == filepath.Base(name) {
			if err := errors.Join(os.Remove(table), os.WriteFile(table, largest, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestASnapshotIsMadeOfLinks: it costs the same whatever the size of the store, when it is
// taken and when it becomes the store of a replica.
func TestASnapshotIsMadeOfLinks(t *testing.T) {
	c := newCluster(t, 1, seldom)
	c.load(2)
	c.forget(1)
	s := c.leader().store()
	shared := func() {
		t.Helper()
		all, err := s.machine.snapshots.list()
		if err != nil || len(all) == 0 {
			t.Fatalf("%v, %v", all, err)
		}
		state := s.machine.snapshots.state(all[0].Raft.ID)
		tables, err := filepath.Glob(filepath.Join(state, "*.sst"))
		if err != nil || len(tables) == 0 {
			t.Fatalf("%v, %v", tables, err)
		}
		running, err := filepath.Glob(filepath.Join(stateDir(s.opts.Dir, s.machine.number), "*.sst"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tables {
			a, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			links := 0
			for _, other := range running {
				if b, err := os.Stat(other); err == nil && os.SameFile(a, b) {
					links++
				}
			}
			if links != 1 {
				t.Errorf("%s is %d files of the store", name, links)
			}
		}
	}
	shared()
	all, err := s.machine.snapshots.List()
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := s.machine.snapshots.Open(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.machine.Restore(r); err != nil {
		t.Fatal(err)
	}
	shared()
}

// TestAStreamThatNamesATableIsOnlyForWhoHasIt: it is refused by others, whole.
func TestAStreamThatNamesATableIsOnlyForWhoHasIt(t *testing.T) {
	on, dir := checkpointOf(t)
	tables, err := tablesOf(on, dir)
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v, %v", tables, err)
	}
	var has archive.Mark
	found := map[archive.Table]string{}
	for name, table := range tables {
		has.Tables = append(has.Tables, table)
		found[table] = path.Join(dir, name)
	}
	has.Sort()
	parts, length, err := stateParts(on, dir, has)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sendState(&b, on, dir, parts, point{7, 8}); err != nil || int64(b.Len()) != length {
		t.Fatalf("%d bytes of %d, %v", b.Len(), length, err)
	}
	receive := func(stream []byte, tables func() (map[archive.Table]string, error)) error {
		_, err := receiveState(bytes.NewReader(stream), on, "to", tables)
		return errors.Join(err, on.removeAll("to"))
	}
	all := func() (map[archive.Table]string, error) { return found, nil }
	if err := receive(b.Bytes(), all); err != nil {
		t.Error(err)
	}
	if err := receive(b.Bytes(), nil); !errors.Is(err, errBadStream) {
		t.Errorf("who has none: %v", err)
	}
	step := 17
	if *long {
		step = 1
	}
	for i := 0; i < b.Len(); i += step {
		if err := receive(b.Bytes()[:i], all); !errors.Is(err, errBadStream) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		bad := bytes.Clone(b.Bytes())
		bad[i] ^= 1 << (i % 8)
		if err := receive(bad, all); err == nil {
			t.Fatalf("damaged at %d: it is taken", i)
		}
	}
}

// TestASnapshotThatIsOpenStays while newer ones are taken.
func TestASnapshotThatIsOpenStays(t *testing.T) {
	s, err := openSnapshots(onDisk, filepath.Join(t.TempDir(), "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	good := streamOf(t)
	take := func(index uint64) string {
		k, err := s.Create(1, index, 2, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Write(good)
		if err := errors.Join(err, k.Close()); err != nil {
			t.Fatal(err)
		}
		return k.ID()
	}
	first := take(9)
	_, r, err := s.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	for index := range uint64(5) {
		take(10 + index)
	}
	has := func() bool { _, err := os.Stat(s.state(first)); return err == nil }
	if !has() {
		t.Error("an open snapshot is removed")
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil || !bytes.Equal(b.Bytes(), good) {
		t.Errorf("%d bytes of %d, %v", b.Len(), len(good), err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	take(20)
	if has() || len(s.inUse) > 0 {
		t.Error("it stays for ever")
	}
}
