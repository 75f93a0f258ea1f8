package otel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
)

// fixed is a store whose figures do not change.
type fixed metrics.Metrics

func (f fixed) Metrics() metrics.Metrics { return metrics.Metrics(f) }

func busy() fixed {
	m := metrics.Metrics{
		Uptime: time.Minute, Runs: []metrics.Run{{Level: 0, Bytes: 1 << 20}, {Level: 6, Bytes: 9 << 30}},
		Commits: metrics.Commits{Count: 100, Operations: 150}, Disk: metrics.Disk{Tables: 9 << 30, Free: 70 << 30},
		Stalls: metrics.Stalls{SlowedByMerges: 1500 * time.Millisecond, Delay: time.Millisecond, Behind: "merges"},
		Gets:   metrics.Latency{Count: 512, Total: 512 * time.Microsecond, Max: 3 * time.Microsecond},
	}
	m.Gets.Buckets[2], m.Gets.Buckets[metrics.LatencyBuckets-1] = 500, 12
	return fixed(m)
}

// collect returns what a reader sees, a line for each value.
func collect(t testing.TB, r *sdk.ManualReader) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	add := func(m metricdata.Metrics, kind string, set attribute.Set, value any) {
		lines = append(lines, fmt.Sprintf("%s %s [%s] %s %v", m.Name, kind, m.Unit, set.Encoded(attribute.DefaultEncoder()), value))
	}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					add(m, "gauge", p.Attributes, p.Value)
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					add(m, "counter", p.Attributes, p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(m, "counter", p.Attributes, p.Value)
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
			if m.Description == "" {
				t.Errorf("%s has no description", m.Name)
			}
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Compare(a, b) })
	return lines
}

// reading returns a meter and the reader that collects what it is given.
func reading(t testing.TB) (*sdk.ManualReader, metric.Meter) {
	r := sdk.NewManualReader()
	p := sdk.NewMeterProvider(sdk.WithReader(r))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return r, p.Meter("test")
}

func TestTheInstrumentsOfABusyStore(t *testing.T) {
	r, meter := reading(t)
	if _, err := Register(meter, "orders", busy()); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/instruments.txt", strings.Join(collect(t, r), "\n")+"\n")
}

func TestEveryFigureIsPublished(t *testing.T) {
	r, meter := reading(t)
	if _, err := Register(meter, "orders", busy()); err != nil {
		t.Fatal(err)
	}
	lines := "\n" + strings.Join(collect(t, r), "\n")
	for _, f := range metrics.Figures() {
		name := "siltstone." + f.Name
		if f.Kind == metrics.LatencyFigure {
			name += ".bucket"
		}
		if !strings.Contains(lines, "\n"+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestSeveralStoresShareAMeterUntilTheyAreUnregistered(t *testing.T) {
	r, meter := reading(t)
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("k"), nil), db.Put([]byte("k"), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := Register(meter, "real", db); err != nil {
		t.Fatal(err)
	}
	other, err := Register(meter, "other", busy())
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, line := range collect(t, r) {
			if strings.HasPrefix(line, "siltstone.commits ") {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("two stores", "siltstone.commits counter [] store=other 100", "siltstone.commits counter [] store=real 2")
	if err := other.Unregister(); err != nil {
		t.Fatal(err)
	}
	expect("one", "siltstone.commits counter [] store=real 2")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed")
}

func TestAMeterThatDoesNothingIsGivenNothing(t *testing.T) {
	if _, err := Register(noop.NewMeterProvider().Meter("test"), "orders", busy()); err != nil {
		t.Error(err)
	}
}
