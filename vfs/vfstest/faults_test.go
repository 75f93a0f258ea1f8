package vfstest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/vfs"
)

// everyCall does each kind of call once, in this order, whatever fails.
var everyCall = []Kind{
	Mkdir, Create, Write, Allocate, Zero, Truncate, Sync, SyncDir, Stat, Close, Open, Read, Close,
	OpenWrite, Stat, Close, Link, Rename, List, Stat, Lock, Close, Remove,
}

func callEverything(fsys vfs.FS) []error {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	note(fsys.MkdirAll("d"))
	f, err := fsys.Create("d/f")
	note(err)
	if f != nil {
		note(second(f.Write([]byte("hello"))))
		note(f.Allocate(10))
		note(f.(vfs.Zeroer).Zero(5, 10))
		note(f.Truncate(5))
		note(f.Sync())
		note(fsys.SyncDir("d"))
		note(second(f.Stat()))
		note(f.Close())
	}
	if f, err = fsys.Open("d/f"); f != nil {
		note(err)
		note(second(f.ReadAt(make([]byte, 5), 0)))
		note(f.Close())
	} else {
		note(err)
	}
	if f, err = fsys.OpenWrite("d/f"); f != nil {
		note(err)
		note(second(f.Stat()))
		note(f.Close())
	} else {
		note(err)
	}
	note(fsys.Link("d/f", "d/g"))
	note(fsys.Rename("d/f", "d/h"))
	note(second(fsys.List("d")))
	note(second(fsys.Stat("d")))
	l, err := fsys.Lock("d/LOCK", true, true)
	note(err)
	if l != nil {
		note(l.Close())
	}
	note(fsys.Remove("d/h"))
	return errs
}

func TestFaultsCountsEveryKind(t *testing.T) {
	f := NewFaults(NewDisk(1))
	var seen []Kind
	f.OnOp(func(op Op) {
		seen = append(seen, op.Kind)
		if op.N != int64(len(seen)) || op.N != f.Ops() {
			t.Errorf("%v is number %d", op, len(seen))
		}
	})
	for i, err := range callEverything(f) {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(everyCall) {
		t.Errorf("%v", seen)
	}
	want := map[Kind]int64{}
	for _, k := range everyCall {
		want[k]++
	}
	for _, k := range Kinds() {
		if f.Count(k) != want[k] || want[k] == 0 {
			t.Errorf("%v: counted %d of %d", k, f.Count(k), want[k])
		}
	}
}

func TestFaultsFailsTheNthCallAndNoOther(t *testing.T) {
	for n := range everyCall {
		for _, effect := range []Effect{NotDone, Half, Done, Forgotten, Reverted} {
			f := NewFaults(NewDisk(1))
			f.Inject(Fault{Nth: int64(n + 1), Effect: effect, Err: vfs.ErrNoSpace})
			var failed []error
			for _, err := range callEverything(f) {
				if errors.Is(err, ErrInjected) {
					failed = append(failed, err)
				}
			}
			if len(failed) != 1 || f.Injected() != 1 {
				t.Fatalf("%v at %d (%v): %v", effect, n+1, everyCall[n], failed)
			}
			if !vfs.IsNoSpace(failed[0]) || !strings.Contains(failed[0].Error(), everyCall[n].String()) {
				t.Errorf("%v at %d (%v): %v", effect, n+1, everyCall[n], failed[0])
			}
			if open := f.OpenFiles(); len(open) > 0 {
				t.Errorf("%v at %d: %v stay open", effect, n+1, open)
			}
			if open := f.inner.(*Disk).OpenFiles(); len(open) > 0 {
				t.Errorf("%v at %d: %v stay open below", effect, n+1, open)
			}
		}
	}
}

func TestFaultFailsOnceOftenOrUntilCleared(t *testing.T) {
	for _, tt := range []struct {
		nth, times int64
		want       string
	}{
		{0, 0, "x....."}, {3, 0, "..x..."}, {2, 2, ".xx..."}, {4, Forever, "...xxx"}, {1, Forever, "xxxxxx"},
	} {
		f := NewFaults(vfs.NewMem())
		file, err := f.Create("f")
		must(t, err)
		f.Inject(Fault{Match: OnName("f", Write), Nth: tt.nth, Times: tt.times})
		got := ""
		for range len(tt.want) {
			must(t, file.Sync()) // does not match
			if _, err := file.Write([]byte("x")); errors.Is(err, ErrInjected) && errors.Is(err, syscall.EIO) {
				got += "x"
			} else {
				must(t, err)
				got += "."
			}
		}
		if got != tt.want {
			t.Errorf("nth %d, times %d: %s, want %s", tt.nth, tt.times, got, tt.want)
		}
		f.Clear()
		write(t, file, "x")
	}
}

func TestFaultyWriteIsNotDoneOrHalfOrWhole(t *testing.T) {
	for effect, want := range map[Effect]string{NotDone: "a|", Half: "a|bc", Done: "a|bcde"} {
		f := NewFaults(vfs.NewMem())
		file, err := f.Create("f")
		must(t, err)
		write(t, file, "a|")
		f.Inject(Fault{Match: On(Write), Effect: effect})
		n, err := file.Write([]byte("bcde"))
		if !errors.Is(err, ErrInjected) || n != len(want)-2 {
			t.Errorf("effect %d: %d, %v", effect, n, err)
		}
		expect(t, f, "f", want)
		write(t, file, "!")
		expect(t, f, "f", want+"!")
	}
}

func TestFaultyReadIsDamagedOrShortButNeverTheEnd(t *testing.T) {
	f := NewFaults(vfs.NewMem())
	put(t, f, "f", "01234567")
	file, err := f.Open("f")
	must(t, err)
	p := make([]byte, 8)
	f.Inject(Fault{Match: On(Read), Effect: Damaged})
	if n, err := file.ReadAt(p, 0); n != 8 || err != nil || string(p) != "0123<567" {
		t.Errorf("one bit: %q, %v", p[:n], err)
	}
	f.Inject(Fault{Match: On(Read), Effect: Damaged, Damage: func(p []byte) { p[0] = 'X' }})
	if n, err := file.ReadAt(p, 0); n != 8 || err != nil || string(p) != "X1234567" {
		t.Errorf("own damage: %q, %v", p[:n], err)
	}
	for _, effect := range []Effect{NotDone, Half, Done} {
		f.Inject(Fault{Match: On(Read), Effect: effect})
		n, err := file.ReadAt(make([]byte, 20), 0)
		if !errors.Is(err, ErrInjected) || errors.Is(err, io.EOF) {
			t.Errorf("effect %d: %d, %v", effect, n, err)
		}
	}
	if n, err := file.ReadAt(p, 0); n != 8 || err != nil || string(p) != "01234567" {
		t.Errorf("afterwards: %q, %v", p[:n], err)
	}
}

func TestFailedSyncKeepsForgetsOrRevertsTheBytes(t *testing.T) {
	for _, tt := range []struct {
		name      string
		effect    Effect
		seen      string // by the program, after the failed sync
		synced    string // durable after a second sync that succeeds
		lastWrite string // durable after one more write and sync
	}{
		{"kept", NotDone, "old+new", "old+new", "old+new!"},
		{"done", Done, "old+new", "old+new", "old+new!"},
		{"forgotten", Forgotten, "old+new", "old", "old\x00\x00\x00\x00!"},
		{"reverted", Reverted, "old\x00\x00\x00\x00", "old\x00\x00\x00\x00", "old\x00\x00\x00\x00!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDisk(1)
			f := NewFaults(d)
			file, err := f.Create("f")
			must(t, err)
			write(t, file, "old")
			must(t, file.Sync())
			must(t, f.SyncDir("."))
			write(t, file, "+new")
			f.Inject(Fault{Match: On(Sync), Effect: tt.effect})
			if err := file.Sync(); !errors.Is(err, ErrInjected) {
				t.Fatalf("%v", err)
			}
			expect(t, f, "f", tt.seen)
			must(t, file.Sync())
			expect(t, d.Image(P1, nil), "f", tt.synced)
			write(t, file, "!")
			must(t, file.Sync())
			expect(t, d.Image(P1, nil), "f", tt.lastWrite)
		})
	}
}

// The process sees what it wrote whatever the disk forgot, and what it synced
// after that is durable.
func TestForgottenBytesAreSeenButNeverUndoWhatIsSyncedLater(t *testing.T) {
	first := seed.New(t)
	rng := rand.New(rand.NewPCG(first, 0))
	for range 200 {
		d := NewDisk(1)
		f := NewFaults(d)
		file, err := f.Create("f")
		must(t, err)
		must(t, f.SyncDir("."))
		trusted, pos := []byte{}, 0 // bytes that are surely durable at the next sync, 0 where not
		for i := range 30 {
			switch rng.IntN(5) {
			case 0:
				f.Inject(Fault{Match: On(Sync), Effect: Forgotten})
				if err := file.Sync(); !errors.Is(err, ErrInjected) {
					t.Fatal(err)
				}
				clear(trusted)
			case 1:
				size := rng.IntN(pos + 3)
				must(t, file.Truncate(int64(size)))
				trusted = resized(trusted, int64(size))
				pos = min(pos, size)
			default:
				p := strings.Repeat(string(rune('a'+i%26)), 1+rng.IntN(5))
				write(t, file, p)
				trusted = written(trusted, int64(pos), []byte(p))
				pos += len(p)
			}
			if d.Hash() != d.Image(P0, nil).Hash() || draw(t, d) != draw(t, d.Image(P0, nil)) {
				t.Fatalf("seed %d: seen %s, after a kill %s", first, draw(t, d), draw(t, d.Image(P0, nil)))
			}
		}
		must(t, file.Sync())
		for _, p := range []Profile{P1, P3, P4, P5} {
			content, err := read(d.Image(p, rng), "f")
			must(t, err)
			for i, want := range trusted {
				if want != 0 && (i >= len(content) || content[i] != want) {
					t.Fatalf("seed %d: %v: %q, synced %q", first, p, content, trusted)
				}
			}
		}
	}
}

func TestDiskAndFaultsAreSafeForConcurrentUse(t *testing.T) {
	d := NewDisk(1)
	f := NewFaults(d)
	f.Inject(Fault{Match: On(Sync), Nth: 50, Times: 5, Effect: Forgotten})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				file, err := f.Create(fmt.Sprintf("%d-%d", g, i))
				if err != nil {
					t.Error(err)
					return
				}
				file.Write([]byte("hello"))
				file.Sync()
				file.ReadAt(make([]byte, 5), 0)
				f.SyncDir(".")
				f.List(".")
				f.Rename(fmt.Sprintf("%d-%d", g, i), "x")
				file.Close()
			}
		})
	}
	for range 20 {
		d.Image(P1, nil).Hash()
	}
	wg.Wait()
	if open := append(f.OpenFiles(), d.OpenFiles()...); len(open) > 0 {
		t.Error(open)
	}
}
