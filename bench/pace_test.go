package main

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// handClock stands still but for what a test adds, and for sleeping.
type handClock struct {
	at     time.Duration
	beyond time.Duration // how much too long it sleeps
}

func (c *handClock) now() time.Duration { return c.at }

func (c *handClock) sleep(until time.Duration) { c.at = max(c.at, until) + c.beyond }

func TestLatenciesCountFromWhenAnOperationWasDue(t *testing.T) {
	// One is due every 10 ms; the second takes 35, the others 1.
	c := &handClock{}
	p := pace{rate: 100, limit: 60 * time.Millisecond, clock: c}
	var begun []time.Duration
	out, err := p.run(func(i int64) error {
		begun = append(begun, c.at)
		if c.at += time.Millisecond; i == 1 {
			c.at += 34 * time.Millisecond
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{0, 10, 45, 46, 47, 50} { // due at 0, 10, 20, 30, 40, 50
		if begun[i] != want*time.Millisecond {
			t.Errorf("operation %d began at %v, want %d ms", i, begun[i], want)
		}
	}
	if out.ops != 6 || out.missed != 0 || out.timing.total != 6 {
		t.Errorf("%d done, %d missed, %d timed", out.ops, out.missed, out.timing.total)
	}
	if out.timing.max != 35*time.Millisecond || out.late.max != 25*time.Millisecond {
		t.Errorf("took %v at most, began %v late at most", out.timing.max, out.late.max)
	}
	// From their due times they took 1, 35, 26, 17, 8 and 1 ms.
	if p50 := out.timing.quantile(0.5); p50 < 16*time.Millisecond || p50 > 18*time.Millisecond {
		t.Errorf("the middle one took %v, want about 17 ms", p50)
	}
}

func TestAnOperationThatWasNeverBegunCountsWithItsWait(t *testing.T) {
	c := &handClock{}
	p := pace{rate: 100, limit: 50 * time.Millisecond, clock: c}
	out, err := p.run(func(i int64) error {
		c.at += 70 * time.Millisecond
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Ended at 70 ms: those due at 10, 20, ..., 60 have waited for 60, 50, ..., 10.
	if out.ops != 1 || out.missed != 6 || out.timing.total != 7 || out.late.max != 60*time.Millisecond {
		t.Errorf("%d done, %d missed, %d timed, the latest waited %v", out.ops, out.missed, out.timing.total, out.late.max)
	}
}

func TestTheWakingIsPartOfTheLatency(t *testing.T) {
	c := &handClock{beyond: 3 * time.Millisecond}
	p := pace{rate: 100, first: 5 * time.Millisecond, limit: 30 * time.Millisecond, clock: c}
	out, err := p.run(func(int64) error { return nil })
	if err != nil || out.ops != 3 || out.late.quantile(0) < 2900*time.Microsecond || out.timing.max != 3*time.Millisecond {
		t.Errorf("%v: %d done, late by %v to %v", err, out.ops, out.late.quantile(0), out.late.max)
	}
}

func TestAPaceEndsWhenItIsStoppedAndWithTheFirstError(t *testing.T) {
	var stop atomic.Bool
	p := pace{rate: 100, clock: &handClock{}, stop: &stop}
	out, err := p.run(func(i int64) error {
		stop.Store(i == 4)
		return nil
	})
	if err != nil || out.ops != 5 || out.missed != 0 {
		t.Errorf("%v, %+v", err, out.ops)
	}
	stop.Store(false)
	broken := errors.New("broken")
	if _, err := p.run(func(int64) error { return broken }); err != broken {
		t.Errorf("got %v", err)
	}
}

func TestTheSystemClockDoesNotWakeEarly(t *testing.T) {
	defer punctual()()
	c := systemClock{start: time.Now()}
	for i := range 20 {
		until := time.Duration(i) * 200 * time.Microsecond
		if c.sleep(until); c.now() < until {
			t.Fatalf("woken at %v, wanted %v", c.now(), until)
		}
	}
}
