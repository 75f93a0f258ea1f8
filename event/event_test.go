package event

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
	RemoveFailed{File: "000007.sst", Err: errors.New("input/output error")},
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
		l.Info(e.String(), slog.Any("event", e))
	}
	golden.Compare(t, "testdata/records.txt", out.String())
}
