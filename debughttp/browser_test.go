package debughttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// browse has headless Chromium open url and returns what it prints.
func browse(t *testing.T, url string, args ...string) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--window-size=1200,1600", "--user-data-dir=" + t.TempDir(),
	}, append(args, url)...)...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errors)
	}
	return string(out)
}

// screenshots has the browser draw url: once, or if screenshots are kept wide and narrow,
// as on a phone, in light and in dark.
func screenshots(t *testing.T, url, name string) {
	t.Helper()
	dir := os.Getenv("SILTSTONE_SCREENSHOTS")
	looks := []struct {
		name string
		args []string
	}{
		{"", nil}, {"-narrow", []string{"--window-size=500,4200"}},
		{"-dark", []string{"--blink-settings=preferredColorScheme=0"}}, {"-narrow-dark", []string{"--window-size=500,4200", "--blink-settings=preferredColorScheme=0"}},
	}
	if dir == "" {
		dir, looks = t.TempDir(), looks[:1]
	}
	for _, l := range looks {
		shot := filepath.Join(dir, name+l.name+".png")
		browse(t, url, append(l.args, "--screenshot="+shot)...)
		if png, err := os.ReadFile(shot); err != nil || !strings.HasPrefix(string(png), "\x89PNG") || len(png) < 5000 {
			t.Errorf("the screenshot: %v, %d bytes", err, len(png))
		}
	}
}

// TestABrowserShowsThePages keeps its screenshots in the directory that
// SILTSTONE_SCREENSHOTS names.
func TestABrowserShowsThePages(t *testing.T) {
	for _, c := range []struct {
		name, query string
		fill        bool
		want        []string
	}{
		{"empty", "", false, []string{"<h2>Levels, newest first</h2>", "no tables yet", "<h2>Cache</h2>", "0 iterators, 0 snapshots"}},
		{"busy", "?key=key+000001", true, []string{"<progress", "<rect class=\"table\"", "<details><summary>iterator since", "1 iterator, 1 snapshot, 0", "present: string of 100 bytes"}},
		{"keys", "keys", true, []string{"<td class=\"short\">zset</td>", "&lt;script&gt;", ">more</a>"}},
		{"value", "keys?key=a+board", true, []string{"<code>98</code>", "<code>24.75</code>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			if c.fill {
				busy(t, db)
				collections(t, db)
			}
			mux := http.NewServeMux()
			mux.Handle("/", Handler(db))
			mux.Handle("/keys", Keys(db))
			s := httptest.NewServer(mux)
			defer s.Close()
			dom := browse(t, s.URL+"/"+c.query, "--dump-dom")
			for _, want := range append(c.want, "<tbody>") { // which the parser adds
				if !strings.Contains(dom, want) {
					t.Errorf("the rendered page lacks %q:\n%s", want, dom)
				}
			}
			screenshots(t, s.URL+"/"+c.query, c.name)
		})
	}
}

// collections puts keys of each type before those of a busy store.
func collections(t testing.TB, db *siltstone.DB) {
	t.Helper()
	_, err1 := db.Hash("a <script>alert(1)</script>").SetMany(typed.Field{Name: "name", Value: []byte("Ada")}, typed.Field{Name: "born", Value: []byte("1815")})
	_, err2 := db.Set("a set").Add("one", "two")
	_, err3 := db.List("a list").PushBack([]byte("first"))
	err4 := db.PutTTL([]byte("a session \x00\xff"), []byte(strings.Repeat("text ", 100)), 20*time.Hour)
	err5 := db.Put([]byte("a key of "+strings.Repeat("many ", 100)+"bytes"), nil)
	for i := range 120 {
		if _, err := db.ZSet("a board").Add(fmt.Sprintf("player %03d", i), float64(i)/4+0.25); err != nil {
			t.Fatal(err)
		}
	}
	err6 := db.DeleteRange(siltstone.Range{Lower: []byte("key 010000"), Upper: []byte("key 015000")})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, db.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
}
