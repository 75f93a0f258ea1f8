package debughttp

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// keysBody returns the page of keys that target asks for.
func keysBody(t testing.TB, db *siltstone.DB, target string) string {
	t.Helper()
	w := httptest.NewRecorder()
	Keys(db).ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	return w.Body.String()
}

// next returns the address of the page after one, empty if it is the last.
func next(page string) string {
	if m := regexp.MustCompile(`<a href="([^"]*)">more</a>`).FindStringSubmatch(page); m != nil {
		return "/" + html.UnescapeString(m[1])
	}
	return ""
}

// walk returns what all pages from target on have between code tags.
func walk(t testing.TB, db *siltstone.DB, target string) (codes []string, pages int) {
	t.Helper()
	for ; target != ""; pages++ {
		page := keysBody(t, db, target)
		for _, m := range regexp.MustCompile(`<td>(?:<a href="[^"]*">)?<code>([^<]*)</code>`).FindAllStringSubmatch(page, -1) {
			codes = append(codes, html.UnescapeString(m[1]))
		}
		if target = next(page); pages > 100 {
			t.Fatal("the pages do not end")
		}
	}
	return codes, pages
}

func TestAWalkOverPagesMeetsEachKeyOnce(t *testing.T) {
	db := open(t)
	ks, err := db.CreateKeyspace("tenant <1>")
	if err != nil {
		t.Fatal(err)
	}
	const n = 250
	for i := range n {
		key := fmt.Appendf(nil, "a%03d\x00\xff<&+ %%", i)
		if err := errors.Join(db.Put(key, nil), ks.Put(append(key, "of the keyspace"...), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Put([]byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	for target, count := range map[string]int{"/": n + 1, "/?prefix=a": n, "/?prefix=a1": 100, "/?prefix=c": 0, "/?keyspace=tenant+%3C1%3E": n} {
		codes, pages := walk(t, db, target)
		seen := map[string]bool{}
		for _, c := range codes {
			seen[c] = true
		}
		if len(codes) != count || len(seen) != count || pages != max(1, (count+pageItems-1)/pageItems) {
			t.Errorf("%s: %d keys, %d of them different, on %d pages, want %d", target, len(codes), len(seen), pages, count)
		}
		if count > 0 && !strings.HasPrefix(codes[0], `"a`) {
			t.Errorf("%s begins with %s", target, codes[0])
		}
	}
}

func TestEachTypeHasItsPage(t *testing.T) {
	db := open(t)
	const n = 250
	var fields []typed.Field
	var members []typed.Member
	var names []string
	var values [][]byte
	for i := range n {
		name := fmt.Sprintf("e%03d <i>", i)
		fields, members = append(fields, typed.Field{Name: name, Value: []byte("v <b>")}), append(members, typed.Member{Name: name, Score: float64(i) / 4})
		names, values = append(names, name), append(values, []byte(name))
	}
	_, err1 := db.Hash("hash").SetMany(fields...)
	_, err2 := db.Set("set").Add(names...)
	_, err3 := db.ZSet("zset").AddMany(0, members...)
	_, err4 := db.List("list").PushBack(values...)
	err5 := db.PutTTL([]byte("string"), []byte(strings.Repeat("text\n", 2000)), time.Hour)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	keys := keysBody(t, db, "/")
	for _, kind := range []string{"hash", "set", "zset", "list"} {
		if !strings.Contains(keys, fmt.Sprintf(`<td class="short">%s</td><td class="short">250</td><td class="short">none</td>`, kind)) {
			t.Errorf("the list lacks the %s:\n%s", kind, keys)
		}
		cells, pages := walk(t, db, "/?key="+kind)
		all := strings.Join(cells, "\n")
		if pages != 3 || strings.Count(all, " <i>") != n || !strings.Contains(all, "e249") {
			t.Errorf("%s: %d pages:\n%s", kind, pages, all)
		}
	}
	if page := keysBody(t, db, "/?key=zset&after=100"); !strings.Contains(page, "<code>100</code></td><td><code>25</code>") {
		t.Error("a sorted set is not shown with rank and score")
	}
	page := keysBody(t, db, "/?key=string")
	for _, want := range []string{"<td>10000</td>", `text\\ntext\\n`, "and 5904 more bytes", `<th>time to live</th><td>(1h0m0s|59m\d+s)<`} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the string's page lacks %q:\n%s", want, page)
		}
	}
	for target, want := range map[string]string{
		"/?key=nothing": "there is no such key", "/?keyspace=nothing": "there is no keyspace", "/?key=list&after=x": "a position",
	} {
		if page := keysBody(t, db, target); !strings.Contains(page, want) {
			t.Errorf("%s: the page lacks %q:\n%s", target, want, page)
		}
	}
	if names, err := db.Keyspaces(); err != nil || len(names) != 0 {
		t.Errorf("keyspaces %q, %v", names, err)
	}
}

func TestHostileKeysAndValuesStayTextOnTheirPages(t *testing.T) {
	db := open(t)
	for _, bad := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</code></td><h1>`, "{{.}}", "javascript:alert(1)", "\x00\xff'\u202e\u2028", `\"`, "</style><b>",
	} {
		_, err1 := db.Hash("h"+bad).Set(bad, []byte(bad))
		_, err2 := db.Set("s" + bad).Add(bad)
		_, err3 := db.ZSet("z"+bad).Add(bad, 1)
		_, err4 := db.List("l" + bad).PushBack([]byte(bad))
		if err := errors.Join(db.Put([]byte(bad), []byte(bad)), err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		pages := keysBody(t, db, "/") + keysBody(t, db, "/?prefix="+url.QueryEscape(bad)) + keysBody(t, db, "/?keyspace="+url.QueryEscape(bad)) +
			keysBody(t, db, "/?key=l&after="+url.QueryEscape(bad))
		for _, key := range []string{bad, "h" + bad, "s" + bad, "z" + bad, "l" + bad} {
			page := keysBody(t, db, "/?key="+url.QueryEscape(key))
			if !strings.Contains(page, "<th>type</th>") || strings.Contains(page, noKey) {
				t.Errorf("key %q has no page:\n%s", key, page)
			}
			pages += page
		}
		for _, danger := range []string{"<script", "<img", "<h1></", "</td><h1", "\x00", "\u202e", "\u2028", `href="javascript`, "</style><b>"} {
			if strings.Contains(pages, danger) {
				t.Errorf("%q: a page has %q", bad, danger)
			}
		}
	}
}

func TestPagesOfLargeKeysAndValuesAreBounded(t *testing.T) {
	db := open(t)
	long := strings.Repeat("<", siltstone.MaxKeyLen-4)
	for i := range 120 {
		if err := db.Put(fmt.Appendf(nil, "%s%03d", long, i), []byte(strings.Repeat("&", 64<<10))); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		if _, err := db.List("list").PushBack([]byte(strings.Repeat("&", 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"/", "/?key=" + url.QueryEscape(long+"007"), "/?key=list"} {
		if page := keysBody(t, db, target); len(page) > 1<<20 {
			t.Errorf("a page has %d bytes", len(page))
		}
	}
	if codes, pages := walk(t, db, "/?key=list"); pages != 2 || len(codes) != 2*10 {
		t.Errorf("%d positions and values on %d pages", len(codes), pages)
	}
	if codes, pages := walk(t, db, "/"); pages != 2 || len(codes) != 121 {
		t.Errorf("%d keys on %d pages", len(codes), pages)
	}
}

func TestThePageOfKeysIsOnlyRead(t *testing.T) {
	db := open(t)
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405, http.MethodDelete: 405} {
		w := httptest.NewRecorder()
		Keys(db).ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != want || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d, %v", method, w.Code, w.Header())
		}
	}
	if m := db.Metrics(); m.Open.Snapshots != 0 || m.Commits.Count != 0 {
		t.Errorf("left behind: %+v, %d commits", m.Open, m.Commits.Count)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if page := keysBody(t, db, "/"); !strings.Contains(page, siltstone.ErrClosed.Error()) {
		t.Error(page)
	}
}

func TestTextIsCutBetweenRunes(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"ab\n\xff", 10, `"ab\n\xff"`}, {"abcdef", 4, `"abcd" and 2 more bytes`}, {"abcé", 4, `"abc" and 2 more bytes`}, {"", 4, `""`},
	} {
		if got := quoted(c.in, c.most); got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
}
