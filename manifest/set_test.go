package manifest

import (
	"errors"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/clock"
	"github.com/siltstonedb/siltstone/internal/lifecycle"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// fillManifest applies edits until the manifest has the given number, or the size.
func fillManifest(t *testing.T, m *Set, number base.FileNum, size int64) {
	t.Helper()
	var ids []IDRange
	for i := range uint64(10_000) {
		ids = append(ids, IDRange{First: 2 * i, Last: 2 * i})
	}
	for {
		must(t, m.Apply(&Edit{Nominated: ids}, nil))
		must(t, m.Apply(&Edit{Settled: ids}, nil))
		if m.log.Number() >= number || m.log.Size() >= size {
			return
		}
	}
}

func TestAManifestThatCannotBeReplacedGoesOn(t *testing.T) {
	for _, kind := range []vfstest.Kind{vfstest.Create, vfstest.Allocate, vfstest.Write, vfstest.Sync} {
		t.Run(kind.String(), func(t *testing.T) {
			mem := vfs.NewMem()
			newDir(t, mem)
			f := vfstest.NewFaults(mem)
			life := lifecycle.New(func(error) {})
			m := OpenSet(f, dir, NewState(1), clock.New(nil), life)
			must(t, m.Writable(nil, false, 1))
			f.Inject(vfstest.Fault{Match: vfstest.OnName("MANIFEST-000002", kind), Err: vfs.ErrNoSpace})
			fillManifest(t, m, 2, fullSize+fullSize/8)
			if f.Injected() != 1 || m.log.Number() != 1 || life.Poisoned() {
				t.Fatalf("%d calls failed, manifest %d, poisoned: %v", f.Injected(), m.log.Number(), life.PoisonErr())
			}
			if _, err := mem.Stat(dir + "/MANIFEST-000002"); err == nil {
				t.Error("what was begun is left behind")
			}
			fillManifest(t, m, 3, 2*fullSize)
			if m.log.Number() != 3 {
				t.Errorf("manifest %d is in use, want a second attempt under the next number", m.log.Number())
			}
			want := m.State().String()
			must(t, errors.Join(m.Check(), m.Close()))
			if s, _, err := Load(mem, dir); err != nil || s.String() != want {
				t.Errorf("loaded %v\n%v, want\n%s", err, s, want)
			}
		})
	}
}

func TestIDsAreReservedInGrowingBlocksAndNeverReused(t *testing.T) {
	const n = 5 * idBlockFirst // a block, one of twice as many, and some of the next
	f := vfstest.NewFaults(vfs.NewMem())
	newDir(t, f)
	syncs := 0
	f.OnOp(func(op vfstest.Op) {
		if vfstest.OnName("MANIFEST", vfstest.Sync)(op) {
			syncs++
		}
	})
	state, info, last := NewState(1), (*Info)(nil), uint64(0)
	for opened := range 3 {
		m := OpenSet(f, dir, state, clock.New(nil), lifecycle.New(func(error) {}))
		must(t, m.Writable(info, true, 1))
		syncs = 0
		for range n {
			id, err := m.NewID()
			if err != nil || id <= last {
				t.Fatalf("open %d: id %d after %d, %v", opened, id, last, err)
			}
			last = id
		}
		if syncs != 3 {
			t.Errorf("open %d: %d syncs of the manifest for %d ids, want 3", opened, syncs, n)
		}
		must(t, m.Close())
		read, found, err := Load(f, dir)
		must(t, err)
		if state, info = read, &found; state.IDLimit <= last {
			t.Errorf("open %d: id %d is not below the limit %d", opened, last, state.IDLimit)
		}
	}
}
