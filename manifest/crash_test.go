package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// crashAnywhere runs work on a disk and shows check what a power cut just before
// each of its operations, and one behind the last, can leave.
func crashAnywhere(t *testing.T, disk *vfstest.Disk, work func(), check func(at string, image *vfstest.Disk)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	images := 0
	look := func(at string) {
		for _, p := range vfstest.Profiles() {
			for image := range disk.Images(p, 24, rng) {
				images++
				check(fmt.Sprintf("%v, cut before %s", p, at), image)
			}
		}
	}
	disk.OnOp(func(op vfstest.Op) { look(fmt.Sprintf("%v %s", op.Kind, op.Name)) })
	work()
	disk.OnOp(nil)
	look("the end")
	if images < 40 {
		t.Errorf("only %d images", images)
	}
}

func TestCrashAfterNewManifestBeforeMarkerOpens(t *testing.T) {
	disk := vfstest.NewDisk(1)
	must(t, disk.MkdirAll(dir))
	must(t, disk.SyncDir("."))
	old, err := Create(disk, dir, 1, firstState(t))
	must(t, err)
	must(t, old.Close())
	next, err := firstState(t).Apply(&Edit{LastSeq: 1000})
	must(t, err)

	seen := map[base.SeqNum]int{}
	crashAnywhere(t, disk, func() {
		l, err := Create(disk, dir, 2, next)
		must(t, err)
		must(t, l.Close())
	}, func(at string, image *vfstest.Disk) {
		s, i, err := Load(image, dir)
		if err != nil || i.Torn != 0 {
			t.Fatalf("%s: %+v, %v", at, i, err)
		}
		seen[s.LastSeq]++
		// The next start takes a number nobody has, and publishes.
		l, err := Create(image, dir, 3, s)
		if err != nil {
			t.Fatalf("%s: next start: %v", at, err)
		}
		must(t, l.Close())
	})
	if seen[50] == 0 || seen[1000] == 0 || len(seen) != 2 {
		t.Errorf("states seen: %v, want the old one and the new one", seen)
	}
}

func TestCrashInTheFirstCreateLeavesANewDirectory(t *testing.T) {
	disk := vfstest.NewDisk(1)
	must(t, disk.MkdirAll(dir))
	must(t, disk.SyncDir("."))
	done := false
	crashAnywhere(t, disk, func() {
		l, err := Create(disk, dir, 1, firstState(t))
		must(t, err)
		must(t, l.Close())
		done = true
	}, func(at string, image *vfstest.Disk) {
		_, _, err := Load(image, dir)
		if err != nil && (done || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, base.ErrCorruption)) {
			t.Fatalf("%s: %v", at, err)
		}
	})
}

func TestCrashInAppendLosesNoSyncedEdit(t *testing.T) {
	disk := vfstest.NewDisk(1)
	must(t, disk.MkdirAll(dir))
	must(t, disk.SyncDir("."))
	// A removed manifest is what stale blocks can show.
	gone, err := Create(disk, dir, 1, firstState(t))
	must(t, err)
	for _, e := range someEdits(t) {
		must(t, gone.Append(e))
	}
	must(t, gone.Close())
	l, err := Create(disk, dir, 2, firstState(t))
	must(t, err)
	must(t, disk.Remove(dir+"/MANIFEST-000001"))

	s := firstState(t)
	states := []string{s.String()}
	appended := 0 // edits whose Append has returned
	crashAnywhere(t, disk, func() {
		for _, e := range someEdits(t) {
			s, err = s.Apply(e)
			must(t, err)
			states = append(states, s.String())
			must(t, l.Append(e))
			appended++
		}
	}, func(at string, image *vfstest.Disk) {
		got, i, err := Load(image, dir)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if i.Edits-1 < appended || i.Edits > len(states) || got.String() != states[i.Edits-1] {
			t.Fatalf("%s: %d of %d edits, state\n%s", at, i.Edits-1, appended, got)
		}
	})
	must(t, l.Close())
}

// TestContinueMakesWhatWasLoadedDurable: a killed process leaves bytes that can
// be read and were never synced.
func TestContinueMakesWhatWasLoadedDurable(t *testing.T) {
	w := writeSome(t, someEdits(t)...)
	disk := vfstest.NewDisk(1)
	must(t, disk.MkdirAll(dir))
	writeFile(t, disk, dir+"/CURRENT", []byte(currentContent(7)))
	f, err := disk.Create(w.name)
	must(t, err)
	_, err = f.Write(w.data[:w.ends[2]])
	must(t, errors.Join(err, f.Sync(), disk.SyncDir("."), disk.SyncDir(dir)))
	_, err = f.Write(w.data[w.ends[2]:])
	must(t, errors.Join(err, f.Close()))
	c, err := disk.OpenWrite(dir + "/CURRENT")
	must(t, err)
	must(t, errors.Join(c.Sync(), c.Close()))

	_, i, err := Load(disk, dir)
	must(t, err)
	l, err := Continue(disk, dir, i)
	must(t, err)
	must(t, l.Close())
	s, _, err := Load(disk.Image(vfstest.P1, rand.New(rand.NewPCG(1, 1))), dir)
	if err != nil || s.String() != w.states[3] {
		t.Errorf("after a power cut: %v\n%s", err, s)
	}
}
