package siltstone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestEachEventIsOneRecordAtItsLevel(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	r := &report{logger: l}
	broken := errors.New("input/output error")
	for _, c := range []struct {
		e    event.Event
		want slog.Level
	}{
		{event.FlushEnd{Tables: 1}, slog.LevelDebug}, {event.FlushEnd{Err: broken}, slog.LevelError},
		{event.CompactionEnd{Kind: "merge"}, slog.LevelDebug}, {event.CompactionEnd{Kind: "merge", Err: broken}, slog.LevelError},
		{event.Reaped{Collections: 3}, slog.LevelDebug}, {event.Recovered{Logs: 1}, slog.LevelInfo},
		{event.StallBegin{Reason: "memtables wait to be flushed"}, slog.LevelWarn}, {event.StallEnd{Duration: time.Second}, slog.LevelWarn},
		{event.TornTail{File: "000001.wal"}, slog.LevelWarn}, {event.SlowSync{Duration: time.Second}, slog.LevelWarn},
		{event.RemoveFailed{File: "000007.sst", Err: broken}, slog.LevelWarn}, {event.OldReader{Age: time.Hour}, slog.LevelWarn},
		{event.CompactionEnd{Err: ErrCorruption}, slog.LevelDebug}, {event.FlushEnd{Err: ErrCorruption}, slog.LevelDebug}, // a Corruption tells it
		{event.Corruption{Err: ErrCorruption}, slog.LevelError}, {event.Poisoned{Err: broken}, slog.LevelError},
		{event.NoSpace{Err: ErrNoSpace}, slog.LevelError},
	} {
		out.Reset()
		r.emit(c.e)
		got, want := out.String(), fmt.Sprintf("level=%v msg=%q event.", c.want, c.e.Name())
		if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("logged %q, want one line that begins with %q", got, want)
		}
	}
}

// A flush is tried again each second.
func TestWorkThatKeepsFailingIsAnErrorOnce(t *testing.T) {
	var out bytes.Buffer
	r := &report{logger: slog.New(slog.NewTextHandler(&out, nil))}
	fail := func(text string) error { return errors.New(text) }
	for i, c := range []struct {
		e    event.Event
		told bool
	}{
		{event.FlushEnd{Err: fail("000007.sst: disk on fire")}, true}, {event.FlushEnd{Err: fail("000008.sst: disk on fire")}, false},
		{event.CompactionEnd{Err: fail("000009.sst: disk on fire")}, true}, {event.FlushEnd{Err: fail("000010.sst: disk on fire")}, false},
		{event.FlushEnd{Err: fail("000011.sst: disk gone")}, true}, {event.FlushEnd{Err: fail("000012.sst: disk gone")}, false},
		{event.FlushEnd{Tables: 1}, false}, {event.FlushEnd{Err: fail("000013.sst: disk gone")}, true},
	} {
		out.Reset()
		if r.emit(c.e); c.told != strings.Contains(out.String(), "level=ERROR") {
			t.Errorf("%d: %v: logged %q", i, c.e, out.String())
		}
	}
	r.flushes.told = time.Now().Add(-tellAgain)
	out.Reset()
	if r.emit(event.FlushEnd{Err: fail("000014.sst: disk gone")}); out.Len() == 0 {
		t.Error("never told again")
	}
}

func TestOnEventMayAskForMetrics(t *testing.T) {
	var db *DB
	events := 0
	o := &Options{FS: vfs.NewMem(), manualWork: true, TrackOpen: true, OnEvent: func(event.Event) {
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
	db.report.synced(event.SlowSyncAfter)
	_ = db.life.Poison(ErrNoSpace)
	m := db.Metrics()
	if events != 6 || m.Flushes.Count != 3 || m.Compactions.Merges != 1 || m.Troubles.SlowSyncs != 1 || m.Troubles.Poisoned == "" || m.Commits.Count != 3 {
		t.Errorf("%d events, %v", events, m)
	}
	_ = db.Close()
}

func TestTheLoggerGetsTheSameEvents(t *testing.T) {
	var out bytes.Buffer
	quiet := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
			return slog.Attr{}
		}
		return a
	}}))
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const want = `level=INFO msg="store opened" dir=db read_only=false memory_limit=268435456
level=DEBUG msg="flush ended" dir=db event.tables=1 event.records=1 event.bytes=N
level=INFO msg="store closed" dir=db
`
	if got := regexp.MustCompile(`bytes=\d+`).ReplaceAllString(out.String(), "bytes=N"); got != want {
		t.Errorf("logged\n%s\nwant\n%s", got, want)
	}
}

var slowSync = regexp.MustCompile(`(?m)^.* msg="slow sync" .*\n`)

func TestACloseDuringAMergeLogsNothingAboveInfo(t *testing.T) {
	var out bytes.Buffer
	var interrupted error
	f := vfstest.NewFaults(vfs.NewMem())
	db := mustOpen(t, f, newHandClock(), func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&out, nil))
		o.OnEvent = func(e event.Event) {
			if e, is := e.(event.CompactionEnd); is && e.Err != nil {
				interrupted = e.Err
			}
		}
	})
	for i := range 2000 {
		putAt(t, db, OSDurability, fmt.Sprintf("key %06d", i*7919%2000), strings.Repeat("value", 50))
	}
	if err := db.Flush(bg); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	closed := make(chan error, 1)
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Write && strings.HasSuffix(op.Name, ".sst") {
			once.Do(func() {
				go func() { closed <- db.Close() }()
				<-db.life.Quit()
			})
		}
	})
	if err := db.Compact(bg, Range{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Compact: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	got := slowSync.ReplaceAllString(out.String(), "") // of a machine with much to do
	if interrupted == nil || strings.Count(got, "\n") != 2 || strings.Contains(got, "ERROR") || strings.Contains(got, "WARN") {
		t.Errorf("the merge ended with %v; logged\n%s", interrupted, got)
	}
}

func TestAnOldReaderIsToldOnce(t *testing.T) {
	var told []event.OldReader
	clock := newHandClock()
	db := mustOpen(t, vfs.NewMem(), clock, func(o *Options) {
		o.OldReaderAfter = time.Hour
		o.OnEvent = func(e event.Event) {
			if e, is := e.(event.OldReader); is {
				told = append(told, e)
			}
		}
	})
	defer mustClose(t, db)
	tick := func(want ...event.OldReader) {
		t.Helper()
		told = nil
		if err := errors.Join(db.step(), db.step()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	}
	first, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	second, err := db.Begin(t.Context(), ReadOnlyMode)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(58 * time.Minute)
	tick()
	clock.advance(time.Minute)
	tick(event.OldReader{Age: time.Hour})
	clock.advance(time.Hour)
	tick()
	first.Close()
	tick(event.OldReader{Age: 2*time.Hour - time.Minute}) // the next one
	second.Rollback()
	tick()
	db.opts.OldReaderAfter = -1
	third, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	clock.advance(100 * time.Hour)
	tick()
}

func TestAFileThatCannotBeRemovedIsNoCorruption(t *testing.T) {
	faults := vfstest.NewFaults(vfs.NewMem())
	var failed []event.RemoveFailed
	db := mustOpen(t, faults, newHandClock(), func(o *Options) {
		o.OnEvent = func(e event.Event) {
			switch e := e.(type) {
			case event.RemoveFailed:
				failed = append(failed, e)
			case event.Corruption:
				t.Errorf("a corruption: %v", e)
			}
		}
	})
	for range 2 {
		if err := errors.Join(db.Put([]byte("k"), []byte("v")), db.Flush(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
	faults.Inject(vfstest.Fault{Match: func(op vfstest.Op) bool { return op.Kind == vfstest.Remove && strings.HasSuffix(op.Name, ".sst") }})
	if err := errors.Join(db.Compact(context.Background(), Range{}), db.step()); err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || !strings.HasSuffix(failed[0].File, ".sst") || strings.Contains(failed[0].File, "/") || failed[0].Err == nil {
		t.Fatalf("told %v", failed)
	}
	if m := db.Metrics(); m.Disk.Obsolete == 0 || m.Troubles.Corruptions != 0 {
		t.Errorf("%+v, %+v", m.Disk, m.Troubles)
	}
	mustClose(t, db)
	db = mustOpen(t, faults, newHandClock())
	if m := db.Metrics(); m.Disk.Obsolete != 0 {
		t.Errorf("opened again: %+v", m.Disk)
	}
	mustClose(t, db)
}
