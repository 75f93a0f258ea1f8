package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// exampleResults has a row that is won, one that is lost, one where small is
// good, an engine that took no part and one that failed.
func exampleResults() []result {
	row := func(engine, row string, run int, value float64) result {
		u := perSecond
		if row == "reopen-clean" {
			u = millis
		}
		return result{
			Engine: engine, Scenario: "random", Row: row, Run: run, Unit: u, Value: value, Ops: 1000, CPU: 1e6 / value,
			P50: time.Duration(1e6 / value), P99: 20 * time.Microsecond, P999: time.Millisecond, Stall: 5 * time.Millisecond,
		}
	}
	return []result{
		row("siltstone", "fill-random", 1, 900), row("siltstone", "fill-random", 2, 100), row("siltstone", "fill-random", 3, 800),
		row("pebble", "fill-random", 1, 400), row("pebble", "fill-random", 2, 500), row("pebble", "fill-random", 3, 300),
		row("siltstone", "scan-forward", 1, 20_000), row("bbolt", "scan-forward", 1, 25_000),
		row("siltstone", "reopen-clean", 1, 2), row("pebble", "reopen-clean", 1, 385), row("bbolt", "reopen-clean", 1, 4),
		{Engine: "pebble", Scenario: "random", Row: "scan-forward", Run: 1, Err: "broke"},
	}
}

func exampleReport() *report {
	return newReport(machine{
		CPU: "A Processor", Kernel: "6.1", FS: "ext4", Go: "go1.26", Cores: 2, Memory: 24 << 30, Keys: 1000, Runs: 3, Limit: "10s",
		Versions: map[string]string{"pebble": "v2.1.7", "bbolt": "v1.5.0"},
	}, exampleResults())
}

func TestTheTableShowsWhatWasLostAndWhatFailed(t *testing.T) {
	var page bytes.Buffer
	exampleReport().markdown(&page)
	golden.Compare(t, "testdata/table.md", page.String())
	for _, want := range []string{"0.80, **lost** to bbolt", "1 of them lost", "| failed |", "broke"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the table does not say %q", want)
		}
	}
}

func TestBenchLinesHaveEveryRun(t *testing.T) {
	var lines bytes.Buffer
	exampleReport().benchLines(&lines)
	golden.Compare(t, "testdata/bench.txt", lines.String())
}

func TestChartsAreWellFormed(t *testing.T) {
	charts := exampleReport().charts()
	if len(charts) != 3 {
		t.Errorf("%d charts of writes, iterators and costs", len(charts))
	}
	for name, svg := range charts {
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	golden.Compare(t, "testdata/bench-write.svg", string(charts["bench-write.svg"]))
}

func TestTheMedianIsOfEachFigure(t *testing.T) {
	s := summarizeRuns(exampleResults()[:3])
	if s.runs != 3 || s.value != 800 || s.least != 100 || s.most != 900 {
		t.Errorf("%+v", s)
	}
	if s := summarizeRuns(exampleResults()[:2]); s.value != 500 {
		t.Errorf("the median of 900 and 100 is %v", s.value)
	}
}

func TestRatiosAboveOneAreGoodForEitherKindOfUnit(t *testing.T) {
	rate, time := reportRow{unit: perSecond}, reportRow{unit: millis}
	if rate.ratio(10, 5) != 2 || time.ratio(5, 10) != 2 || rate.ratio(0, 5) != 0 || time.ratio(5, 0) != 0 {
		t.Error("ratios are wrong")
	}
}

func TestEnginesTakeTurns(t *testing.T) {
	first := map[string]bool{}
	for run := range 20 {
		order := shuffledEngines(engineKinds(), run)
		if len(order) != len(engineKinds()) {
			t.Fatalf("run %d: %d engines", run, len(order))
		}
		first[order[0].name] = true
	}
	if len(first) < 3 {
		t.Errorf("only %v go first", first)
	}
}

func TestEveryRowHasItsOwnName(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios() {
		for _, st := range s.steps {
			if st.row == "" {
				continue
			}
			if seen[st.row] || st.title == "" || st.unit == "" {
				t.Errorf("%s: row %q", s.name, st.row)
			}
			seen[st.row] = true
		}
	}
}
