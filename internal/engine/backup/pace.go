package backup

import (
	"context"
	"io"
	"time"
)

// pace is a writer that writes at most so many bytes in a second, and ends with its
// context.
type pace struct {
	ctx   context.Context
	w     io.Writer
	rate  int64     // 0: no bound
	free  time.Time // when what was written so far is paid for
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

const (
	leastPiece = 4 << 10
	// burst is what may be written at once after w was slow for a while, in time at the rate.
	burst = 100 * time.Millisecond
)

func newPace(ctx context.Context, w io.Writer, rate int64) *pace {
	return &pace{ctx: ctx, w: w, rate: rate, now: time.Now, sleep: sleep}
}

// Write writes p in pieces of a twentieth of a second or so.
func (p *pace) Write(b []byte) (int, error) {
	piece := len(b)
	if p.rate > 0 {
		piece = int(min(int64(piece), max(p.rate/20, leastPiece)))
	}
	n := 0
	for n < len(b) {
		part := b[n:min(len(b), n+piece)]
		if err := p.wait(len(part)); err != nil {
			return n, err
		}
		m, err := p.w.Write(part)
		n += m
		if err == nil && m < len(part) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// wait returns when n bytes may be written.
func (p *pace) wait(n int) error {
	if err := p.ctx.Err(); err != nil || p.rate <= 0 {
		return err
	}
	now := p.now()
	if earliest := now.Add(-burst); p.free.Before(earliest) {
		p.free = earliest
	}
	d := p.free.Sub(now)
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	if d <= 0 {
		return nil
	}
	return p.sleep(p.ctx, d)
}

// sleep waits for d, or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
