package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAClientOverTheLimitIsToldWhenToComeBack(t *testing.T) {
	s, clock := inMemory(t, settings{idle: time.Hour, requests: 3, window: 10 * time.Second})
	v := &visitor{t: t, h: s.handler(), addr: "192.0.2.1"}
	other := &visitor{t: t, h: s.handler(), addr: "192.0.2.2"}
	for range 3 {
		v.want("GET", "/leaderboard", "", 200, `{"players":0,"top":[]}`)
		clock.advance(time.Second)
	}
	clock.advance(500 * time.Millisecond)
	var h http.Header
	status, body := v.askHeader("GET", "/leaderboard", "", &h)
	if status != 429 || body != `{"error":"too many requests"}` || h.Get("Retry-After") != "7" {
		t.Errorf("%d %s, Retry-After %q", status, body, h.Get("Retry-After"))
	}
	other.want("GET", "/leaderboard", "", 200, `{"players":0,"top":[]}`)
	clock.advance(7 * time.Second)
	v.want("GET", "/leaderboard", "", 200, `{"players":0,"top":[]}`)
}

// TestExactlyTheLimitIsAdmitted lets many ask at the same time, while time
// stands still, in window after window.
func TestExactlyTheLimitIsAdmitted(t *testing.T) {
	const limit, askers, each = 50, 8, 20
	s, clock := inMemory(t, settings{idle: time.Hour, requests: limit, window: time.Second})
	h := s.handler()
	for window := range 3 {
		var admitted, refused atomic.Int64
		var all sync.WaitGroup
		for range askers {
			all.Go(func() {
				v := &visitor{t: t, h: h, addr: "192.0.2.1"}
				for range each {
					switch status, body := v.ask("GET", "/leaderboard", ""); status {
					case 200:
						admitted.Add(1)
					case 429:
						refused.Add(1)
					default:
						t.Errorf("%d %s", status, body)
					}
				}
			})
		}
		all.Wait()
		if admitted.Load() != limit || refused.Load() != askers*each-limit {
			t.Errorf("window %d: %d admitted, %d refused", window, admitted.Load(), refused.Load())
		}
		clock.advance(time.Second)
	}
}

func TestARefusedRequestWritesNothing(t *testing.T) {
	s, _ := inMemory(t, settings{idle: time.Hour, requests: 1, window: time.Minute})
	v := &visitor{t: t, h: s.handler(), addr: "192.0.2.1"}
	v.ask("GET", "/leaderboard", "")
	before := s.db.Metrics().Commits.Operations
	for range 20 {
		if status, _ := v.ask("POST", "/login", "user=ada"); status != 429 {
			t.Fatalf("admitted: %d", status)
		}
	}
	if after := s.db.Metrics().Commits.Operations; after != before {
		t.Errorf("%d operations", after-before)
	}
}
