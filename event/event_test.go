package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

// every is one event of each kind, and one of each that has failed.
var every = []Event{
	FlushEnd{Tables: 1, Records: 2, Bytes: 3, Duration: 4}, FlushEnd{Err: context.Canceled},
	CompactionEnd{Kind: "merge", Reason: "runs", From: []int{1, 2}, ToLevel: 6, Tables: 1, BytesRead: 5, BytesWritten: 4, Dropped: 1},
	CompactionEnd{Kind: "move", Reason: "nothing older below", From: []int{1}, ToLevel: 6},
	CompactionEnd{Kind: "drop", Reason: "nobody sees it", From: []int{2}},
	CompactionEnd{Kind: "merge", Reason: "runs", From: []int{4}, Err: errors.New("input/output error")},
	StallBegin{Reason: "memtables wait to be flushed"}, StallEnd{Duration: time.Second},
	TornTail{File: "000001.wal", Offset: 100, Bytes: 7}, Recovered{Logs: 1, Records: 10},
	Corruption{Err: errors.New("000007.sst: damaged block")}, Poisoned{Err: errors.New("input/output error")},
	NoSpace{Err: errors.New("disk full")}, SlowSync{Duration: 150 * time.Millisecond}, Reaped{Collections: 3},
	OldReader{Age: 90 * time.Minute}, FlushEnd{Tables: 1, Records: 1, Bytes: 1}, Recovered{Logs: 1, Records: 1}, Reaped{Collections: 1}, TornTail{File: "000001.wal", Bytes: 1},
	RemoveFailed{File: "000007.sst", Err: errors.New("input/output error")},
}

func TestEachKindHasItsName(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, e := range every {
		if was := types[e.Name()]; was != nil && was != reflect.TypeOf(e) {
			t.Errorf("%v and %T are both %q", was, e, e.Name())
		}
		types[e.Name()] = reflect.TypeOf(e)
	}
}

func TestEachEventIsALineAndAGroupOfAttributes(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	for _, e := range every {
		l.Info(e.Name(), slog.Any("event", e))
		fmt.Fprintf(&out, "  %v\n", e)
	}
	golden.Compare(t, "testdata/records.txt", out.String())
}
