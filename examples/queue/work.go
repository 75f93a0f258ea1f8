package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// work takes jobs and does them, one after the other, until the context ends. A service has
// as many goroutines that work as it wants to do jobs at once.
func (q *queue) work(ctx context.Context, do func(context.Context, job) error, log *slog.Logger) {
	for ctx.Err() == nil {
		j, wait, err := q.take(ctx)
		switch {
		case err == nil:
			q.wake() // there may be more: for another worker
			q.run(ctx, j, do, log)
		case errors.Is(err, errNone):
			q.sleep(ctx, wait)
		case ctx.Err() == nil:
			log.Error("a job could not be taken", "err", err)
			q.sleep(ctx, time.Second)
		}
	}
}

// sleep waits until a job was added or the time is over.
func (q *queue) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-q.added:
	case <-timer.C:
	}
}

// run does a job within its lease and notes how that went.
func (q *queue) run(ctx context.Context, j job, do func(context.Context, job) error, log *slog.Logger) {
	limited, cancel := context.WithTimeout(ctx, q.settings.lease)
	err := do(limited, j)
	cancel()
	if ctx.Err() != nil {
		return // broken off: it is neither done nor failed
	}
	if err == nil {
		err = q.done(ctx, j)
	} else {
		log.Warn("a job failed", "id", j.ID, "attempt", j.Attempts, "err", err)
		err = q.failed(ctx, j, err)
	}
	if err != nil {
		log.Error("a job's end was not noted", "id", j.ID, "err", err)
	}
}

// deliver sends the request that a job stands for.
func deliver(ctx context.Context, j job) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, j.URL, strings.NewReader(j.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Job-Id", j.ID)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 64<<10); err != nil && err != io.EOF {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver says %s", answer.Status)
	}
	return nil
}
