package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/siltstonedb/siltstone"
)

// tooMany is the refusal of a request over the limit.
type tooMany struct{ wait time.Duration }

func (e tooMany) Error() string { return "too many requests" }

// limited lets requests through to h as far as the client's limit allows.
func (s *service) limited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.admit(r.Context(), client(r))
		var no tooMany
		switch {
		case errors.As(err, &no):
			w.Header().Set("Retry-After", strconv.FormatInt(seconds(no.wait), 10))
			fail(w, r, refusal{http.StatusTooManyRequests, no.Error()})
		case err != nil:
			fail(w, r, err)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// admit counts a request of the client, or returns tooMany. A window begins with
// the first request and is the time to live of a counter:
//
//	limits · 192.0.2.7  string "17", 8.4 s
//
// No timer, no sweep: a window that is over has no counter, and its space comes
// back by itself. Counting and setting the time to live are one transaction, so
// no crash leaves a counter that never ends, and no two requests are the last
// one admitted. To be over the limit is an error, which rolls the count back: a
// client that keeps asking does not cause a write.
//
// The level is BufferedDurability: if a crash forgets the last moments, somebody may ask a
// few times more. That is not worth a wait for the disk in every request.
func (s *service) admit(ctx context.Context, client string) error {
	return s.db.Update(ctx, func(tx *siltstone.Tx) error {
		tx.SetDurability(siltstone.BufferedDurability)
		counter := tx.In(s.limits).String(client)
		n, err := counter.Incr(1) // keeps the time to live
		switch {
		case err != nil:
			return err
		case n == 1:
			return counter.Expire(s.settings.window)
		case n > s.settings.requests:
			wait, err := counter.TTL()
			if err != nil {
				return err
			}
			return tooMany{wait}
		}
		return nil
	})
}

// client tells clients apart by their address. Behind a proxy that is the
// proxy's, and a header of its own has the client's.
func client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	return host
}
