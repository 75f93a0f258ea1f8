package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/seed"
)

// memFile is a sink in memory that records what is done to it.
type memFile struct {
	data   []byte
	synced int // bytes the last Sync covered
	writes int
	syncs  int

	failWrite int // the write with this number fails, after half its bytes
	failSync  int
}

var errInjected = errors.New("injected fault")

func (f *memFile) Write(p []byte) (int, error) {
	f.writes++
	if f.writes == f.failWrite {
		f.data = append(f.data, p[:len(p)/2]...)
		return len(p) / 2, errInjected
	}
	f.data = append(f.data, p...)
	return len(p), nil
}

func (f *memFile) Sync() error {
	f.syncs++
	if f.syncs == f.failSync {
		return errInjected
	}
	f.synced = len(f.data)
	return nil
}

var testHeader = Header{Number: 12, DBID: 0xD0D0, LogID: 0x1122334455667788, LastSeq: 40, Clock: 1000}

// step is one thing a test does to a log: a payload to append, or one of the
// words below.
type step string

const (
	doSync   step = "sync"
	doFinish step = "finish"
)

// build makes a log of testHeader. ends holds the offset behind the header and
// behind each frame.
func build(t testing.TB, steps ...step) (data []byte, ends []int64) {
	t.Helper()
	f := &memFile{}
	w := NewWriter(f, testHeader)
	must(t, w.Start())
	ends = append(ends, w.Offset())
	for _, s := range steps {
		switch s {
		case doSync:
			must(t, w.Sync())
			continue
		case doFinish:
			must(t, w.Finish(2000))
		default:
			must(t, w.Append(Frame{First: w.LastSeq() + 1, Count: 2, Clock: 1500}, []byte(s)))
		}
		ends = append(ends, w.Offset())
	}
	return f.data, ends
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// replay reads a whole log and says in one line what it found: the payloads'
// lengths, or the payloads where they are short, and how it ended.
func replay(data []byte) (line string, r *Reader, err error) {
	r, err = Open(bytes.NewReader(data), int64(len(data)), "000012.wal")
	if err != nil {
		return "", nil, err
	}
	for {
		_, payload, err := r.Next()
		if err != nil {
			return line, r, err
		}
		if len(payload) > 16 {
			line += fmt.Sprintf("%d ", len(payload))
		} else {
			line += string(payload) + " "
		}
	}
}

// verdict names the class of an error that ends a replay.
func verdict(err error) string {
	var torn *TornError
	var bad *base.CorruptionError
	switch {
	case errors.Is(err, io.EOF):
		return "end"
	case errors.As(err, &torn):
		return fmt.Sprintf("torn at %d", torn.Offset)
	case errors.As(err, &bad):
		return fmt.Sprintf("corrupt at %d", bad.Offset)
	case errors.Is(err, ErrNoHeader):
		return "no header"
	}
	return fmt.Sprintf("error: %v", err)
}

func TestFramesComeBackAsTheyWereAppended(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed.New(t), 1))
	for range 20 {
		f := &memFile{}
		w := NewWriter(f, testHeader)
		must(t, w.Start())
		var frames []Frame
		var payloads [][]byte
		for range 1 + rng.IntN(12) {
			fr := Frame{
				First: w.LastSeq() + 1 + base.SeqNum(rng.IntN(3)), Count: 1 + rng.Uint32N(1000),
				Clock: rng.Int64(), Offset: w.Offset(),
			}
			pieces := make([][]byte, rng.IntN(4))
			for i := range pieces {
				pieces[i] = make([]byte, []int{0, 1, 7, 100, joinLimit - FrameHeaderSize, joinLimit, 300 << 10}[rng.IntN(7)])
				for j := range pieces[i] {
					pieces[i][j] = byte(rng.Uint32())
				}
			}
			must(t, w.Append(fr, pieces...))
			if rng.IntN(2) == 0 {
				must(t, w.Sync())
			}
			frames = append(frames, fr)
			payloads = append(payloads, bytes.Join(pieces, nil))
		}
		must(t, w.Finish(9))
		r, err := Open(bytes.NewReader(f.data), int64(len(f.data)), "log")
		must(t, err)
		if r.Header() != testHeader {
			t.Fatalf("header %+v, want %+v", r.Header(), testHeader)
		}
		for i, want := range frames {
			got, payload, err := r.Next()
			must(t, err)
			if got != want || !bytes.Equal(payload, payloads[i]) {
				t.Fatalf("frame %d: got %+v and %d bytes, want %+v and %d bytes", i, got, len(payload), want, len(payloads[i]))
			}
		}
		if _, _, err := r.Next(); err != io.EOF || !r.Complete() || r.End() != w.Offset() || r.LastSeq() != w.LastSeq() {
			t.Fatalf("end: %v, complete %v at %d, sequence %d", err, r.Complete(), r.End(), r.LastSeq())
		}
	}
}

func TestFrameSizeIsWhatAppendTakes(t *testing.T) {
	data, ends := build(t, "abc", doFinish)
	if got := ends[1] - ends[0]; got != FrameSize(3) {
		t.Errorf("frame takes %d bytes, FrameSize says %d", got, FrameSize(3))
	}
	if got := int64(len(data)) - ends[1]; got != FrameSize(0) {
		t.Errorf("trailer takes %d bytes, FrameSize says %d", got, FrameSize(0))
	}
}
