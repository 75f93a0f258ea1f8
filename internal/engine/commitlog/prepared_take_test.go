package commitlog

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/storedir"
	"github.com/siltstonedb/siltstone/vfs"
)

func preparedIn(t *testing.T, mem *vfs.Mem) *Prepared {
	t.Helper()
	dir := storedir.Dir{FS: mem, Path: "db"}
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	var last atomic.Uint64
	return NewPrepared(dir,
		func() (base.FileNum, error) { return base.FileNum(last.Add(1)), nil },
		func(n base.FileNum) {
			if err := mem.Remove(dir.Name(base.FileLog, n)); err != nil {
				t.Error(err)
			}
		})
}

// A commit takes a file at any moment, also between Make's look at the first one and
// the end of its Allocate.
func TestLogsAreTakenWhileOthersAreMade(t *testing.T) {
	mem := vfs.NewMem()
	p := preparedIn(t, mem)
	const logs = 60
	var makers sync.WaitGroup
	done := make(chan struct{})
	for m := range 2 {
		makers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := p.Make(1+m, int64(i%7)<<17); err != nil {
					t.Error(err)
					return
				}
				runtime.Gosched()
			}
		})
	}
	var last base.FileNum
	for taken := 0; taken < logs && !t.Failed(); {
		size := int64(taken%7) << 17
		if !p.Ready(1, size) {
			runtime.Gosched()
			continue
		}
		seg := p.Take()
		taken++
		st, err := seg.File.(vfs.File).Stat()
		if err != nil {
			t.Fatal(err)
		}
		if seg.Number <= last || seg.Reserved < roomFor(size) || st.Size() < seg.Reserved {
			t.Errorf("log %d after %d, %d bytes reserved of %d, for a payload of %d", seg.Number, last, seg.Reserved, st.Size(), size)
		}
		last = seg.Number
		if err := seg.Closer.Close(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	makers.Wait()
	p.Close()
	if open := mem.OpenFiles(); len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
	names, err := mem.List("db")
	if err != nil || len(names) != logs || len(p.InUse()) != logs {
		t.Errorf("%d files are left, and %d in use, of %d that were taken: %v", len(names), len(p.InUse()), logs, err)
	}
	if err := p.Make(1, 0); err != base.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

func TestLogsAreRetiredOldestFirst(t *testing.T) {
	mem := vfs.NewMem()
	p := preparedIn(t, mem)
	first, err := p.First()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Make(2, 0); err != nil {
		t.Fatal(err)
	}
	second, third := p.Take(), p.Take()
	if got := p.Retire(third.Number); len(got) != 2 || got[0] != first.Number || got[1] != second.Number {
		t.Errorf("retired %v", got)
	}
	if got := p.InUse(); len(got) != 1 || got[0] != third.Number {
		t.Errorf("in use are %v", got)
	}
	for _, s := range []Segment{first, second, third} {
		if err := s.Closer.Close(); err != nil {
			t.Error(err)
		}
	}
	p.Close()
}
