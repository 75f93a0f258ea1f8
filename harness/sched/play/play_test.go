package play

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/harness/sched/point"
)

var (
	scenarioName = flag.String("scenario", "", "the one that is played")
	firstSeed    = flag.Uint64("first", 1, "seed of the first schedule")
	schedules    = flag.Uint64("schedules", 1, "how many seeds")
	forTime      = flag.Duration("for", 0, "how long, instead of a number of schedules")
	list         = flag.Bool("list", false, "print the names of the scenarios and end")
	playTwice    = flag.Bool("twice", false, "play each seed twice, and compare the traces")
	traceFile    = flag.String("trace", "", "file for every step of the schedules")
	report       = flag.String("report", "", "file for what becomes of it")
)

// result is what the file of -report says: it is written before each schedule, so that
// a crash leaves its seed there, and at the end.
type result struct {
	Seed      uint64 // of the schedule that is played, or was the last
	Schedules uint64
	Steps     int
	Failed    string
}

func (r *result) write(f *os.File) {
	b, err := json.Marshal(r)
	if err == nil {
		// Spaces cover what a longer result before has left.
		_, err = f.WriteAt(fmt.Appendf(b, "%40s", ""), 0)
	}
	if err != nil {
		panic(err)
	}
}

func TestPlay(t *testing.T) {
	if !point.Rewritten {
		t.Skip("go run ./harness/sched plays the scenarios, over a store with switch points")
	}
	if *list {
		for name := range point.InOrder(scenarios) {
			fmt.Println(name)
		}
		os.Exit(0)
	}
	s, ok := scenarios[*scenarioName]
	if !ok {
		t.Fatalf("no scenario is called %q", *scenarioName)
	}
	f, err := os.Create(*report)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if *traceFile != "" {
		trace, err := os.Create(*traceFile)
		if err != nil {
			t.Fatal(err)
		}
		defer trace.Close()
		point.Trace = trace
	}
	debug.SetGCPercent(-1) // between schedules
	r := result{Seed: *firstSeed}
	point.Stop = func(o point.Outcome) {
		r.Failed = o.Failed
		r.write(f)
		os.Exit(3)
	}
	begin := time.Now()
	for more := true; more; {
		r.write(f)
		o := play(t, r.Seed, s)
		r.Steps += o.Steps
		if *playTwice {
			if again := play(t, r.Seed, s); again.Hash != o.Hash || again.Steps != o.Steps {
				point.Stop(point.Outcome{Failed: fmt.Sprintf("the same seed gave two traces: %d steps, then %d", o.Steps, again.Steps)})
			}
		}
		r.Schedules++
		if more = r.Schedules < *schedules; *forTime > 0 {
			more = time.Since(begin) < *forTime
		}
		if more {
			r.Seed++
		}
		if r.Schedules%16 == 0 {
			runtime.GC()
		}
	}
	r.write(f)
}

func play(t *testing.T, seed uint64, s func(w *world)) point.Outcome {
	return point.Run(t, seed, func() { s(newWorld(seed)) })
}
