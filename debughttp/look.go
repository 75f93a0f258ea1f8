package debughttp

import (
	"fmt"
	"sync"
	"time"

	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/metrics"
)

// look is what the last request saw. Safe for concurrent use.
type look struct {
	mu  sync.Mutex
	saw metrics.Metrics
}

// next returns the work since the last look, and how long ago that was, and makes m the
// last look.
func (l *look) next(m metrics.Metrics) (lately metrics.Metrics, since time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Uptime < l.saw.Uptime { // a request that was overtaken, or the store is closed
		l.saw = metrics.Metrics{}
	}
	lately, since = m.Sub(l.saw), m.Uptime-l.saw.Uptime
	l.saw = m
	return lately, since
}

// NamedLatency is the durations of an operation.
type NamedLatency struct {
	Name    string
	Latency metrics.Latency
}

// Latencies returns those of the time since the last look.
func (r Report) Latencies() []NamedLatency {
	m := r.Lately
	return []NamedLatency{{"reads of a value", m.Gets}, {"seeks", m.Seeks}, {"commits", m.Commits.Latency}, {"syncs of the log", m.Log.Syncs}}
}

// Rate returns n of the time since the last look as a count a second.
func (r Report) Rate(n int64) string {
	if r.Since <= 0 {
		return "0/s"
	}
	return fmt.Sprintf("%.1f/s", float64(n)/r.Since.Seconds())
}

// ByteRate returns n bytes of the time since the last look as bytes a second.
func (r Report) ByteRate(n int64) string {
	if r.Since <= 0 {
		return quantity.Bytes(0) + "/s"
	}
	return quantity.Bytes(int64(float64(n)/r.Since.Seconds())) + "/s"
}
