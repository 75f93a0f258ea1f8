package main

import "time"

const (
	restTick   = 100 * time.Millisecond
	restQuiet  = 5         // ticks in a row
	restBytes  = 128 << 10 // written in a quiet tick, at most
	usualRest  = 1200      // ticks that settle waits at most: two minutes
	longerRest = 18_000    // that the end of a sustained fill is waited for at most: half an hour
)

// settle waits until the engine's background work has come to rest.
func (b *bed) settle() { b.rest(usualRest) }

// rest waits until the engine's background work has come to rest, seen from outside: the
// process uses less than a twentieth of a core and hardly writes. It returns when that
// began, or after so many ticks what those took.
func (b *bed) rest(ticks int) time.Duration {
	if b.hasty {
		return 0
	}
	start := time.Now()
	cpu := cpuTime()
	io, _ := written() // fails for no process
	var busy time.Duration
	untilQuiet(ticks, func() bool {
		time.Sleep(restTick)
		cpuNow := cpuTime()
		ioNow, _ := written()
		quiet := cpuNow-cpu < restTick/20 && ioNow-io < restBytes
		if cpu, io = cpuNow, ioNow; !quiet {
			busy = time.Since(start)
		}
		return quiet
	})
	return busy
}

// untilQuiet calls tick until it was quiet restQuiet times in a row, or so many times.
func untilQuiet(ticks int, tick func() (quiet bool)) {
	for quiet := 0; quiet < restQuiet && ticks > 0; ticks-- {
		if quiet++; !tick() {
			quiet = 0
		}
	}
}
