package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// liveResults has two runs of reads beside a writer, one of which was late, and a row in a
// control group.
func liveResults() []result {
	row := func(engine string, run int, late time.Duration, missed int64) result {
		return result{
			Engine: engine, Scenario: "live", Row: "live-get-equal", Run: run, Unit: micros, Value: 70, Ops: 1000, CPU: 900, Resident: 250e6,
			P50: 7 * time.Microsecond, P99: 30 * time.Microsecond, P999: 70 * time.Microsecond, Stall: late, Rate: 20_000, Missed: missed / 10,
			Beside: &besideLine{
				Rate: livePuts, Ops: 200_000, Missed: missed, P50: 9 * time.Microsecond, P99: 40 * time.Microsecond,
				P999: 200 * time.Microsecond, Longest: 2 * late, Late: late,
			},
		}
	}
	bounded := result{
		Engine: "siltstone", Scenario: "beyond-8", Row: "beyond-8-read", Run: 1, Unit: perSecond, Value: 20, CPU: 5000, Resident: 50e6,
		Held: &held{Limit: 128e6, Peak: 127.5e6, Process: 45e6, PageCache: 80e6},
	}
	return []result{
		row("siltstone", 1, time.Millisecond, 0), row("siltstone", 2, 3*time.Millisecond, 0),
		row("pebble", 1, time.Second, 1500), row("pebble", 2, time.Second, 500), bounded,
	}
}

func liveReport() *report { return newReport(exampleReport().machine, liveResults()) }

func TestTheTableTellsHowTheWriterFared(t *testing.T) {
	var page bytes.Buffer
	liveReport().markdown(&page)
	golden.Compare(t, "testdata/live.md", page.String())
	for _, want := range []string{"late 2000", "**1000 missed**", "20000, **100 missed**", "128 of 128", "| 250 |"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the table does not say %q", want)
		}
	}
}

func TestATailIsBetterWhenItIsShorter(t *testing.T) {
	r := reportRow{unit: micros}
	if got := r.ratio(50, 100); got != 2 {
		t.Errorf("50 µs against 100 is %v", got)
	}
}

func TestRowsAreInTheirPictures(t *testing.T) {
	for row, want := range map[string]string{
		"live-seek-100-half": "live", "put-by-64": "goroutines", "growth-read-4": "", "fill-sustained-8": "write", "sustained-get": "live",
	} {
		found := false
		for _, s := range scenarios() {
			for _, st := range s.steps {
				if st.row == row {
					found = true
					if got := chartOf(reportRow{row: row, unit: st.unit}); got != want {
						t.Errorf("%s is in %q, want %q", row, got, want)
					}
				}
			}
		}
		if !found {
			t.Errorf("there is no row %s", row)
		}
	}
}
