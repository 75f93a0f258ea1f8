package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/internal/golden"
)

func growthResults(sizes []uint64) []result {
	var all []result
	for _, times := range sizes {
		for engine, rate := range map[string]float64{"siltstone": 400, "pebble": 90} {
			all = append(all, result{
				Engine: engine, Scenario: "growth", Row: fmt.Sprintf("growth-read-%d", times), Run: 1, Unit: perSecond,
				Value: rate / float64(times), Stored: int64(times) * 1e9,
			})
		}
	}
	return all
}

func TestACurveIsDrawnThroughEverySize(t *testing.T) {
	r := newReport(exampleReport().machine, growthResults([]uint64{1, 2, 4, 8, 16}))
	curves := r.curves()
	svg := string(curves["growth-read.svg"])
	if len(curves) != 1 || strings.Count(svg, "<circle") != 10 || strings.Count(svg, "<polyline") != 2 {
		t.Fatalf("%d curves, %s", len(curves), svg)
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	golden.Compare(t, "testdata/growth-read.svg", svg)
	if charts := r.charts(); len(charts) != 0 {
		t.Errorf("growth is also drawn as %d pictures of bars", len(charts))
	}
}

func TestOneSizeIsNoCurve(t *testing.T) {
	if curves := newReport(machine{}, growthResults([]uint64{4})).curves(); len(curves) != 0 {
		t.Errorf("%d curves", len(curves))
	}
}

func TestAScaleHasItsEndsAndItsMiddle(t *testing.T) {
	s := scale{least: 1, most: 100, from: 300, to: 100}
	for v, want := range map[float64]float64{1: 300, 10: 200, 100: 100} {
		if got := s.at(v); got != want {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
}
