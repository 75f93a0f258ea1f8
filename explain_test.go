package siltstone

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

func TestExplainTellsWhoAnswersAndWhy(t *testing.T) {
	clock := newHandClock()
	o := denseOptions(vfs.NewMem(), clock)
	o.MemtableBytes, o.runLimit = 64<<10, 8
	db, err := Open("db", &o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := func(s string) []byte { return []byte(s) }
	for _, k := range []string{"aa", "deleted", "gone", "plain", "zz"} {
		must(db.Put(key(k), key("first")))
	}
	must(db.Flush(t.Context()))
	must(db.Delete(key("deleted")))
	must(db.DeleteRange(Range{Lower: key("go"), Upper: key("gp")}))
	must(db.PutTTL(key("session"), key("s"), time.Minute))
	must(db.PutTTL(key("stale"), key("s"), time.Second))
	_, err = db.Hash("hash").SetMany(typed.Field{Name: "a", Value: key("1")}, typed.Field{Name: "b", Value: key("2")})
	must(err)
	must(db.Flush(t.Context()))
	must(db.Put(key("plain"), key("second time")))
	var members []string
	for i := range 300 {
		members = append(members, fmt.Sprint("member ", i))
	}
	_, err = db.Set("set").Add(members...)
	must(err)
	clock.advance(2 * time.Second)

	var text strings.Builder
	for _, k := range []string{"plain", "deleted", "gone", "session", "stale", "hash", "set", "never", "\x00<b>"} {
		e, err := db.Explain(key(k))
		must(err)
		fmt.Fprintf(&text, "%v\n", e)
		has, err := db.Has(key(k))
		must(err)
		if has != e.Verdict.Present {
			t.Errorf("%q: Has says %v, the verdict is %v", k, has, e.Verdict)
		}
	}
	golden.Compare(t, "testdata/explain.txt", text.String())
	if _, err := db.Explain(nil); err == nil {
		t.Error("the empty key is explained")
	}
}

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

func TestExplainInAKeyspace(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), newHandClock())
	defer mustClose(t, db)
	ks, err := db.Keyspace("ks")
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	for what, explain := range map[string]func([]byte) (Explanation, error){
		"by handle": ks.Explain,
		"by name":   func(key []byte) (Explanation, error) { return db.ExplainIn("ks", key) },
	} {
		e, err := explain([]byte("k"))
		if err != nil || !e.Verdict.Present || !strings.HasPrefix(e.String(), `key "k" of keyspace "ks" at sequence`) {
			t.Errorf("%s: %v, %v", what, e, err)
		}
	}
	if e, err := db.Explain([]byte("k")); err != nil || e.Verdict.Present {
		t.Errorf("in the default keyspace: %v, %v", e, err)
	}
	if _, err := db.ExplainIn("none", []byte("k")); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want %v", err, ErrNotFound)
	}
	if err := db.DropKeyspace("ks"); err != nil {
		t.Fatal(err)
	}
	if _, err := ks.Explain([]byte("k")); !errors.Is(err, ErrDropped) {
		t.Errorf("%v, want %v", err, ErrDropped)
	}
	if _, err := db.ExplainIn("ks", []byte("k")); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want %v", err, ErrNotFound)
	}
}
