package otel

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/siltstonedb/siltstone/metrics"
)

// Source is what is published: a *siltstone.DB.
type Source interface {
	Metrics() metrics.Metrics
}

// Register has meter publish the figures of a store, under a name by which the attribute
// store tells it from other stores, until the registration is ended by Unregister. Each
// collection calls Metrics once, which lists the store's directory and costs about a
// millisecond for a thousand tables. After Close of the store nothing is published.
// Several stores may share a meter.
func Register(meter metric.Meter, name string, source Source) (metric.Registration, error) {
	p := &publisher{source: source, store: attribute.String("store", name)}
	for _, f := range metrics.Figures() {
		if err := p.add(meter, f); err != nil {
			return nil, err
		}
	}
	return meter.RegisterCallback(p.observe, p.instruments...)
}

// publisher publishes one store.
type publisher struct {
	source      Source
	store       attribute.KeyValue
	figures     []figure
	instruments []metric.Observable
}

// figure is a figure with its instruments: the first one, or all three of a latency.
type figure struct {
	metrics.Figure
	number  metric.Float64Observable // the sum, of a latency
	count   metric.Int64Observable
	buckets metric.Int64Observable
}

// add makes the instruments of a figure.
func (p *publisher) add(meter metric.Meter, f metrics.Figure) (err error) {
	made, name, help := figure{Figure: f}, "siltstone."+f.Name, metric.WithDescription(f.Help)
	// None for numbers of things: Prometheus would take the unit 1 for a ratio.
	unit := metric.WithUnit(map[string]string{"seconds": "s", "bytes": "By"}[f.Unit])
	switch f.Kind {
	case metrics.CounterFigure:
		made.number, err = meter.Float64ObservableCounter(name, help, unit)
	case metrics.GaugeFigure:
		made.number, err = meter.Float64ObservableGauge(name, help, unit)
	case metrics.LatencyFigure:
		if made.number, err = meter.Float64ObservableCounter(name+".sum", help, unit); err != nil {
			return err
		}
		if made.count, err = meter.Int64ObservableCounter(name+".count", help); err != nil {
			return err
		}
		if made.buckets, err = meter.Int64ObservableCounter(name+".bucket", help); err != nil {
			return err
		}
		p.instruments = append(p.instruments, made.count, made.buckets)
	}
	p.instruments = append(p.instruments, made.number)
	p.figures = append(p.figures, made)
	return err
}

// observe publishes the figures as they are now.
func (p *publisher) observe(_ context.Context, to metric.Observer) error {
	m := p.source.Metrics()
	if m.Uptime == 0 { // closed
		return nil
	}
	store := metric.WithAttributeSet(attribute.NewSet(p.store))
	for _, f := range p.figures {
		for _, v := range f.Values(&m) {
			switch {
			case v.Latency != nil:
				to.ObserveFloat64(f.number, v.Latency.Total.Seconds(), store)
				to.ObserveInt64(f.count, v.Latency.Count, store)
				p.observeBuckets(to, f.buckets, v.Latency)
			case f.Label != "":
				to.ObserveFloat64(f.number, v.Number, metric.WithAttributes(p.store, attribute.String(f.Label, v.Label)))
			default:
				to.ObserveFloat64(f.number, v.Number, store)
			}
		}
	}
	return nil
}

// observeBuckets publishes how many durations are below each bound.
func (p *publisher) observeBuckets(to metric.Observer, buckets metric.Int64Observable, l *metrics.Latency) {
	sum := int64(0)
	for i, n := range l.Buckets {
		le := "+Inf"
		if i < metrics.LatencyBuckets-1 {
			le = strconv.FormatFloat(metrics.LatencyBound(i).Seconds(), 'g', -1, 64)
		}
		sum += n
		to.ObserveInt64(buckets, sum, metric.WithAttributes(p.store, attribute.String("le", le)))
	}
}
