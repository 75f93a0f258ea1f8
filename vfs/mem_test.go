package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/siltstonedb/siltstone/internal/seed"
)

func TestMemFileEqualsASliceUnderRandomChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 0))
	for range 8 {
		m := NewMem()
		f := mustCreate(t, m, "f")
		var model []byte
		pos := 0
		for range 300 {
			switch rng.IntN(9) {
			case 2:
				must(t, f.Close())
				var err error
				f, err = m.OpenWrite("f")
				must(t, err)
				pos = len(model)
			case 0:
				size := rng.IntN(3 * chunkSize)
				must(t, f.Truncate(int64(size)))
				model = resize(model, size)
				pos = min(pos, size)
			case 1:
				size := rng.IntN(3 * chunkSize)
				must(t, f.Allocate(int64(size)))
				model = resize(model, max(size, len(model)))
			default:
				p := make([]byte, rng.IntN(1<<rng.IntN(17)))
				for i := range p {
					p[i] = byte(rng.Uint32())
				}
				n, err := f.Write(p)
				must(t, err)
				if end := pos + n; n > 0 {
					model = resize(model, max(end, len(model)))
					copy(model[pos:], p)
					pos = end
				}
				clear(p) // must not be kept
			}
			off, size := rng.IntN(len(model)+10), rng.IntN(2*chunkSize)
			got := bytes.Repeat([]byte{0xee}, size)
			n, err := f.ReadAt(got, int64(off))
			want := model[min(off, len(model)):min(off+size, len(model))]
			if !bytes.Equal(got[:n], want) || (n < size) != (err == io.EOF) {
				t.Fatalf("read %d+%d of %d: %d bytes, %v", off, size, len(model), n, err)
			}
		}
		must(t, f.Close())
		must(t, m.Remove("f"))
		if m.space.used != 0 {
			t.Fatalf("%d bytes are charged to nobody", m.space.used)
		}
	}
}

func TestMemIsFullAtItsCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(100)
	f := mustCreate(t, m, "f")
	must(t, f.Allocate(60))
	g := mustCreate(t, m, "g")
	if err := g.Allocate(41); !IsNoSpace(err) {
		t.Fatalf("allocating what is not there: %v", err)
	}
	if free := m.Free("."); free != 40 {
		t.Fatalf("free is %d after a failed Allocate", free)
	}
	if n, err := g.Write(make([]byte, 50)); n != 40 || !IsNoSpace(err) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if n, err := f.Write(make([]byte, 60)); n != 60 || err != nil {
		t.Fatalf("into the reserved space: %d, %v", n, err)
	}
	if n, err := f.Write([]byte("x")); n != 0 || !IsNoSpace(err) {
		t.Fatalf("beyond it: %d, %v", n, err)
	}
	must(t, m.Remove("g"))
	if free := m.Free("."); free != 0 {
		t.Fatalf("an open file gave back %d bytes", free)
	}
	must(t, g.Close())
	if free := m.Free("."); free != 40 {
		t.Fatalf("free is %d after removal", free)
	}
	if n, err := f.Write([]byte("x")); n != 1 || err != nil {
		t.Fatalf("after room was made: %d, %v", n, err)
	}
}

func TestMemKeepsHolesOutOfMemory(t *testing.T) {
	m := NewMem()
	f := mustCreate(t, m, "f")
	must(t, f.Truncate(1<<40))
	p := make([]byte, 10)
	if n, err := f.ReadAt(p, 1<<39); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	must(t, f.Close())
	w, err := m.OpenWrite("f")
	must(t, err)
	if _, err := w.Write([]byte("x")); err == nil {
		t.Fatal("wrote at a tebibyte")
	}
}

func TestMemListOrderFollowsFromTheSeed(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(20) {
		var twice [2]string
		for i := range twice {
			m := NewMem()
			m.Shuffle(seed)
			for j := range 6 {
				mustCreate(t, m, fmt.Sprint(j))
			}
			names, err := m.List(".")
			must(t, err)
			twice[i] = fmt.Sprint(names)
		}
		if twice[0] != twice[1] {
			t.Fatalf("seed %d: %s, then %s", seed, twice[0], twice[1])
		}
		orders[twice[0]] = true
	}
	if len(orders) < 10 {
		t.Fatalf("20 seeds gave %d orders", len(orders))
	}
}

func TestMemTellsWhatIsStillOpen(t *testing.T) {
	m := NewMem()
	a, b := mustCreate(t, m, "b"), mustCreate(t, m, "a")
	l, err := m.Lock("LOCK", true, true)
	must(t, err)
	if got := m.OpenFiles(); !slices.Equal(got, []string{"LOCK", "a", "b"}) {
		t.Fatal(got)
	}
	must(t, errors.Join(a.Close(), b.Close(), l.Close()))
	if got := m.OpenFiles(); len(got) != 0 {
		t.Fatal(got)
	}
}

func TestMemMovesDirectories(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("a/b"))
	mustCreate(t, m, "a/b/f")
	if err := m.Rename("a", "a/b/c"); !errors.Is(err, fs.ErrInvalid) {
		t.Fatalf("moved a directory into itself: %v", err)
	}
	must(t, m.Rename("a/b", "c"))
	if _, err := m.Stat("/c/f"); err != nil {
		t.Fatal(err)
	}
	if err := m.Rename("a", "c"); err == nil {
		t.Fatal("replaced a directory that is not empty")
	}
	if err := m.Remove("c"); err == nil {
		t.Fatal("removed a directory that is not empty")
	}
}

func TestMemIsSafeForConcurrentUse(t *testing.T) {
	m := NewMem()
	log := mustCreate(t, m, "log")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			p := make([]byte, 100)
			for i := range 200 {
				name := fmt.Sprintf("%d-%d", g, i)
				f, err := m.Create(name)
				if err != nil {
					t.Error(err)
					return
				}
				f.Write(p)
				f.Close()
				m.List(".")
				log.ReadAt(p, 0)
				m.Rename(name, "x")
			}
		})
	}
	for range 500 {
		log.Write([]byte("hello"))
	}
	wg.Wait()
	if info, _ := log.Stat(); info.Size() != 2500 {
		t.Fatal(info.Size())
	}
}

func TestMemReadsAndAppendsWithoutAllocating(t *testing.T) {
	f := mustCreate(t, NewMem(), "f")
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(500, func() { f.Write(p) }); n > 0.5 { // chunks
		t.Errorf("a write allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { f.ReadAt(p, 50) }); n != 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

func BenchmarkMemWrite100(b *testing.B) {
	f, _ := NewMem().Create("f")
	p := make([]byte, 100)
	b.SetBytes(100)
	for i := range b.N {
		if i%(1<<20) == 0 {
			f.Truncate(0)
		}
		f.Write(p)
	}
}

func BenchmarkMemReadAt4K(b *testing.B) {
	f, _ := NewMem().Create("f")
	f.Write(make([]byte, 1<<20))
	p := make([]byte, 4096)
	b.SetBytes(4096)
	for i := range b.N {
		f.ReadAt(p, int64(i%200)*4096)
	}
}

func mustCreate(t *testing.T, f FS, name string) File {
	t.Helper()
	file, err := f.Create(name)
	must(t, err)
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func resize(b []byte, size int) []byte {
	if size <= len(b) {
		return b[:size:size] // what is cut off must not come back
	}
	return append(b, make([]byte, size-len(b))...)
}
