package siltstone

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone/event"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
	"github.com/siltstonedb/siltstone/vfs/vfstest"
)

func TestConflictsAndReapedCollectionsAreCounted(t *testing.T) {
	typedtest.InRows(t)
	var reaped []event.Reaped
	db, err := Open("db", &Options{FS: vfs.NewMem(), manualWork: true, OnEvent: func(e event.Event) {
		if r, is := e.(event.Reaped); is {
			reaped = append(reaped, r)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin(t.Context(), ReadWriteMode)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Get([]byte("k")); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("k"), nil), tx.Put([]byte("other"), nil)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	if _, err := db.Set("s").Add("a", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Key("s").Drop(); err != nil {
		t.Fatal(err)
	}
	if err := db.step(); err != nil {
		t.Fatal(err)
	}
	m := db.Metrics()
	if m.Commits.Conflicts != 1 || m.Dead.Reaped != 1 || len(reaped) != 1 || reaped[0].Collections != 1 {
		t.Errorf("%v reaped\n%v", reaped, m)
	}
}

func TestDiskFiguresAreWhatTheDirectoryHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := storeIn(t, dir)
	defer db.Close()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if err := db.Compact(t.Context(), Range{}); err != nil {
		t.Fatal(err)
	}
	sum := func(pattern string) (n int64) {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			n += st.Size()
		}
		return n
	}
	d := db.Metrics().Disk
	if d.Tables+d.Obsolete != sum("*.sst") || d.Obsolete == 0 || d.Logs != sum("*.wal") || d.Manifest != sum("MANIFEST-*") || d.Ballast != sum("BALLAST") || d.Free <= 0 {
		t.Errorf("%+v", d)
	}
}

func TestProfilesTellTheWorkersApart(t *testing.T) {
	db, err := Open("some/where/shop", &Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b bytes.Buffer
	missing := ""
	labelled := func() bool {
		b.Reset()
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		missing = ""
		for _, name := range []string{"flush", "compact", "compact2", "keep", "reap"} {
			if !strings.Contains(b.String(), fmt.Sprintf(`"siltstone":%q, "store":"shop"`, name)) {
				missing = name
			}
		}
		return missing == ""
	}
	if !Within(labelled) {
		t.Errorf("no goroutine is labelled %s:\n%s", missing, &b)
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

func TestTheAgeOfTheOldestHandleIsKnownWithoutTrackOpen(t *testing.T) {
	clock := newHandClock()
	db := mustOpen(t, vfs.NewMem(), clock)
	defer mustClose(t, db)
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	tx, err := db.Begin(t.Context(), ReadOnlyMode)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	if m := db.Metrics(); m.Open.Oldest != time.Hour+time.Minute || !strings.Contains(m.String(), "oldest 1h1m0s") {
		t.Errorf("with a snapshot: %v\n%v", m.Open, m)
	}
	snap.Close()
	if m := db.Metrics(); m.Open.Oldest != time.Minute {
		t.Errorf("with a transaction: %v", m.Open)
	}
	tx.Rollback()
	if m := db.Metrics(); m.Dir != "db" || m.Uptime <= 0 || m.Uptime > time.Hour {
		t.Errorf("in %q for %v", m.Dir, m.Uptime)
	}
	if m := db.Metrics(); m.Open.Oldest != 0 {
		t.Errorf("with nothing: %v", m.Open)
	}
}

var garbage []byte

// Table writers count while they work and while they are kept, and as garbage when the
// store has let go of them.
func TestTableWritersAreInMemoryMetrics(t *testing.T) {
	f := vfstest.NewFaults(vfs.NewMem())
	db := mustOpen(t, f, newHandClock())
	defer mustClose(t, db)
	var atWork int64
	f.OnOp(func(op vfstest.Op) {
		if op.Kind == vfstest.Write && strings.HasSuffix(op.Name, ".sst") {
			_, used := db.work.Writers.Bytes()
			atWork = max(atWork, used)
		}
	})
	for i := range 20 {
		putAt(t, db, OSDurability, fmt.Sprint("key ", i), "value")
	}
	if err := errors.Join(db.Flush(bg), db.Compact(bg, Range{})); err != nil {
		t.Fatal(err)
	}
	f.OnOp(nil)
	if m := db.Metrics().Memory; atWork == 0 || m.TableWriters != 0 || m.Recycled == 0 {
		t.Errorf("%d bytes at work; then %+v", atWork, m)
	}
	for range 10 { // a collection takes what was counted before it
		const n = 8 << 20
		garbage = make([]byte, n) // no more is counted than is there
		garbage = nil
		if db.states.Tables.Cache().Waste(n); db.Metrics().Memory.Garbage >= n {
			return
		}
	}
	t.Error("what was let go of is not counted")
}

// Each kind of operation is measured, of which a part, and counts for all.
func TestLatenciesCountAllOperationsOfTheirKind(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, vfs.NewMem(), newHandClock(), func(o *Options) { o.Durability, o.MemtableBytes = OSDurability, 4<<20 })
	defer mustClose(t, db)
	const n = 10_000
	key := []byte("k0")
	before := db.Metrics()
	about := func(what string, l metrics.Latency, want int64) {
		t.Helper()
		sum := int64(0)
		for _, b := range l.Buckets {
			sum += b
		}
		// Collections of others take samplers away: then which are measured is drawn.
		if l.Count < want/4 || l.Count > want*4 || sum != l.Count || l.Max <= 0 || l.Total <= 0 || l.Quantile(0.5) > l.Max {
			t.Errorf("%d of %s: %+v", want, what, l)
		}
	}
	for i := range n {
		key[1] = byte(i) // few versions of each, which a seek steps over
		if err := db.Put(key, []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	tx, err := db.Begin(t.Context(), ReadOnlyMode)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	about("commits", db.Metrics().Sub(before).Commits.Latency, n)
	for _, get := range []func([]byte) ([]byte, error){db.Get, snap.Get, tx.Get} {
		before = db.Metrics()
		for range n {
			if _, err := get(key); err != nil {
				t.Fatal(err)
			}
		}
		about("reads", db.Metrics().Sub(before).Gets, n)
	}
	it, err := snap.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for what, seek := range map[string]func() bool{
		"First": it.First, "Last": it.Last, "SeekGE": func() bool { return it.SeekGE([]byte("a")) }, "SeekLT": func() bool { return it.SeekLT([]byte("z")) },
	} {
		before = db.Metrics()
		for range n {
			if !seek() {
				t.Fatal(it.Err())
			}
		}
		about(what, db.Metrics().Sub(before).Seeks, n)
	}
	for range n { // of loops, each of which seeks once
		for range db.Scan(Range{}) {
			break
		}
	}
	if got := db.Metrics().Sub(before).Seeks.Count; got < n*3/2 {
		t.Errorf("%d seeks after %d more in loops", got, n)
	}
}

func TestWhatIsBehindShowsInMetrics(t *testing.T) {
	clock := newHandClock()
	db := mustOpen(t, vfs.NewMem(), clock, func(o *Options) { o.Durability = OSDurability })
	defer mustClose(t, db)
	if m := db.Metrics(); m.Compactions.Waiting != 0 || m.Log.Oldest != 0 || m.Open.OldestSnapshot != 0 || m.Stalls.Behind != "" {
		t.Errorf("at first\n%v", m)
	}
	for range 2 {
		if err := errors.Join(db.Put([]byte("a"), []byte("v")), db.Put([]byte("z"), []byte("v")), db.Flush(bg)); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.Begin(t.Context(), ReadOnlyMode)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	clock.advance(time.Hour)
	snap, err := db.NewSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	m := db.Metrics()
	if m.Compactions.Waiting == 0 || m.Compactions.Waiting >= m.Tables.Bytes || m.Log.Oldest <= 0 || m.Open.OldestSnapshot != time.Minute {
		t.Errorf("with a run above the last level, a snapshot and a commit that is not synced: %v", m)
	}
	snap.Close()
	if err := errors.Join(db.Sync(), db.Compact(bg, Range{})); err != nil {
		t.Fatal(err)
	}
	if m := db.Metrics(); m.Compactions.Waiting != 0 || m.Log.Oldest != 0 || m.Open.OldestSnapshot != 0 {
		t.Errorf("merged, synced and closed: %v", m)
	}
}

func TestTheVerdictIsTheFirstSourceThatKnows(t *testing.T) {
	now := time.UnixMilli(1000)
	put, del := explain.Version{Seq: 5, Type: "string"}, explain.Version{Seq: 7, Delete: true}
	for _, c := range []struct {
		name    string
		sources []explain.Source
		want    string
		decides int
	}{
		{"nothing", []explain.Source{{}, {}}, "never written or forgotten", -1},
		{"a put", []explain.Source{{}, {Versions: []explain.Version{put}}}, "present", 1},
		{"a delete before it", []explain.Source{{Versions: []explain.Version{del, put}}}, "deleted", 0},
		{"a range delete in a newer source", []explain.Source{{RangeDels: []uint64{9}}, {Versions: []explain.Version{put}}}, "range-deleted", 0},
		{"a range delete newer than the put beside it", []explain.Source{{RangeDels: []uint64{9}, Versions: []explain.Version{put}}}, "range-deleted", 0},
		{"a range delete older than the put", []explain.Source{{RangeDels: []uint64{4}, Versions: []explain.Version{put}}}, "present", 0},
		{"expiry at this moment", []explain.Source{{Versions: []explain.Version{{Seq: 1, Expiry: now}}}}, "expired", 0},
	} {
		var all []examined
		for _, s := range c.sources {
			all = append(all, examined{Source: s})
		}
		got := judgeSources(all, now)
		if got.Reason != c.want || got.Present != (c.want == "present") {
			t.Errorf("%s: %v", c.name, got)
		}
		for i, s := range all {
			if s.Decides != (i == c.decides) {
				t.Errorf("%s: source %d decides: %v", c.name, i, s.Decides)
			}
		}
	}
}
