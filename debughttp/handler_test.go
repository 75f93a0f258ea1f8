package debughttp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/golden"
	"github.com/siltstonedb/siltstone/metrics"
	"github.com/siltstonedb/siltstone/vfs"
)

func open(t testing.TB) *siltstone.DB {
	t.Helper()
	db, err := siltstone.Open("db", &siltstone.Options{
		FS: vfs.NewMem(), TrackOpen: true, MemoryLimit: 8 << 20, MemtableBytes: 256 << 10, Durability: siltstone.OSDurability,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// busy fills a store until it has several runs and something open.
func busy(t testing.TB, db *siltstone.DB) {
	t.Helper()
	for i := range 20_000 {
		if err := db.Put(fmt.Appendf(nil, "key %06d", i*7919%20_000), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(context.Background()); err != nil {
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
	t.Cleanup(func() { it.Close(); snap.Close() })
}

func request(t testing.TB, db *siltstone.DB, method, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(db).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func body(t testing.TB, db *siltstone.DB, target string) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(db).ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

func TestThePageOfFixedFigures(t *testing.T) {
	rep := Report{Version: "v1.2.3", Tracked: true, Since: 10 * time.Second, Lately: metrics.Metrics{
		Commits: metrics.Commits{Count: 25, Bytes: 10 << 20}, Cache: metrics.Cache{Hits: 3, Misses: 1},
	}, Options: []Setting{{"Durability", "sync"}}, Keyspaces: []string{"tenant <1>"}, MoreKeyspaces: 7, Metrics: metrics.Metrics{
		Dir: "/var/lib/store", Uptime: 90 * time.Minute,
		Runs:   []metrics.Run{{Age: 9, Level: 0, Tables: 1, Bytes: 1 << 20}, {Age: 2, Level: 6, Tables: 3, Bytes: 3 << 20}},
		Tables: metrics.Tables{Count: 4, Bytes: 4 << 20},
		Stalls: metrics.Stalls{Count: 1, Duration: 1500 * time.Millisecond, Reason: "memtables wait", Delay: time.Millisecond, Behind: "merges"},
		Memory: metrics.Memory{Limit: 8 << 20, Memtables: 1 << 20, Blocks: 2 << 20, Rows: 3 << 20},
		Open:   metrics.Handles{Iterators: 1, Oldest: time.Hour, OldestSnapshot: time.Minute},
	}, Layout: metrics.Layout{Runs: []metrics.LayoutRun{
		{Age: 9, Tables: []metrics.LayoutTable{{From: 0.25, To: 0.75, Bytes: 1 << 20, Records: 10, Deletes: 5}}},
		{Age: 2, Level: 6, Tables: []metrics.LayoutTable{{To: 0.5, Bytes: 2 << 20, Records: 20}, {From: 0.5, To: 1, Bytes: 1 << 20, Records: 7}}},
	}}, Handles: []siltstone.OpenHandle{{Kind: "iterator", Since: time.Unix(1_700_000_000, 0), PinnedBytes: 2048, Stack: "main.<main>()"}}}
	got, _, err := render(rep, "")
	if err != nil {
		t.Fatal(err)
	}
	_, content, _ := strings.Cut(string(got), "<body>")
	golden.Compare(t, "testdata/page.html", content)
}

func TestHostileKeysStayText(t *testing.T) {
	db := open(t)
	for _, key := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "</pre><h1>", "{{.}}", "\x00\xff'"} {
		if err := db.Put([]byte(key), []byte("<b>secret</b>")); err != nil {
			t.Fatal(err)
		}
		page := body(t, db, "/?key="+url.QueryEscape(key))
		for _, bad := range []string{"<script", "<img", "</pre><h1>", "secret"} {
			if strings.Contains(page, bad) {
				t.Errorf("key %q: the page has %q", key, bad)
			}
		}
		if !strings.Contains(page, "present: string of 13 bytes") {
			t.Errorf("key %q is not explained", key)
		}
	}
	if page := body(t, db, "/") + body(t, db, "/?format=json"); strings.Contains(page, "alert") {
		t.Error("a key that was not asked for is on the page")
	}
}

func TestAKeyOfAKeyspaceIsExplainedAndNoKeyspaceIsMade(t *testing.T) {
	db := open(t)
	ks, err := db.CreateKeyspace(`<i>`)
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.Put([]byte("k"), []byte("of the keyspace")); err != nil {
		t.Fatal(err)
	}
	if page := body(t, db, "/?key=k&keyspace=%3Ci%3E"); !strings.Contains(page, "present: string of 15 bytes") || strings.Contains(page, "<i>") {
		t.Error(page)
	}
	if page := body(t, db, "/?key=k"); strings.Contains(page, "present") {
		t.Error("the default keyspace has it")
	}
	if page := body(t, db, "/?key=k&keyspace=none"); !strings.Contains(page, "there is no keyspace") {
		t.Error(page)
	}
	if names, err := db.Keyspaces(); err != nil || len(names) != 1 {
		t.Errorf("keyspaces %q, %v", names, err)
	}
}

func TestTheJSONDecodesToTheSameReport(t *testing.T) {
	db := open(t)
	busy(t, db)
	var rep Report
	if err := json.Unmarshal([]byte(body(t, db, "/?format=json&key=key+000001")), &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Metrics.Tables.Count == 0 || rep.Metrics.Commits.Count != 20_000 || len(rep.Handles) != 2 || !rep.Tracked ||
		rep.Explanation == nil || !rep.Explanation.Verdict.Present || len(rep.Metrics.Runs) == 0 {
		t.Errorf("%+v", rep)
	}
}

func TestOnlyReadingIsAllowedAndNothingIsKept(t *testing.T) {
	db := open(t)
	for method, want := range map[string]int{
		http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodPut: 405, http.MethodDelete: 405,
	} {
		r := request(t, db, method, "/")
		if r.StatusCode != want {
			t.Errorf("%s: %s", method, r.Status)
		}
		for header, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if !strings.Contains(r.Header.Get(header), part) {
				t.Errorf("%s: %s is %q", method, header, r.Header.Get(header))
			}
		}
	}
	if r := request(t, db, http.MethodGet, "/?format=xml"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown format: %s", r.Status)
	}
}

func TestThePageShowsWhichStoreItIsAndHowItIsSet(t *testing.T) {
	db := open(t)
	for i := range 102 {
		if _, err := db.CreateKeyspace(fmt.Sprintf("ks %03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	page := body(t, db, "/")
	for _, want := range []string{
		"<b>db</b>", "open for ", "version ", "ks 099", "and 2 more",
		"<th>MemoryLimit</th><td>8.0 MiB</td>", "<th>MaxDiskBytes</th><td>no limit</td>", "<th>TrackOpen</th><td>yes</td>",
		"<th>Durability</th><td>os (", "<th>Compression</th><td>s2</td>", "<th>OldReaderAfter</th><td>10m0s</td>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, bad := range []string{"ks 100", "<th>FS<", "<th>Clock<", "<th>Logger<"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

func TestRatesAreOfTheTimeSinceTheLastLook(t *testing.T) {
	var l look
	m := metrics.Metrics{Uptime: time.Minute, Commits: metrics.Commits{Count: 600}}
	expect := func(count int64, since time.Duration, rate string) {
		t.Helper()
		lately, got := l.next(m)
		if r := (Report{Since: got}); lately.Commits.Count != count || got != since || r.Rate(lately.Commits.Count) != rate {
			t.Errorf("%d commits in %v, %s; want %d in %v, %s", lately.Commits.Count, got, r.Rate(lately.Commits.Count), count, since, rate)
		}
	}
	expect(600, time.Minute, "10.0/s")
	m.Uptime, m.Commits.Count = m.Uptime+10*time.Second, 605
	expect(5, 10*time.Second, "0.5/s")
	expect(0, 0, "0/s")
	m = metrics.Metrics{} // closed
	expect(0, 0, "0/s")
}

// Each part of the memory is on the page, so that what it shows sums to its total.
func TestEachPartOfTheMemoryIsOnThePage(t *testing.T) {
	for i := range reflect.TypeFor[metrics.Memory]().NumField() {
		if name := reflect.TypeFor[metrics.Memory]().Field(i).Name; !strings.Contains(pageText, "{{size .Memory."+name+"}}") {
			t.Errorf("the page lacks %s", name)
		}
	}
}

func TestAClosedStoreHasAPage(t *testing.T) {
	db := open(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if page := body(t, db, "/?key=k"); !strings.Contains(page, "no tables yet") || !strings.Contains(page, siltstone.ErrClosed.Error()) {
		t.Error(page)
	}
}

func TestADrawingOfManyTablesIsBounded(t *testing.T) {
	var rep Report
	for i := range 100 {
		run := metrics.LayoutRun{Age: uint64(i)}
		for j := range 1000 {
			run.Tables = append(run.Tables, metrics.LayoutTable{From: float64(j) / 1000, To: float64(j+1) / 1000, Bytes: 1, Records: 10, Deletes: 1})
		}
		rep.Layout.Runs = append(rep.Layout.Runs, run)
	}
	runs := rep.Drawing()
	if len(runs) != mostRuns || rep.Undrawn() != 100-mostRuns || len(runs[0].Boxes) != mostBoxes {
		t.Fatalf("%d runs, %d boxes in the first", len(runs), len(runs[0].Boxes))
	}
	for i, b := range runs[0].Boxes {
		if b.X != float64(4*i) || b.Width != 4 || b.Deletes != 2 || b.DeletesY != 18 || b.Label != "4 tables of 4 B, 40 records, 4 deletes" {
			t.Fatalf("box %d: %+v", i, b)
		}
	}
}

func TestATableIsDrawnHoweverSmall(t *testing.T) {
	b := boxOf([]metrics.LayoutTable{{From: 1, To: 1, Records: 1000, Deletes: 1}})
	if b.X+b.Width > drawn || b.Width < 1 || b.Deletes < 1 {
		t.Errorf("%+v", b)
	}
}
