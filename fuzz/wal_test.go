package fuzz

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/wal"
)

// sink gathers what a writer writes.
type sink struct{ bytes.Buffer }

func (*sink) Sync() error { return nil }

var logHeader = wal.Header{Number: 12, DBID: 7, LogID: 0x1122334455667788, LastSeq: 40, Clock: 1000}

// writeLog writes a log with the given payloads, synced after every second one.
func writeLog(t testing.TB, payloads ...[]byte) []byte {
	var s sink
	w := wal.NewWriter(&s, logHeader)
	err := w.Start()
	for i, p := range payloads {
		err = errors.Join(err, w.Append(wal.Frame{First: w.LastSeq() + 1, Count: 3, Clock: int64(i)}, p))
		if i%2 == 1 {
			err = errors.Join(err, w.Sync())
		}
	}
	if err = errors.Join(err, w.Finish(99)); err != nil {
		t.Fatal(err)
	}
	return s.Bytes()
}

// FuzzLog reads any bytes as a log: whatever they are, reading ends, with frames
// that lie inside the file and follow one another, and an error of a known kind.
func FuzzLog(f *testing.F) {
	log := writeLog(f, []byte("one"), []byte("two"), bytes.Repeat([]byte("x"), 300), nil)
	f.Add(log)
	f.Add(log[:len(log)-70])
	f.Add(log[:wal.HeaderSize])
	f.Add(append(bytes.Clone(log[:200]), make([]byte, 300)...))
	f.Add(append(make([]byte, wal.HeaderSize), log[wal.HeaderSize:]...))
	f.Add(make([]byte, 600))
	f.Fuzz(func(t *testing.T, data []byte) {
		size := int64(len(data))
		r, err := wal.Open(bytes.NewReader(data), size, "000012.wal")
		if err != nil {
			if !errors.Is(err, wal.ErrNoHeader) && !errors.Is(err, base.ErrCorruption) && !errors.Is(err, base.ErrFormatTooNew) {
				t.Fatalf("open: %v", err)
			}
			return
		}
		last, end := r.Header().LastSeq, int64(wal.HeaderSize)
		for {
			frame, payload, err := r.Next()
			if err != nil {
				checkLogEnd(t, r, err, size)
				return
			}
			if frame.First <= last || frame.Last() < frame.First || frame.Offset != end {
				t.Fatalf("frame %+v follows sequence %d at %d", frame, last, end)
			}
			last, end = frame.Last(), end+wal.FrameSize(int64(len(payload)))
			if end > size || r.End() != end || r.LastSeq() != last {
				t.Fatalf("frame %+v: end %d of %d, reader says %d, %d", frame, end, size, r.End(), r.LastSeq())
			}
		}
	})
}

func checkLogEnd(t *testing.T, r *wal.Reader, err error, size int64) {
	var torn *wal.TornError
	switch {
	case errors.As(err, &torn):
		if torn.Offset != r.End() || torn.Bytes <= 0 || torn.Bytes > size-torn.Offset {
			t.Fatalf("%v, the file has %d bytes", torn, size)
		}
	case err != io.EOF && !errors.Is(err, base.ErrCorruption):
		t.Fatalf("next: %v", err)
	}
	if _, _, again := r.Next(); again != err {
		t.Fatalf("%v, then %v", err, again)
	}
}

// FuzzLogDamage damages a written log in one place, and in a second one if that
// differs: nothing that was never written may come out.
func FuzzLogDamage(f *testing.F) {
	f.Add([]byte("one"), []byte("two"), uint16(0), byte(1), uint16(0), byte(0))
	f.Add([]byte("one"), []byte("two"), uint16(150), byte(0xFF), uint16(300), byte(9))
	f.Add([]byte{}, bytes.Repeat([]byte{0}, 700), uint16(200), byte(0x80), uint16(900), byte(1))
	f.Fuzz(func(t *testing.T, a, b []byte, at uint16, mask byte, at2 uint16, mask2 byte) {
		payloads := [][]byte{a, b, []byte("three"), []byte("four")}
		data := writeLog(t, payloads...)
		data[int(at)%len(data)] ^= mask
		data[int(at2)%len(data)] ^= mask2
		r, err := wal.Open(bytes.NewReader(data), int64(len(data)), "000012.wal")
		if err != nil {
			if !errors.Is(err, base.ErrCorruption) {
				t.Fatalf("frames stand behind the header, and yet: %v", err)
			}
			return
		}
		for i := 0; ; i++ {
			_, payload, err := r.Next()
			if err != nil {
				checkLogEnd(t, r, err, int64(len(data)))
				return
			}
			if i >= len(payloads) || !bytes.Equal(payload, payloads[i]) {
				t.Fatalf("frame %d is %q", i, payload)
			}
		}
	})
}
