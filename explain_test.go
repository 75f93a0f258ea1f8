package siltstone

import (
	"testing"
	"time"
)

func TestTheVerdictIsTheFirstSourceThatKnows(t *testing.T) {
	now := time.UnixMilli(1000)
	put, del := ExplainedVersion{Seq: 5, Type: "string"}, ExplainedVersion{Seq: 7, Delete: true}
	for _, c := range []struct {
		name    string
		sources []ExplainedSource
		want    string
		decides int
	}{
		{"nothing", []ExplainedSource{{}, {}}, "never written or forgotten", -1},
		{"a put", []ExplainedSource{{}, {Versions: []ExplainedVersion{put}}}, "present", 1},
		{"a delete before it", []ExplainedSource{{Versions: []ExplainedVersion{del, put}}}, "deleted", 0},
		{"a range delete in a newer source", []ExplainedSource{{RangeDels: []uint64{9}}, {Versions: []ExplainedVersion{put}}}, "range-deleted", 0},
		{"a range delete newer than the put beside it", []ExplainedSource{{RangeDels: []uint64{9}, Versions: []ExplainedVersion{put}}}, "range-deleted", 0},
		{"a range delete older than the put", []ExplainedSource{{RangeDels: []uint64{4}, Versions: []ExplainedVersion{put}}}, "present", 0},
		{"expiry at this moment", []ExplainedSource{{Versions: []ExplainedVersion{{Seq: 1, Expiry: now}}}}, "expired", 0},
	} {
		got := judgeSources(c.sources, now)
		if got.Reason != c.want || got.Present != (c.want == "present") {
			t.Errorf("%s: %v", c.name, got)
		}
		for i, s := range c.sources {
			if s.Decides != (i == c.decides) {
				t.Errorf("%s: source %d decides: %v", c.name, i, s.Decides)
			}
		}
	}
}
