package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// found reads the log file with the given number as recovery does.
func found(t *testing.T, disk vfs.FS, number base.FileNum) (Found, error) {
	t.Helper()
	f, err := disk.Open(base.Filename(base.FileLog, number))
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	r, err := Open(f, st.Size(), base.Filename(base.FileLog, number))
	if errors.Is(err, ErrNoHeader) {
		return Found{Number: number}, nil
	}
	for err == nil {
		_, _, err = r.Next()
	}
	if verdict(err) == "end" || errors.Is(err, ErrTorn) {
		return r.Found(number), nil
	}
	return Found{}, err
}

// twoLogs is a disk with a log in use and the next one prepared.
type twoLogs struct {
	disk   *vfstest.Disk
	files  [2]vfs.File
	synced base.SeqNum // known durable
	images int
}

// newTwoLogs makes logs 4 and 5 as empty files with allocate bytes reserved,
// after a log 3 was removed, which is what stale blocks can show.
func newTwoLogs(t *testing.T, allocate int64) *twoLogs {
	s := &twoLogs{disk: vfstest.NewDisk(1)}
	create := func(number base.FileNum) vfs.File {
		f, err := s.disk.Create(base.Filename(base.FileLog, number))
		must(t, err)
		if allocate > 0 {
			must(t, f.Allocate(allocate))
		}
		return f
	}
	old := create(3)
	w := NewWriter(old, Header{Number: 3, DBID: 5, LogID: 33})
	must(t, w.Start())
	for range 6 {
		must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, make([]byte, 100)))
		must(t, w.Sync())
	}
	must(t, errors.Join(old.Close(), s.disk.Remove(base.Filename(base.FileLog, 3))))
	s.files = [2]vfs.File{create(4), create(5)}
	must(t, create(6).Close()) // 5 is finished, so its successor is made before
	must(t, s.disk.SyncDir("."))
	return s
}

// write fills both logs, the second being activated as the first is finished.
func (s *twoLogs) write(t *testing.T) {
	h := Header{Number: 4, DBID: 5, LogID: 44}
	for _, f := range s.files {
		w := NewWriter(f, h)
		must(t, w.Start())
		for n := range 4 {
			must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, make([]byte, 700)))
			if n%2 == 1 {
				must(t, w.Sync())
				s.synced = w.LastSeq()
			}
		}
		must(t, w.Finish(1))
		must(t, w.Sync())
		prev, ok := w.Successor()
		if !ok {
			t.Fatal("no successor")
		}
		h = Header{Number: 5, DBID: 5, LogID: 55, Prev: prev, LastSeq: prev.LastSeq}
	}
}

// look recovers what a power cut now can leave.
func (s *twoLogs) look(t *testing.T, rng *rand.Rand, at string) {
	for _, p := range vfstest.Profiles() {
		for image := range s.disk.Images(p, 30, rng) {
			s.images++
			a, errA := found(t, image, 4)
			b, errB := found(t, image, 5)
			chain, err := CheckChain([]Found{a, b, {Number: 6}}, 4, 5)
			if err = errors.Join(errA, errB, err); err != nil {
				t.Fatalf("%v before %s: %v", p, at, err)
			}
			last := a.LastSeq
			if len(chain.Live) == 2 {
				last = b.LastSeq
			}
			if last < s.synced {
				t.Fatalf("%v before %s: recovered up to %d, %d were durable", p, at, last, s.synced)
			}
		}
	}
}

// TestPowerCutIsNeverTakenForDamage cuts the power at every operation of two
// logs' lives. What had been synced is there, and nothing is called damaged.
func TestPowerCutIsNeverTakenForDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, allocate := range []int64{0, 4096} {
		s := newTwoLogs(t, allocate)
		s.disk.OnOp(func(op vfstest.Op) { s.look(t, rng, fmt.Sprint(op.Kind, " ", op.Name)) })
		s.write(t)
		s.disk.OnOp(nil)
		s.look(t, rng, "the end")
		if s.images < 300 {
			t.Errorf("only %d images", s.images)
		}
	}
}
