package beside_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// killed returns a directory as a killed writer leaves it: tables, a log with commits,
// and what a reader finds after more of them.
func killed(t testing.TB) (before, after *vfstest.Disk) {
	t.Helper()
	disk := vfstest.NewDisk(1)
	w := open(t, disk)
	commits(t, w, 1, 150)
	must(t, w.Flush(bg))
	commits(t, w, 151, 160)
	before = disk.Image(vfstest.P0, nil)
	commits(t, w, 161, 170)
	must(t, w.Flush(bg))
	commits(t, w, 171, 180)
	after = disk.Image(vfstest.P0, nil)
	must(t, w.Close())
	return before, after
}

// move puts the files of a store as they are later in the place of those that are there.
func move(t testing.TB, to, from vfs.FS) {
	t.Helper()
	remove := func(name string) { must(t, to.Remove("db/"+name)) }
	names, err := to.List("db")
	must(t, err)
	for _, name := range names {
		if st, err := to.Stat("db/" + name); err != nil || !st.IsDir() {
			remove(name)
		}
	}
	names, err = from.List("db")
	must(t, err)
	for _, name := range names {
		src, err := from.Open("db/" + name)
		must(t, err)
		st, err := src.Stat()
		must(t, err)
		b := make([]byte, st.Size())
		if len(b) > 0 {
			if _, err := src.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
		}
		dst, err := to.Create("db/" + name)
		must(t, err)
		_, err = dst.Write(b)
		must(t, errors.Join(err, dst.Close(), src.Close()))
	}
}

// visit opens a reader, refreshes it and closes it. A failure is one of the faults; after
// one the reader shows what it showed before.
func visit(t testing.TB, f *vfstest.Faults, disk *vfstest.Disk, after *vfstest.Disk, damaging bool, arm func()) error {
	t.Helper()
	honest := func(what string, err error) {
		t.Helper()
		if err != nil && !errors.Is(err, vfstest.ErrInjected) && !(damaging && errors.Is(err, siltstone.ErrCorruption)) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	arm()
	r, err := siltstone.Open("db", options(f, besides))
	honest("open", err)
	if err != nil {
		return err
	}
	n, failed := state(r)
	honest("read", failed)
	if failed == nil && n != 160 {
		t.Fatalf("open shows the state after commit %d", n)
	}
	move(t, disk, after)
	refreshed := r.Refresh(bg)
	honest("refresh", refreshed)
	want := 180
	if refreshed != nil {
		want = 160
	}
	n, read := state(r)
	honest("read", read)
	if read == nil && n != want {
		t.Fatalf("after Refresh: %v: it shows the state after commit %d", refreshed, n)
	}
	if refreshed != nil {
		f.Clear()
		must(t, r.Refresh(bg))
		wantState(t, r, 180)
		must(t, r.Check(bg))
	}
	closed := r.Close()
	honest("close", closed)
	return errors.Join(failed, refreshed, read, closed)
}

func TestEveryFailingCallOfAReaderIsHonestAndLeavesNothing(t *testing.T) {
	before, after := killed(t)
	counted := before.Image(vfstest.P0, nil)
	f := vfstest.NewFaults(counted)
	if err := visit(t, f, counted, after, false, func() {}); err != nil {
		t.Fatal(err)
	}
	ops, failures := f.Ops(), 0
	step := int64(1)
	if testing.Short() {
		step = 5
	}
	for i, fault := range []vfstest.Fault{
		{}, {Times: vfstest.Forever}, {Effect: vfstest.Done}, {Effect: vfstest.Half}, {Effect: vfstest.Damaged},
		{Effect: vfstest.Damaged, Times: vfstest.Forever}, {Err: vfs.ErrNoSpace},
	} {
		for n := 1 + int64(i)%step; n <= ops; n += step {
			disk := before.Image(vfstest.P0, nil)
			f := vfstest.NewFaults(disk)
			fault.Nth = n
			err := visit(t, f, disk, after, fault.Effect == vfstest.Damaged, func() { f.Inject(fault) })
			if err != nil {
				failures++
			}
			f.Clear()
			if open := f.OpenFiles(); len(open) > 0 {
				t.Fatalf("%+v: left open: %v", fault, open)
			}
			// What a failing removal left goes with the next reader.
			if left := own(t, disk); len(left) > 0 && fault.Effect != vfstest.Damaged {
				must(t, reader(t, disk).Close())
			}
			if left := own(t, disk); len(left) > 0 {
				t.Fatalf("%+v: left behind: %v", fault, left)
			}
		}
	}
	if failures == 0 {
		t.Error("no call has failed")
	}
	t.Logf("%d calls, %d runs failed, all honest", ops, failures)
}

// Where a removal works, nothing is left by an Open or Refresh that fails.
func TestAFailedOpenRemovesItsDirectory(t *testing.T) {
	before, _ := killed(t)
	for _, name := range []string{"CURRENT", "MANIFEST", ".wal", ".sst"} {
		disk := before.Image(vfstest.P0, nil)
		f := vfstest.NewFaults(disk)
		f.Inject(vfstest.Fault{Match: vfstest.OnName(name, vfstest.Open, vfstest.OpenWrite, vfstest.Link), Times: vfstest.Forever})
		if _, err := siltstone.Open("db", options(f, besides)); !errors.Is(err, vfstest.ErrInjected) {
			t.Errorf("%s: %v", name, err)
		}
		if left := own(t, disk); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

func TestDamageIsToldAndNotTriedForEver(t *testing.T) {
	before, _ := killed(t)
	names, err := before.List("db")
	must(t, err)
	for _, name := range names {
		if name == "LOCK" || name == "BALLAST" {
			continue
		}
		disk := before.Image(vfstest.P0, nil)
		must(t, disk.Remove("db/"+name))
		r, err := siltstone.Open("db", options(disk, besides))
		switch {
		case err == nil:
			// A log without a header, prepared ahead, is missed by nobody.
			wantState(t, r, 160)
			must(t, r.Close())
		case !errors.Is(err, siltstone.ErrCorruption) && !(name == "CURRENT" && errors.Is(err, fs.ErrNotExist)):
			t.Errorf("without %s: %v", name, err)
		}
		if left := own(t, disk); len(left) > 0 {
			t.Errorf("without %s: left behind: %v", name, left)
		}
	}
}

// A reader knows of a commit that was written and not synced only if it has synced it.
func TestAReaderKnowsNoMoreThanTheStoreAfterAPowerCut(t *testing.T) {
	disk := vfstest.NewDisk(7)
	level := func(o *siltstone.Options) { o.Durability = siltstone.OSDurability }
	w := open(t, disk, level)
	commits(t, w, 1, 5)
	r := reader(t, disk)
	seen, cuts := 0, 0
	for n := 6; n <= 240; n++ {
		must(t, commit(w, n))
		if n%9 != 0 {
			continue
		}
		if n%27 == 0 {
			must(t, w.Flush(bg))
		}
		must(t, r.Refresh(bg))
		got, err := state(r)
		must(t, err)
		if got < n {
			t.Fatalf("after commit %d it shows commit %d", n, got)
		}
		seen = got
		image := disk.Image(vfstest.P1, nil)
		again := open(t, image)
		if n, err := state(again); err != nil || n < seen {
			t.Fatalf("the power cut leaves commit %d, a reader had seen %d: %v", n, seen, err)
		}
		must(t, again.Close())
		// The reader is dead, too: its directory goes with the next one.
		next := reader(t, image)
		if left := own(t, image); len(left) != 1 {
			t.Fatalf("after the power cut there are %v", left)
		}
		must(t, next.Close())
		cuts++
	}
	must(t, r.Close())
	must(t, w.Close())
	t.Logf("%d power cuts, the reader never ahead", cuts)
}

// The context may end at any call of the file system.
func TestARefreshThatIsCancelledChangesNothing(t *testing.T) {
	before, after := killed(t)
	for k := int64(1); ; k += 3 {
		disk := before.Image(vfstest.P0, nil)
		f := vfstest.NewFaults(disk)
		r := reader(t, f)
		move(t, disk, after)
		ctx, cancel := context.WithCancel(bg)
		first := f.Ops()
		f.OnOp(func(vfstest.Op) {
			if f.Ops() >= first+k {
				cancel()
			}
		})
		err := r.Refresh(ctx)
		f.OnOp(nil)
		cancel()
		want := 160
		if err == nil {
			want = 180
		} else if !errors.Is(err, context.Canceled) {
			t.Fatalf("call %d: %v", k, err)
		}
		wantState(t, r, want)
		must(t, r.Refresh(bg))
		wantState(t, r, 180)
		must(t, r.Close())
		if left := own(t, disk); len(left) > 0 {
			t.Fatalf("call %d: left behind: %v", k, left)
		}
		if err == nil {
			return
		}
	}
}

func TestCloseEndsARefresh(t *testing.T) {
	before, after := killed(t)
	disk := before.Image(vfstest.P0, nil)
	f := vfstest.NewFaults(disk)
	r := reader(t, f)
	move(t, disk, after)
	reached, goOn := make(chan struct{}), make(chan struct{})
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Link {
			close(reached)
			f.OnOp(nil)
			<-goOn
		}
	})
	refreshed, closed := make(chan error), make(chan error)
	go func() { refreshed <- r.Refresh(bg) }()
	<-reached
	go func() { refreshed <- r.Refresh(bg) }() // waits for its turn
	go func() { closed <- r.Close() }()
	for {
		snap, err := r.NewSnapshot()
		if errors.Is(err, siltstone.ErrClosed) {
			break
		}
		must(t, err)
		snap.Close()
	}
	close(goOn)
	for range 2 {
		if err := <-refreshed; err != nil && !errors.Is(err, siltstone.ErrClosed) {
			t.Errorf("amid Close: %v", err)
		}
	}
	must(t, <-closed)
	if left := own(t, disk); len(left) > 0 {
		t.Error(fmt.Sprint("left behind: ", left))
	}
}
