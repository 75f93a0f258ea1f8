package explain

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
)

func TestAnExplanationDrawsItsSources(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	e := Explanation{Keyspace: "users", Key: []byte("k\x00"), Seq: 90, Now: now, Sources: []Source{
		{Name: "memtable"},
		{Name: "full memtable 1", RangeDels: []uint64{40, 30}, Covered: 5},
		{Name: "run 3, level 0", Skipped: "none of 2 tables has it within its bounds"},
		{Name: "run 2, level 0: 000009.sst", Decides: true, More: true, Versions: []Version{
			{Seq: 60, Type: "string", Bytes: 7, Expiry: now.Add(time.Minute)}, {Seq: 50, Delete: true}, {Type: "hash", Bytes: 30},
		}},
	}, Verdict: Verdict{Present: true, Reason: "present", Source: "run 2, level 0: 000009.sst", Type: "string", Bytes: 7, Expiry: now.Add(time.Minute), TTL: time.Minute}}
	text := e.String()
	for _, d := range []Verdict{
		{Reason: "never written or forgotten"},
		{Reason: "deleted", Source: "memtable", Seq: 7},
		{Reason: "expired", Source: "memtable", Type: "string", Bytes: 3, Expiry: now},
		{Present: true, Reason: "present", Source: "memtable", Type: "string", Bytes: 3, TTL: math.MaxInt64},
		{Present: true, Reason: "present", Source: "memtable", Type: "set", Bytes: 20, TTL: math.MaxInt64, Collection: &Collection{Inline: true, Elements: 3}},
		{Present: true, Reason: "present", Source: "memtable", Type: "set", Bytes: 20, TTL: math.MaxInt64, Collection: &Collection{ID: 7, Elements: 300, Bytes: 5000, NextDue: now}},
	} {
		text += fmt.Sprintln(d)
	}
	golden.Compare(t, "testdata/explanation.txt", text)
}
