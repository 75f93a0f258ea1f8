package siltstone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/vfs"
)

// fixedMetrics has a figure of its own everywhere.
func fixedMetrics() Metrics {
	m := Metrics{
		Runs:      []RunMetrics{{Age: 12, Level: 0, Tables: 1, Bytes: 3 << 20}, {Age: 3, Level: 6, Tables: 130, Bytes: 9 << 30}},
		Tables:    TableMetrics{Count: 131, Bytes: 9<<30 + 3<<20, Records: 41_000_000, Open: 100},
		Memtables: MemtableMetrics{Waiting: 2, Records: 70_123, Bytes: 17 << 20},
		Commits:   CommitMetrics{Count: 90_000, Operations: 120_000, Groups: 30_000, Bytes: 1 << 30, Conflicts: 17},
		Log:       LogMetrics{Unsynced: 512, Syncs: LatencyMetrics{Count: 100, Total: time.Second, Max: 80 * time.Millisecond}},
		Flushes:   FlushMetrics{Count: 7, Failed: 1, Records: 99_000, Bytes: 64 << 20, Duration: 1234 * time.Millisecond},
		Compactions: CompactionMetrics{Running: 2, Merges: 11, Moves: 3, Drops: 1, Failed: 4, BytesIn: 1 << 30, BytesOut: 900 << 20,
			Dropped: 5555, Duration: 83 * time.Second, WriteAmplification: 15.0625},
		Stalls:   StallMetrics{Count: 2, Duration: 340 * time.Millisecond, Reason: "memtables wait to be flushed", Delay: 2 * time.Millisecond},
		Memory:   MemoryMetrics{Limit: 256 << 20, Memtables: 17 << 20, Blocks: 100 << 20, Rows: 6 << 20, TableMetadata: 5 << 20, LogBuffers: 64 << 10, ReadAhead: 1 << 20, Spare: 8 << 20, Iterators: 2 << 10, Transactions: 1 << 10},
		Cache:    CacheMetrics{Blocks: 3000, Bytes: 100 << 20, Hits: 123456, Misses: 789, Evictions: 12},
		Disk:     DiskMetrics{Tables: 9 << 30, Obsolete: 1 << 20, Logs: 64 << 20, Manifest: 12345, Free: 70 << 30},
		Open:     OpenMetrics{Iterators: 1, Snapshots: 2, Transactions: 3, Oldest: 90 * time.Minute},
		Dead:     DeadMetrics{Collections: 4, Bytes: 5 << 20, Reaped: 600},
		Troubles: TroubleMetrics{Corruptions: 1, NoSpace: 2, SlowSyncs: 3, Poisoned: "disk on fire"},
	}
	m.Log.Syncs.Buckets[10], m.Log.Syncs.Buckets[17] = 98, 2
	return m
}

func TestTheMetricsTableLinesUp(t *testing.T) {
	compareGolden(t, "metrics.txt", "a busy store\n\n"+fixedMetrics().String()+"\nnothing\n\n"+Metrics{}.String())
}

func TestSubTakesCountersOffAndKeepsGauges(t *testing.T) {
	m := fixedMetrics()
	d := m.Sub(m)
	want := m
	want.Commits, want.Flushes = CommitMetrics{}, FlushMetrics{}
	want.Log.Syncs = LatencyMetrics{Max: m.Log.Syncs.Max}
	want.Compactions = CompactionMetrics{Running: 2}
	want.Stalls = StallMetrics{Reason: m.Stalls.Reason, Delay: m.Stalls.Delay}
	want.Cache.Hits, want.Cache.Misses, want.Cache.Evictions = 0, 0, 0
	want.Dead.Reaped = 0
	want.Troubles = TroubleMetrics{Poisoned: m.Troubles.Poisoned}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got\n%+v\nwant\n%+v", d, want)
	}
	if full := m.Sub(Metrics{}); !reflect.DeepEqual(full.Commits, m.Commits) || full.Flushes != m.Flushes {
		t.Errorf("against zeros: %+v", full)
	}
}

func TestMetricsSurviveJSON(t *testing.T) {
	b, err := json.Marshal(fixedMetrics())
	if err != nil {
		t.Fatal(err)
	}
	var back Metrics
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, fixedMetrics()) {
		t.Errorf("%v: %+v", err, back)
	}
}

// every is one event of each kind.
var every = []Event{
	FlushEnd{Tables: 1, Records: 2, Bytes: 3, Duration: 4}, FlushEnd{Err: context.Canceled},
	CompactionEnd{Kind: "merge", Reason: "runs", From: []int{1, 2}, ToLevel: 6, Tables: 1, BytesRead: 5, BytesWritten: 4, Dropped: 1},
	StallBegin{Reason: "memtables wait to be flushed"}, StallEnd{Duration: time.Second},
	TornTail{File: "000001.wal", Offset: 100, Bytes: 7}, Recovered{Logs: 1, Records: 10},
	Corruption{Err: ErrCorruption}, Poisoned{Err: ErrNoSpace}, NoSpace{Err: ErrNoSpace},
	SlowSync{Duration: 150 * time.Millisecond}, Reaped{Collections: 3}, ClockJump{Ahead: 48 * time.Hour},
	RemoveFailed{File: "000007.sst", Err: errors.New("input/output error")},
}

func TestEachEventIsOneRecordOfTheLogger(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.Logger = l })
	defer mustClose(t, db)
	out.Reset()
	for _, e := range every {
		db.emit(e)
	}
	if got := strings.Count(out.String(), "\n"); got != len(every) {
		t.Errorf("%d records of %d events", got, len(every))
	}
	compareGolden(t, "event_records.txt", out.String())
}

func TestOnEventMayAskForMetrics(t *testing.T) {
	var db *DB
	events := 0
	o := &Options{FS: vfs.NewMem(), manualWork: true, TrackOpen: true, OnEvent: func(Event) {
		if db != nil {
			_, _, _ = db.Metrics(), db.OpenHandles(), db.Options()
			events++
		}
	}}
	var err error
	if db, err = Open("db", o); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := db.Put([]byte("k"), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Compact(t.Context(), Range{}); err != nil {
		t.Fatal(err)
	}
	db.noteSync(SlowSyncAfter)
	_ = db.life.Poison(ErrNoSpace)
	m := db.Metrics()
	if events != 6 || m.Flushes.Count != 3 || m.Compactions.Merges != 1 || m.Troubles.SlowSyncs != 1 || m.Troubles.Poisoned == "" || m.Commits.Count != 3 {
		t.Errorf("%d events, %v", events, m)
	}
	_ = db.Close()
}

func TestProfilesTellTheWorkersApart(t *testing.T) {
	db, err := Open("some/where/shop", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var b bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		missing := ""
		for _, name := range []string{"flush", "compact", "compact2", "keep", "reap"} {
			if !strings.Contains(b.String(), fmt.Sprintf(`"siltstone":%q, "store":"shop"`, name)) {
				missing = name
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no goroutine is labelled %s:\n%s", missing, &b)
		}
	}
}

func TestOpenHandlesNameWhoOpenedThem(t *testing.T) {
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, TrackOpen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Put([]byte("k"), make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	if h := db.OpenHandles(); len(h) != 2 || h[0].PinnedBytes != 0 {
		t.Errorf("while the state is the current one: %v", h)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := db.OpenHandles()
	if len(h) != 2 || h[0].Kind != "iterator" || h[0].PinnedBytes < 5000 || h[1].Kind != "snapshot" ||
		!strings.Contains(h[0].String(), "TestOpenHandlesNameWhoOpenedThem") {
		t.Errorf("%v", h)
	}
	if m := db.Metrics().Open; m.Iterators != 1 || m.Snapshots != 1 || m.Oldest <= 0 {
		t.Errorf("%+v", m)
	}
	it.Close()
	snap.Close()
	if h := db.OpenHandles(); len(h) != 0 {
		t.Errorf("all closed: %v", h)
	}
}
