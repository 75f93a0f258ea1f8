package prometheus

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siltstonedb/siltstone/metrics"
)

// Source is what a collector reads: a *siltstone.DB.
type Source interface {
	Metrics() metrics.Metrics
}

// Collector collects the figures of one store. It is safe for concurrent use.
type Collector struct {
	source  Source
	figures []figure
}

// figure is a figure and how it is called.
type figure struct {
	metrics.Figure
	desc *prometheus.Desc
	kind prometheus.ValueType
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a collector for a store, under a name by which the label store
// tells it from other stores. Collectors of several names can be registered in one
// registry. Each time it is asked it calls Metrics once, which lists the store's
// directory and costs about a millisecond for a thousand tables. After Close of the store
// it collects nothing: unregister it.
func NewCollector(name string, source Source) *Collector {
	c := &Collector{source: source}
	store := prometheus.Labels{"store": name}
	for _, f := range metrics.Figures() {
		var labels []string
		if f.Label != "" {
			labels = append(labels, f.Label)
		}
		kind := prometheus.GaugeValue
		if f.Kind == metrics.CounterFigure {
			kind = prometheus.CounterValue
		}
		c.figures = append(c.figures, figure{f, prometheus.NewDesc(Name(f), f.Help+".", labels, store), kind})
	}
	return c
}

// Name returns what a figure is called in Prometheus.
func Name(f metrics.Figure) string {
	name := "siltstone_" + strings.ReplaceAll(f.Name, ".", "_")
	if f.Unit != "" {
		name += "_" + f.Unit
	}
	if f.Kind == metrics.CounterFigure {
		name += "_total"
	}
	return name
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range c.figures {
		to <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	m := c.source.Metrics()
	if m.Uptime == 0 { // closed
		return
	}
	for _, f := range c.figures {
		for _, v := range f.Values(&m) {
			to <- f.metric(v)
		}
	}
}

// metric is a value as the client library has it.
func (f *figure) metric(v metrics.FigureValue) prometheus.Metric {
	if v.Latency != nil {
		return prometheus.MustNewConstHistogram(f.desc, uint64(v.Latency.Count), v.Latency.Total.Seconds(), buckets(v.Latency))
	}
	if f.Label != "" {
		return prometheus.MustNewConstMetric(f.desc, f.kind, v.Number, v.Label)
	}
	return prometheus.MustNewConstMetric(f.desc, f.kind, v.Number)
}

// buckets returns how many durations each bound is above: those of all buckets before it.
// The last bucket has no bound.
func buckets(l *metrics.Latency) map[float64]uint64 {
	sums, sum := make(map[float64]uint64, metrics.LatencyBuckets-1), uint64(0)
	for i, n := range l.Buckets[:metrics.LatencyBuckets-1] {
		sum += uint64(n)
		sums[metrics.LatencyBound(i).Seconds()] = sum
	}
	return sums
}
