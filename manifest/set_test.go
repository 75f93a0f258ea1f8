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
