package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

// TestFailedAppendIsFinal fails every call an append makes, in every way.
func TestFailedAppendIsFinal(t *testing.T) {
	for _, kind := range []vfstest.Kind{vfstest.Write, vfstest.Sync} {
		for _, effect := range []vfstest.Effect{vfstest.NotDone, vfstest.Half, vfstest.Done} {
			mem := vfs.NewMem()
			newDir(t, mem)
			faults := vfstest.NewFaults(mem)
			l, err := Create(faults, dir, 1, firstState(t))
			must(t, err)
			faults.Inject(vfstest.Fault{Match: func(o vfstest.Op) bool { return o.Kind == kind }, Effect: effect})
			edits := someEdits(t)
			first := l.Append(edits[0])
			if !errors.Is(first, vfstest.ErrInjected) {
				t.Fatalf("%v %v: %v", kind, effect, first)
			}
			before := faults.Ops()
			if err := l.Append(edits[1]); err != first {
				t.Errorf("%v %v: second append: %v, want the first error", kind, effect, err)
			}
			if n := faults.Ops() - before; n != 0 {
				t.Errorf("%v %v: %d calls after the failure", kind, effect, n)
			}
			must(t, l.Close())
			s, i, err := Load(mem, dir)
			if err != nil || i.Edits > 2 || i.Edits < 1 {
				t.Errorf("%v %v: %+v, %v", kind, effect, i, err)
			}
			// What a failed append leaves is replaced, never appended to.
			l, err = Create(mem, dir, 2, s)
			must(t, err)
			must(t, l.Close())
		}
	}
}

func TestFailedCreateLeavesAManifestThatLoads(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		newDir(t, mem)
		old, err := Create(mem, dir, 1, firstState(t))
		must(t, err)
		must(t, old.Close())
		next, err := firstState(t).Apply(&Edit{LastSeq: 1000})
		must(t, err)
		faults := vfstest.NewFaults(mem)
		faults.Inject(vfstest.Fault{Nth: n})
		_, err = Create(faults, dir, 2, next)
		if err == nil {
			if n < 8 {
				t.Fatalf("Create made only %d calls", n)
			}
			return
		}
		s, _, loadErr := Load(mem, dir)
		if loadErr != nil || s.LastSeq != 50 && s.LastSeq != 1000 {
			t.Fatalf("call %d failed (%v): %v", n, err, loadErr)
		}
		if open := mem.OpenFiles(); len(open) != 0 {
			t.Errorf("call %d failed: left open %v", n, open)
		}
		l, err := Create(mem, dir, 3, s)
		must(t, err)
		must(t, l.Close())
	}
}

// bigTable is a table with bounds of 64 KiB each.
func bigTable(num base.FileNum) *Table {
	t := &Table{Num: num, Level: LastLevel}
	t.Smallest = fmt.Appendf(nil, "%06d%s", num, bytes.Repeat([]byte("s"), 64<<10))
	t.Largest = fmt.Appendf(nil, "%06d%s", num, bytes.Repeat([]byte("t"), 64<<10))
	t.ID, t.MinSeq, t.MaxSeq, t.Puts, t.Size = uint64(num), 1, 1, 1, 1
	return t
}

func TestManifestIsFullOnceItsEditsOutweighWhatItBeganWith(t *testing.T) {
	for _, c := range []struct {
		tables int   // of the state at the beginning
		least  int64 // bytes of edits before it is full
	}{{0, fullSize}, {10, fullSize}, {100, 100 * 128 << 10}} {
		fsys := vfs.NewMem()
		newDir(t, fsys)
		var e Edit
		for i := range c.tables {
			e.Added = append(e.Added, bigTable(base.FileNum(i+1)))
		}
		e.FileLimit, e.LastSeq = 1000, 1
		s, err := NewState(0xDB).Apply(&e)
		must(t, err)
		l, err := Create(fsys, dir, 1, s)
		must(t, err)
		began := l.Size()
		for num := base.FileNum(c.tables + 1); !l.Full(); num++ {
			if edits := l.Size() - began; edits > c.least+c.least/10 {
				t.Fatalf("%d tables: not full with %d bytes of edits", c.tables, edits)
			}
			e := &Edit{Added: []*Table{bigTable(num)}}
			s, err = s.Apply(e)
			must(t, err)
			must(t, l.Append(e))
			if num%9 == 0 { // what it began with is known when it is continued, too
				must(t, l.Close())
				_, info, err := Load(fsys, dir)
				must(t, err)
				l, err = Continue(fsys, dir, info)
				must(t, err)
			}
		}
		if edits := l.Size() - began; edits < c.least {
			t.Errorf("%d tables: full with %d bytes of edits behind %d", c.tables, edits, began)
		}
		must(t, l.Close())
	}
}

// TestAnEditWithoutRoomIsRefusedAndCanBeTriedAgain: a full disk is met before
// anything is written, and what was reserved ahead takes many edits more.
func TestAnEditWithoutRoomIsRefusedAndCanBeTriedAgain(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(1 << 20)
	newDir(t, mem)
	s := firstState(t)
	l, err := Create(mem, dir, 1, s)
	must(t, err)
	full, err := mem.Create("full")
	must(t, err)
	for n := 1 << 20; n > 0; {
		if _, err := full.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	edits := 0
	for ; ; edits++ {
		e := &Edit{LastSeq: base.SeqNum(100 + edits)}
		if err = l.Reserve(e); err != nil {
			break
		}
		must(t, l.Append(e))
		s, err = s.Apply(e)
		must(t, err)
	}
	if !errors.Is(err, base.ErrNoSpace) || edits < 100 {
		t.Errorf("%d edits, then %v", edits, err)
	}
	must(t, errors.Join(full.Close(), mem.Remove("full")))
	e := &Edit{LastSeq: 10_000}
	must(t, errors.Join(l.Reserve(e), l.Append(e), l.Close()))
	got, i, err := Load(mem, dir)
	if err != nil || got.LastSeq != 10_000 || i.Edits != edits+2 || i.Torn != 0 {
		t.Errorf("%+v, %v", i, err)
	}
}
