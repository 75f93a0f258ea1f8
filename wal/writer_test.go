package wal

import (
	"errors"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
)

func TestNothingIsWrittenBeforeStart(t *testing.T) {
	f := &memFile{}
	w := NewWriter(f, testHeader)
	if err := w.Append(Frame{First: 41, Count: 1}, nil); err == nil {
		t.Error("append before start: no error")
	}
	if f.writes != 0 || f.syncs != 0 {
		t.Errorf("%d writes, %d syncs before start", f.writes, f.syncs)
	}
}

func TestHeaderIsDurableBeforeAnyFrame(t *testing.T) {
	f := &memFile{}
	w := NewWriter(f, testHeader)
	must(t, w.Start())
	if f.synced != HeaderSize || w.Synced() != HeaderSize {
		t.Fatalf("after Start %d bytes are synced, Synced says %d", f.synced, w.Synced())
	}
}

func TestGroupIsOneWrite(t *testing.T) {
	f := &memFile{}
	w := NewWriter(f, testHeader)
	must(t, w.Start())
	for _, c := range []struct {
		name   string
		pieces [][]byte
		writes int
	}{
		{"empty", nil, 1},
		{"small", [][]byte{make([]byte, 100)}, 1},
		{"three small", [][]byte{make([]byte, 100), make([]byte, 5), make([]byte, 9)}, 1},
		{"just fits", [][]byte{make([]byte, joinLimit-FrameHeaderSize)}, 1},
		{"large", [][]byte{make([]byte, joinLimit)}, 2},
		{"small, large, small", [][]byte{make([]byte, 10), make([]byte, 1<<20), make([]byte, 10)}, 3},
	} {
		before := f.writes
		must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, c.pieces...))
		if got := f.writes - before; got != c.writes {
			t.Errorf("%s: %d writes, want %d", c.name, got, c.writes)
		}
	}
}

func TestSyncWithNothingNewDoesNothing(t *testing.T) {
	f := &memFile{}
	w := NewWriter(f, testHeader)
	must(t, w.Start())
	must(t, w.Append(Frame{First: 41, Count: 1}, []byte("x")))
	must(t, w.Sync())
	must(t, w.Sync())
	if f.syncs != 2 {
		t.Errorf("%d syncs, want 2: the header's and the frame's", f.syncs)
	}
}

func TestAfterAFailureNothingIsWrittenOrSynced(t *testing.T) {
	for _, c := range []struct {
		name                string
		failWrite, failSync int
	}{
		{"header write", 1, 0}, {"header sync", 0, 1}, {"frame write", 2, 0},
		{"frame sync", 0, 2}, {"trailer write", 4, 0}, {"trailer sync", 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &memFile{failWrite: c.failWrite, failSync: c.failSync}
			w := NewWriter(f, testHeader)
			calls := []func() error{
				w.Start,
				func() error { return w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, []byte("some payload")) },
				w.Sync,
				func() error { return w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, []byte("more")) },
				func() error { return w.Finish(1) },
				w.Sync,
			}
			var first error
			var writes, syncs int
			for i, call := range calls {
				err := call()
				switch {
				case first == nil && err != nil:
					first, writes, syncs = err, f.writes, f.syncs
				case first != nil && err != first:
					t.Errorf("call %d: %v, want the first error", i, err)
				}
			}
			if !errors.Is(first, errInjected) || w.Err() != first {
				t.Fatalf("first error is %v, Err says %v", first, w.Err())
			}
			if f.writes != writes || f.syncs != syncs {
				t.Errorf("touched after the failure: %d writes and %d syncs more", f.writes-writes, f.syncs-syncs)
			}
			if _, ok := w.Successor(); ok {
				t.Error("a failed log names its end to a successor")
			}
		})
	}
}

func TestMisuseIsRefused(t *testing.T) {
	start := func() *Writer {
		w := NewWriter(&memFile{}, testHeader)
		must(t, w.Start())
		return w
	}
	for name, call := range map[string]func() error{
		"no changes":         func() error { return start().Append(Frame{First: 41}) },
		"sequence falls":     func() error { return start().Append(Frame{First: 40, Count: 1}) },
		"sequence overflows": func() error { return start().Append(Frame{First: base.SeqMax, Count: 2}) },
		"behind the trailer": func() error { w := start(); must(t, w.Finish(1)); return w.Append(Frame{First: 41, Count: 1}) },
		"two trailers":       func() error { w := start(); must(t, w.Finish(1)); return w.Finish(1) },
		"no log id":          func() error { return NewWriter(&memFile{}, Header{Number: 1}).Start() },
		"no number":          func() error { return NewWriter(&memFile{}, Header{LogID: 1}).Start() },
		"half a predecessor": func() error {
			return NewWriter(&memFile{}, Header{Number: 2, LogID: 1, Prev: Predecessor{Number: 1}}).Start()
		},
		"trailer, no start": func() error { return NewWriter(&memFile{}, testHeader).Finish(1) },
		"predecessor is self": func() error {
			return NewWriter(&memFile{}, Header{Number: 1, LogID: 1, Prev: Predecessor{Number: 1, LogID: 2, End: 999}}).Start()
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSuccessorIsKnownOnlyOnceTheTrailerIsDurable(t *testing.T) {
	w := NewWriter(&memFile{}, testHeader)
	must(t, w.Start())
	must(t, w.Append(Frame{First: 50, Count: 3}, []byte("x")))
	must(t, w.Finish(1))
	if _, ok := w.Successor(); ok {
		t.Error("known before the trailer was synced")
	}
	must(t, w.Sync())
	p, ok := w.Successor()
	want := Predecessor{Number: 12, LogID: testHeader.LogID, End: w.Offset(), LastSeq: 52}
	if !ok || p != want {
		t.Errorf("got %+v, %v, want %+v", p, ok, want)
	}
}

// discard is a sink that takes everything.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Sync() error                 { return nil }

func TestAppendAllocatesNothing(t *testing.T) {
	w := NewWriter(discard{}, testHeader)
	must(t, w.Start())
	small, large := make([]byte, 200), make([]byte, 100<<10)
	n := testing.AllocsPerRun(200, func() {
		_ = w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, small)
		_ = w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, small, large, small)
		_ = w.Sync()
	})
	if n != 0 || w.Err() != nil {
		t.Errorf("%v allocations, error %v", n, w.Err())
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"100B", 100}, {"4KiB", 4 << 10}, {"64KiB", 64 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			w := NewWriter(discard{}, testHeader)
			must(b, w.Start())
			p := make([]byte, c.size)
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Append(Frame{First: w.LastSeq() + 1, Count: 1}, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
