package metrics

import (
	"encoding/json"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// busy returns metrics with a figure of its own everywhere.
func busy() Metrics {
	m := Metrics{
		Dir: "/var/lib/store", Uptime: time.Hour,
		Runs:      []Run{{Age: 12, Level: 0, Tables: 1, Bytes: 3 << 20}, {Age: 3, Level: 6, Tables: 130, Bytes: 9 << 30}},
		Tables:    Tables{Count: 131, Bytes: 9<<30 + 3<<20, Records: 41_000_000, Open: 100},
		Memtables: Memtables{Waiting: 2, Records: 70_123, Bytes: 17 << 20},
		Gets:      Latency{Count: 512_000, Total: time.Second, Max: 3 * time.Millisecond},
		Seeks:     Latency{Count: 256, Total: time.Millisecond, Max: 5 * time.Microsecond},
		Commits:   Commits{Count: 90_000, Operations: 120_000, Groups: 30_000, Bytes: 1 << 30, Conflicts: 17, Latency: Latency{Count: 89_984, Total: 3 * time.Minute, Max: 90 * time.Millisecond}},
		Log:       Log{Unsynced: 512, Oldest: 4 * time.Second, Syncs: Latency{Count: 100, Total: time.Second, Max: 80 * time.Millisecond}},
		Flushes:   Flushes{Count: 7, Failed: 1, Records: 99_000, Bytes: 64 << 20, Duration: 1234 * time.Millisecond},
		Compactions: Compactions{Running: 2, Waiting: 3 << 20, Merges: 11, Moves: 3, Drops: 1, Failed: 4, BytesIn: 1 << 30, BytesOut: 900 << 20,
			Dropped: 5555, Duration: 83 * time.Second},
		Stalls: Stalls{Count: 2, Duration: 340 * time.Millisecond, SlowedByFlushes: 2 * time.Second, SlowedByMerges: 3 * time.Second,
			Space: time.Second, Turns: 7 * time.Millisecond, Reason: "memtables wait to be flushed", Delay: 2 * time.Millisecond, Behind: "merges"},
		Memory:   Memory{Limit: 256 << 20, Memtables: 17 << 20, Blocks: 100 << 20, Rows: 6 << 20, TableMetadata: 5 << 20, LogBuffers: 64 << 10, ReadAhead: 1 << 20, TableWriters: 4 << 20, Recycled: 8 << 20, Iterators: 2 << 10, Transactions: 1 << 10, Garbage: 3 << 20},
		Cache:    Cache{Blocks: 3000, Bytes: 100 << 20, Hits: 123456, Misses: 789, Evictions: 12},
		Disk:     Disk{Tables: 9 << 30, Obsolete: 1 << 20, Logs: 64 << 20, Manifest: 12345, Ballast: 4 << 20, Free: 70 << 30},
		Open:     Handles{Iterators: 1, Snapshots: 2, Transactions: 3, Oldest: 90 * time.Minute, OldestSnapshot: 80 * time.Minute},
		Dead:     Dead{Collections: 4, Bytes: 5 << 20, Reaped: 600},
		Troubles: Troubles{Corruptions: 1, NoSpace: 2, SlowSyncs: 3, Poisoned: "disk on fire"},
	}
	m.Log.Syncs.Buckets[13], m.Log.Syncs.Buckets[20] = 98, 2
	m.Gets.Buckets[2], m.Gets.Buckets[6] = 500_000, 12_000
	m.Seeks.Buckets[5] = 256
	m.Commits.Latency.Buckets[14] = 89_984
	return m
}

func TestTheMetricsTableLinesUp(t *testing.T) {
	golden.Compare(t, "testdata/metrics.txt", "a busy store\n\n"+busy().String()+"\nnothing\n\n"+Metrics{}.String())
}

func TestOneOfAThingIsSingular(t *testing.T) {
	var m Metrics
	var setOne func(v reflect.Value)
	setOne = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				setOne(f)
			case reflect.Int, reflect.Int64:
				f.SetInt(1)
			}
		}
	}
	setOne(reflect.ValueOf(&m).Elem())
	if bad := regexp.MustCompile(`\b1 (slow |frozen )?\w*[a-rt-z]s\b`).FindAllString(m.String(), -1); len(bad) > 0 {
		t.Errorf("%q in\n%v", bad, m)
	}
}

func TestSubTakesCountersOffAndKeepsGauges(t *testing.T) {
	m := busy()
	d := m.Sub(m)
	want := m
	want.Commits, want.Flushes = Commits{}, Flushes{}
	want.Log.Syncs, want.Commits.Latency = Latency{Max: m.Log.Syncs.Max}, Latency{Max: m.Commits.Latency.Max}
	want.Gets, want.Seeks = Latency{Max: m.Gets.Max}, Latency{Max: m.Seeks.Max}
	want.Compactions = Compactions{Running: 2, Waiting: m.Compactions.Waiting}
	want.Stalls = Stalls{Reason: m.Stalls.Reason, Delay: m.Stalls.Delay, Behind: m.Stalls.Behind}
	want.Cache.Hits, want.Cache.Misses, want.Cache.Evictions = 0, 0, 0
	want.Dead.Reaped = 0
	want.Troubles = Troubles{Poisoned: m.Troubles.Poisoned}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got\n%+v\nwant\n%+v", d, want)
	}
	if full := m.Sub(Metrics{}); !reflect.DeepEqual(full.Commits, m.Commits) || full.Flushes != m.Flushes {
		t.Errorf("against zeros: %+v", full)
	}
}

func TestAQuantileIsAtMostTwiceTooLong(t *testing.T) {
	var l Latency
	for d := time.Microsecond; d <= time.Millisecond; d += time.Microsecond {
		i := 0
		for i < LatencyBuckets-1 && d >= LatencyBound(i) {
			i++
		}
		l.Count++
		l.Max = d
		l.Buckets[i]++
	}
	for q := 0.01; q < 1; q += 0.01 {
		exact := time.Duration(q * float64(time.Millisecond))
		if got := l.Quantile(q); got < exact || got > 2*exact+2*time.Microsecond {
			t.Errorf("quantile %.2f is %v, of 1 µs to 1 ms", q, got)
		}
	}
}

func TestThePartsOfMemorySumToItsTotal(t *testing.T) {
	var m Memory
	v := reflect.ValueOf(&m).Elem()
	want := int64(0)
	for i := range v.NumField() {
		n := int64(1) << (2 * i)
		v.Field(i).SetInt(n)
		if v.Type().Field(i).Name != "Limit" {
			want += n
		}
	}
	if m.Total() != want {
		t.Errorf("the total is %#x, the parts are %#x", m.Total(), want)
	}
}

func TestMetricsSurviveJSON(t *testing.T) {
	b, err := json.Marshal(busy())
	if err != nil {
		t.Fatal(err)
	}
	var back Metrics
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, busy()) {
		t.Errorf("%v: %+v", err, back)
	}
}
