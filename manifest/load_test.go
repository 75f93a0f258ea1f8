package manifest

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
)

// wantReload reloads after s and i, and wants what Load gives.
func wantReload(t *testing.T, fsys vfs.FS, s *State, i Info) (*State, Info) {
	t.Helper()
	want, wantInfo, err := Load(fsys, dir)
	must(t, err)
	got, gotInfo, err := Reload(fsys, dir, s, i)
	must(t, err)
	if got.String() != want.String() || gotInfo != wantInfo {
		t.Fatalf("reloaded:\n%v\n%+v\nloaded:\n%v\n%+v", got, gotInfo, want, wantInfo)
	}
	return got, gotInfo
}

func TestReloadGivesWhatLoadGives(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fsys, number, state := vfs.NewMem(), base.FileNum(1), firstState(t)
		newDir(t, fsys)
		l, err := Create(fsys, dir, number, state)
		must(t, err)
		s, i := wantReload(t, fsys, nil, Info{})
		for range 200 {
			switch rng.IntN(12) {
			case 0, 1: // another manifest, of this store or of one that was put in its place
				must(t, l.Close())
				if number++; rng.IntN(2) == 0 {
					number = 1
					state = NewState(rng.Uint64())
					fsys = vfs.NewMem()
					newDir(t, fsys)
				}
				l, err = Create(fsys, dir, number, state)
				must(t, err)
			case 2, 3, 4:
				s, i = wantReload(t, fsys, s, i)
			default:
				e := &Edit{LastSeq: state.LastSeq + base.SeqNum(rng.IntN(3)), FileLimit: state.FileLimit + base.FileNum(rng.IntN(3)), Clock: state.Clock}
				state, err = state.Apply(e)
				must(t, err)
				must(t, l.Append(e))
			}
		}
		wantReload(t, fsys, s, i)
		must(t, l.Close())
	}
}

func TestReloadReadsOnlyWhatHasCome(t *testing.T) {
	w := writeSome(t, someEdits(t)...)
	last := len(w.ends) - 1
	writeFile(t, w.fs, w.name, w.data[:w.ends[last-1]])
	s, i, err := Load(w.fs, dir)
	must(t, err)
	if s.String() != w.states[last-2] {
		t.Fatalf("before the last edit the state is\n%v", s)
	}
	damaged := append([]byte(nil), w.data...)
	damaged[w.ends[1]+3] ^= 1 // of an edit that was read
	writeFile(t, w.fs, w.name, damaged)
	s, i, err = Reload(w.fs, dir, s, i)
	must(t, err)
	if s.String() != w.states[last-1] || i.End != w.ends[last] {
		t.Errorf("reloaded, up to %d:\n%v", i.End, s)
	}
	damaged[len(damaged)-1] ^= 1 // nothing has come, and nothing is read
	writeFile(t, w.fs, w.name, damaged)
	if again, _, err := Reload(w.fs, dir, s, i); err != nil || again != s {
		t.Errorf("reloaded once more: %v\n%v", err, again)
	}
	if _, _, err := Load(w.fs, dir); !errors.Is(err, base.ErrCorruption) {
		t.Errorf("loaded: %v", err)
	}
	writeFile(t, w.fs, w.name, damaged[:w.ends[last]-1]) // shorter than it was: all is read
	if _, _, err := Reload(w.fs, dir, s, i); !errors.Is(err, base.ErrCorruption) {
		t.Errorf("reloaded after it was cut: %v", err)
	}
}
