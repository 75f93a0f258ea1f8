package prometheus

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
)

// fixed is a store whose figures do not change.
type fixed metrics.Metrics

func (f *fixed) Metrics() metrics.Metrics { return metrics.Metrics(*f) }

// busy returns a store with figures that differ from one another.
func busy() *fixed {
	m := metrics.Metrics{Runs: []metrics.Run{{Level: 0, Bytes: 1 << 20}, {Level: 0, Bytes: 2 << 20}, {Level: 6, Bytes: 9 << 30}}}
	n := int64(0)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			n++
			switch f := v.Field(i); {
			case f.Type() == reflect.TypeFor[time.Duration]():
				f.SetInt(n * int64(time.Millisecond))
			case f.Kind() == reflect.Struct:
				fill(f)
			case f.CanInt():
				f.SetInt(n)
			}
		}
	}
	fill(reflect.ValueOf(&m).Elem())
	for _, l := range []*metrics.Latency{&m.Gets, &m.Seeks, &m.Commits.Latency, &m.Log.Syncs} {
		n += 2
		l.Buckets[3], l.Buckets[n%20], l.Buckets[metrics.LatencyBuckets-1] = 10, n, 1
		l.Count = 11 + n
	}
	m.Stalls.Behind, m.Stalls.Reason = "merges", "memtables wait to be flushed"
	return (*fixed)(&m)
}

func exposition(t testing.TB, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestTheExpositionOfABusyStore(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(NewCollector("orders", busy()))
	golden.Compare(t, "testdata/exposition.txt", exposition(t, r))
}

func TestTheExpositionKeepsTheRulesOfPrometheus(t *testing.T) {
	problems, err := testutil.CollectAndLint(NewCollector("orders", busy()))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestSeveralStoresShareARegistry(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	a, b := busy(), busy()
	a.Commits.Count, b.Commits.Count = 17, 18
	if err := errors.Join(r.Register(NewCollector("a", a)), r.Register(NewCollector("b", b))); err != nil {
		t.Fatal(err)
	}
	if err := r.Register(NewCollector("a", b)); !errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		t.Errorf("a second store of the same name: %v", err)
	}
	text := exposition(t, r)
	for _, want := range []string{`siltstone_commits_total{store="a"} 17`, `siltstone_commits_total{store="b"} 18`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestAStoreIsCollectedUntilItIsClosed(t *testing.T) {
	db, err := siltstone.Open("db", &siltstone.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := db.Put(fmt.Append(nil, i), []byte("v")); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Get(fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(NewCollector(`quoted "name"`, db))
	text := exposition(t, r)
	for _, want := range []string{
		`siltstone_commits_total{store="quoted \"name\""} 1000`, `siltstone_get_duration_seconds_bucket{store="quoted \"name\"",le="0.000128"}`,
		`siltstone_open_handles{kind="snapshot",store="quoted \"name\""} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if text := exposition(t, r); text != "" {
		t.Errorf("closed:\n%s", text)
	}
}
