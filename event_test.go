package siltstone

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

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
	const want = "level=DEBUG msg=\"flush of 1 records: "
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("logged %q, want it to begin with %q", out.String(), want)
	}
}

func TestAFileThatCannotBeRemovedIsNoCorruption(t *testing.T) {
	faults := vfstest.NewFaults(vfs.NewMem())
	var failed []RemoveFailed
	db := mustOpen(t, faults, newHandClock(), func(o *Options) {
		o.OnEvent = func(e Event) {
			switch e := e.(type) {
			case RemoveFailed:
				failed = append(failed, e)
			case Corruption:
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

// Merges that Close or a context interrupts are done another time: nobody is to be
// woken for them.
func TestAnInterruptedMergeIsNoAlarm(t *testing.T) {
	var tally tally
	for _, err := range []error{context.Canceled, context.DeadlineExceeded, ErrClosed} {
		e := CompactionEnd{Kind: "merge", Err: err}
		if tally.count(e); level(e) != slog.LevelDebug || level(FlushEnd{Err: err}) != slog.LevelDebug {
			t.Errorf("%v is logged at %v", err, level(e))
		}
	}
	if e := (CompactionEnd{Err: errors.New("input/output error")}); level(e) != slog.LevelError || tally.compactions.Failed != 0 {
		t.Errorf("%v is logged at %v, %d failed", e, level(e), tally.compactions.Failed)
	}
}
