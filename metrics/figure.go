package metrics

import (
	"slices"
	"strconv"
	"time"
)

// Figure is one of the figures of a store, described for programs that publish all of
// them: the modules metrics/prometheus and metrics/otel do. A figure has one value, or one
// for each of some labels.
//
//	m := db.Metrics()
//	for _, f := range metrics.Figures() {
//		for _, v := range f.Values(&m) {
//			fmt.Println(f.Name, v.Label, v.Number, f.Unit)
//		}
//	}
type Figure struct {
	Name  string // words with dots between them, without the unit: "log.sync.duration"
	Help  string // what it says, without a full stop
	Unit  string // "seconds" or "bytes"; empty: it counts things
	Kind  FigureKind
	Label string // what tells its values apart; empty: it has one

	values func(m *Metrics) []FigureValue
}

// FigureKind is how a figure's values change.
type FigureKind uint8

const (
	CounterFigure FigureKind = 1 // grows from Open on
	GaugeFigure   FigureKind = 2 // says how things stand
	LatencyFigure FigureKind = 3 // has a Latency in place of a number
)

// FigureValue is a value of a figure.
type FigureValue struct {
	Label   string   // empty if the figure has none
	Number  float64  // in the figure's unit
	Latency *Latency // of a LatencyFigure
}

// Figures returns all figures, in the order of the fields of Metrics. Names and labels
// are stable.
func Figures() []Figure { return slices.Clone(figures) }

// Values returns the figure's values in m. There is none if it is not known, as the room
// on a file system that does not tell it. A Latency points into m.
func (f Figure) Values(m *Metrics) []FigureValue {
	if f.values == nil || m == nil {
		return nil
	}
	return f.values(m)
}

// one is a figure's only value.
func one[N int | int64](n N) []FigureValue { return []FigureValue{{Number: float64(n)}} }

func seconds(d time.Duration) []FigureValue { return []FigureValue{{Number: d.Seconds()}} }

func latency(l *Latency) []FigureValue { return []FigureValue{{Latency: l}} }

// truth is 1 or 0.
func truth(is bool) []FigureValue {
	if is {
		return one(1)
	}
	return one(0)
}

// ofLevels is a value for each level that a run can have.
func ofLevels(m *Metrics, of func(Run) float64) []FigureValue {
	const levels = 7
	values := make([]FigureValue, levels)
	for i := range values {
		values[i].Label = strconv.Itoa(i)
	}
	for _, r := range m.Runs {
		if r.Level >= 0 && r.Level < levels {
			values[r.Level].Number += of(r)
		}
	}
	return values
}
