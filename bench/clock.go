package main

import (
	"runtime"
	"syscall"
	"time"
)

// clock tells the time of a row: what has passed since it began.
type clock interface {
	now() time.Duration
	// sleep returns once the time has come.
	sleep(until time.Duration)
}

// systemClock is the machine's. Each goroutine that sleeps by it is bound to a thread of
// its own and has the kernel wake it: the timers of the runtime are late by up to a
// millisecond, which would be counted against the engine.
type systemClock struct{ start time.Time }

func (c systemClock) now() time.Duration { return time.Since(c.start) }

func (c systemClock) sleep(until time.Duration) {
	for left := until - c.now(); left > 0; left = until - c.now() {
		pause := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&pause, nil) // a signal ends it early: then it sleeps again
	}
}

// room lets the runtime run so many goroutines more at once, for those that sleep by a
// systemClock: one asleep in the kernel keeps the place of another that could run, and one
// that wakes would wait for a place until another is preempted, ten milliseconds later. So
// the kernel shares out the cores, which lets who wakes run first. It returns what takes
// the room back.
func room(n int) (done func()) {
	usual := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(usual + n)
	return func() { runtime.GOMAXPROCS(usual) }
}

const setTimerSlack = 29 // PR_SET_TIMERSLACK of prctl

// punctual binds this goroutine to its thread and asks the kernel to wake that on time,
// where it would otherwise be up to 50 µs late. It returns what unbinds it.
func punctual() (done func()) {
	runtime.LockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0) // later by the slack if refused
	return func() {
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 0, 0) // the usual one again
		runtime.UnlockOSThread()
	}
}
