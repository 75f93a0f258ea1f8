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

// TestPowerCutIsNeverTakenForDamage writes two logs, the second activated as
// the first is finished, and cuts the power at every operation. What had been
// synced is there, and nothing is called damaged.
func TestPowerCutIsNeverTakenForDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, allocate := range []int64{0, 4096} {
		disk := vfstest.NewDisk(1)
		create := func(number base.FileNum) vfs.File {
			f, err := disk.Create(base.Filename(base.FileLog, number))
			must(t, err)
			if allocate > 0 {
				must(t, f.Allocate(allocate))
			}
			return f
		}
		// A removed log is what stale blocks can show.
		old := create(3)
		w := NewWriter(old, Header{Number: 3, DBID: 5, LogID: 33})
		must(t, w.Start())
		for range 6 {
			must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, make([]byte, 100)))
			must(t, w.Sync())
		}
		must(t, errors.Join(old.Close(), disk.Remove(base.Filename(base.FileLog, 3))))

		logs := []*Writer{
			NewWriter(create(4), Header{Number: 4, DBID: 5, LogID: 44}),
			NewWriter(create(5), Header{Number: 5, DBID: 5, LogID: 55}), // prepared ahead
		}
		must(t, disk.SyncDir("."))
		var synced base.SeqNum // known durable
		images := 0
		look := func(at string) {
			for _, p := range vfstest.Profiles() {
				for image := range disk.Images(p, 30, rng) {
					images++
					a, err := found(t, image, 4)
					if err != nil {
						t.Fatalf("%v before %s: %v", p, at, err)
					}
					b, err := found(t, image, 5)
					if err != nil {
						t.Fatalf("%v before %s: %v", p, at, err)
					}
					chain, err := CheckChain([]Found{a, b}, 4, 5)
					if err != nil {
						t.Fatalf("%v before %s: %v", p, at, err)
					}
					last := max(a.LastSeq, b.LastSeq)
					if len(chain.Live) < 2 {
						last = a.LastSeq
					}
					if last < synced {
						t.Fatalf("%v before %s: recovered up to %d, %d were durable", p, at, last, synced)
					}
				}
			}
		}
		disk.OnOp(func(op vfstest.Op) { look(fmt.Sprint(op.Kind, " ", op.Name)) })
		for i, w := range logs {
			must(t, w.Start())
			for n := range 4 {
				must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, make([]byte, 700)))
				if n%2 == 1 {
					must(t, w.Sync())
					synced = w.LastSeq()
				}
			}
			must(t, w.Finish(1))
			must(t, w.Sync())
			if i == 0 {
				prev, ok := w.Successor()
				if !ok {
					t.Fatal("no successor")
				}
				logs[1].header.Prev, logs[1].header.LastSeq, logs[1].frames.lastSeq = prev, prev.LastSeq, prev.LastSeq
			}
		}
		disk.OnOp(nil)
		look("the end")
		if images < 300 {
			t.Errorf("only %d images", images)
		}
	}
}
