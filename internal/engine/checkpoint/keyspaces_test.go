package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// Checkpoints of chosen keyspaces. Those of all are tested in the root package.

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wall is the clock of the stores.
var wall = time.UnixMilli(1_800_000_000_000)

func open(t testing.TB, f vfs.FS, dir string, change ...func(*siltstone.Options)) *siltstone.DB {
	t.Helper()
	o := &siltstone.Options{
		FS: f, MemoryLimit: 8 << 20, MemtableBytes: 128 << 10, Durability: siltstone.OSDurability,
		Clock: func() time.Time { return wall },
	}
	for _, c := range change {
		c(o)
	}
	db, err := siltstone.Open(dir, o)
	must(t, err)
	return db
}

func kept(o *siltstone.Options) { o.KeepChanges = changes.Keep{Bytes: 1 << 30, Age: time.Hour} }

// fill puts values of all types into the default keyspace and two others, and into a third
// one strings.
func fill(t testing.TB, db *siltstone.DB) {
	t.Helper()
	must(t, typedtest.Populate(db))
	for _, name := range []string{"left", "right"} {
		ks, err := db.CreateKeyspace(name)
		must(t, err)
		must(t, typedtest.Populate(ks))
		must(t, ks.PutTTL([]byte("brief"), []byte(name), time.Hour))
		_, err = ks.Hash("due").Set("f", []byte("v"))
		must(t, err)
		_, err = ks.Hash("due").ExpireFields(time.Minute, 0, "f")
		must(t, err)
	}
	big, err := db.CreateKeyspace("big")
	must(t, err)
	for i := range 1000 {
		must(t, big.Put(fmt.Appendf(nil, "key%05d", i), bytes.Repeat([]byte{byte(i)}, 500)))
	}
}

// images is what each keyspace holds, the default one under the empty name.
func images(t *testing.T, db *siltstone.DB) map[string]string {
	t.Helper()
	names, err := db.Keyspaces()
	must(t, err)
	all := map[string]string{"": typedtest.Image(t, db)}
	for _, name := range names {
		ks, err := db.Keyspace(name)
		must(t, err)
		all[name] = typedtest.Image(t, ks)
	}
	return all
}

func TestACheckpointOfKeyspacesHasThoseAlone(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"open for writing", "read only"} {
		mem := vfs.NewMem()
		db := open(t, mem, "db")
		fill(t, db)
		must(t, db.Compact(bg, siltstone.Range{}))
		must(t, db.Put([]byte("key"), []byte("in memory")))
		want := images(t, db)
		if mode == "read only" {
			must(t, db.Close())
			db = open(t, mem, "db", func(o *siltstone.Options) { o.ReadOnly = true })
		}
		position := db.Position()
		for i, names := range [][]string{{"left"}, {""}, {"left", "right", "left"}, {"", "big"}, {"", "big", "left", "right"}} {
			dir := fmt.Sprintf("copy%d", i)
			must(t, db.CheckpointKeyspaces(bg, dir, names...))
			if at := db.Position(); at != position {
				t.Errorf("%s: the store is at %v, was at %v", mode, at, position)
			}
			if files, err := mem.List(dir); err != nil || slices.ContainsFunc(files, func(name string) bool { return strings.HasSuffix(name, ".wal") }) {
				t.Errorf("%s: %q: the copy has logs: %q, %v", mode, names, files, err)
			}
			only := open(t, mem, dir, func(o *siltstone.Options) { o.MustExist = true })
			must(t, only.Check(bg))
			got := images(t, only)
			for name, image := range want {
				if !slices.Contains(names, name) {
					image = ""
				}
				if got[name] != image {
					t.Errorf("%s: %q: keyspace %q holds\n%.500s\nwant\n%.500s", mode, names, name, got[name], image)
				}
			}
			for name := range got {
				if name != "" && !slices.Contains(names, name) {
					t.Errorf("%s: %q: there is a keyspace %q", mode, names, name)
				}
			}
			if at := only.Origin(); at != position {
				t.Errorf("%s: %q: origin %v, made at %v", mode, names, at, position)
			}
			// What was dropped under a name is not found by who makes the name again.
			again, err := only.CreateKeyspace("right")
			must(t, err)
			if _, err := again.Get([]byte("brief")); slices.Contains(names, "right") != (err == nil) {
				t.Errorf("%s: %q: %v", mode, names, err)
			}
			must(t, only.Compact(bg, siltstone.Range{}))
			must(t, only.Check(bg))
			must(t, only.Close())
		}
		must(t, db.Close())
	}
}

func TestAFeedGoesOnInACheckpointOfKeyspacesAndShowsWhatWasDropped(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	db := open(t, mem, "db", kept)
	fill(t, db)
	must(t, db.CheckpointKeyspaces(bg, "copy", "left"))
	must(t, db.Close())
	only := open(t, mem, "copy", kept)
	ks, err := only.Keyspace("left")
	must(t, err)
	must(t, ks.Put([]byte("k"), []byte("v")))
	must(t, only.Flush(bg))
	var told []string
	for c, err := range only.Changes(bg, siltstone.ChangeOptions{After: only.Origin(), NoWait: true}) {
		must(t, err)
		told = append(told, fmt.Sprintf("%v %q %s", c.Kind, c.Keyspace, c.Key))
	}
	want := []string{`drop keyspace "big" `, `drop keyspace "right" `, `delete range "" `, `put "left" k`}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", told, want)
	}
	must(t, only.Close())
}

func TestACheckpointOfKeyspacesIsRefusedBeforeAnythingIsMade(t *testing.T) {
	mem := vfs.NewMem()
	db := open(t, mem, "db")
	fill(t, db)
	if err := db.CheckpointKeyspaces(bg, "copy", "left", "nobody"); !errors.Is(err, siltstone.ErrNotFound) || !strings.Contains(err.Error(), "nobody") {
		t.Error(err)
	}
	if err := db.CheckpointKeyspaces(bg, "copy"); err == nil {
		t.Error("a checkpoint of nothing")
	}
	if err := db.CheckpointKeyspaces(bg, "db", "left"); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(bg)
	cancel()
	if err := db.CheckpointKeyspaces(cancelled, "copy", "left"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if names, err := mem.List("."); len(names) != 1 || err != nil {
		t.Errorf("left %v, %v", names, err)
	}
	must(t, db.Check(bg))
	must(t, db.Close())
	if err := db.CheckpointKeyspaces(bg, "copy", "left"); !errors.Is(err, siltstone.ErrClosed) {
		t.Error(err)
	}
}

// Whichever call on a file of the copy fails: nothing has the name, or a whole copy has.
func TestACheckpointOfKeyspacesThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	run := func(nth int64) (met bool) {
		faults := vfstest.NewFaults(vfs.NewMem())
		db := open(t, faults, "db")
		for _, name := range []string{"left", "right"} {
			ks, err := db.CreateKeyspace(name)
			must(t, err)
			must(t, ks.Put([]byte("k"), []byte(name)))
		}
		faults.Inject(vfstest.Fault{Match: vfstest.OnName("copy"), Nth: nth})
		err := db.CheckpointKeyspaces(bg, "copy", "left")
		met = faults.Injected() > 0
		faults.Clear()
		names, lerr := faults.List(".")
		must(t, lerr)
		switch {
		case slices.Contains(names, "copy"): // it did not matter, or the name's sync failed
			only := open(t, faults, "copy")
			must(t, only.Check(bg))
			if got := images(t, only); len(got) != 2 || got["left"] == "" {
				t.Errorf("call %d: the copy holds %q", nth, got)
			}
			must(t, only.Close())
		case !errors.Is(err, vfstest.ErrInjected), len(names) != 1:
			t.Errorf("call %d: %v, left %v", nth, err, names)
		}
		must(t, db.Check(bg))
		must(t, db.Close())
		if open := faults.OpenFiles(); len(open) > 0 {
			t.Errorf("call %d: open %v", nth, open)
		}
		return met
	}
	step := int64(1)
	if testing.Short() {
		step = 5
	}
	calls := int64(0)
	for nth := int64(1); run(nth); nth += step {
		calls++
	}
	if calls < 8 {
		t.Errorf("%d calls failed", calls)
	}
	t.Logf("%d calls failed", calls)
}

func TestAPowerCutInACheckpointOfKeyspacesLeavesAWholeCopyOrNone(t *testing.T) {
	t.Parallel()
	disk := vfstest.NewDisk(5)
	db := open(t, disk, "db")
	for _, name := range []string{"left", "right"} {
		ks, err := db.CreateKeyspace(name)
		must(t, err)
		for i := range 50 {
			must(t, ks.Put(fmt.Appendf(nil, "key%d", i), []byte(name)))
		}
	}
	want := images(t, db)["left"]
	rng, cuts, whole := rand.New(rand.NewPCG(5, 5)), 0, 0
	judge := func(image *vfstest.Disk, what string) (there bool) {
		cuts++
		names, err := image.List(".")
		must(t, err)
		for _, name := range names {
			if name != "db" && name != "copy" && !strings.HasSuffix(name, ".partial") {
				t.Fatalf("%s: left %q", what, name)
			}
		}
		if !slices.Contains(names, "copy") {
			return false
		}
		whole++
		only := open(t, image, "copy")
		must(t, only.Check(bg))
		if got := images(t, only); len(got) != 2 || got["left"] != want {
			t.Fatalf("%s: the copy holds %q", what, got)
		}
		must(t, only.Close())
		return true
	}
	disk.OnOp(func(o vfstest.Op) {
		for _, p := range vfstest.Profiles() {
			for image := range disk.Images(p, 1, rng) {
				judge(image, fmt.Sprintf("cut %v before %v", p, o))
			}
		}
	})
	must(t, db.CheckpointKeyspaces(bg, "copy", "left"))
	disk.OnOp(nil)
	if whole == cuts {
		t.Errorf("all of %d cuts left a copy: nothing was shown", cuts)
	}
	for image := range disk.Images(vfstest.P1, 1, rng) {
		if !judge(image, "cut behind the call") {
			t.Error("the copy is not durable on return")
		}
	}
	must(t, db.Close())
	t.Logf("%d cuts, %d left a copy, each whole", cuts, whole)
}
