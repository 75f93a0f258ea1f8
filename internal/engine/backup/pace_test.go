package backup

import (
	"bytes"
	"context"
	"testing"
	"time"
)

func TestAPacedWriterWritesNoFasterThanItsRate(t *testing.T) {
	begin := time.Unix(0, 0)
	now := begin
	var written bytes.Buffer
	slow := false
	w := writerFunc(func(p []byte) (int, error) {
		if slow {
			now = now.Add(time.Minute) // what is saved up meanwhile is bounded
		}
		return written.Write(p)
	})
	p := newPace(context.Background(), w, 100_000)
	p.now = func() time.Time { return now }
	p.sleep = func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil }
	check := func(n int) {
		t.Helper()
		from, before := now, written.Len()
		if _, err := p.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		took := now.Sub(from)
		if most := 100_000*(took+burst+100*time.Millisecond).Seconds() + leastPiece; float64(written.Len()-before) > most {
			t.Errorf("%d bytes in %v, at most %v", written.Len()-before, took, most)
		}
		if least := time.Duration(float64(n)/100_000*float64(time.Second)) + burst; took > least && !slow {
			t.Errorf("%d bytes took %v", n, took)
		}
	}
	for range 20 {
		check(50_000)
	}
	slow = true
	check(5000)
	slow = false
	check(50_000)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := newPace(ctx, w, 0).Write([]byte("x")); n != 0 || err != context.Canceled {
		t.Errorf("behind the end of the context: %d, %v", n, err)
	}
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
