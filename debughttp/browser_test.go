package debughttp

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// TestABrowserShowsThePage keeps its screenshots in the directory that
// SILTSTONE_SCREENSHOTS names.
func TestABrowserShowsThePage(t *testing.T) {
	for _, c := range []struct {
		name, query string
		fill        bool
		want        []string
	}{
		{"empty", "", false, []string{"<h2>Levels, newest first</h2>", "no tables yet", "<h2>Cache</h2>", "0 iterators, 0 snapshots"}},
		{"busy", "?key=key+000001", true, []string{"<progress", "<details><summary>iterator since", "1 iterator, 1 snapshot, 0", "present: string of 100 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			if c.fill {
				busy(t, db)
			}
			s := httptest.NewServer(Handler(db))
			defer s.Close()
			dom := browse(t, s.URL+"/"+c.query, "--dump-dom")
			for _, want := range append(c.want, "<tbody>") { // which the parser adds
				if !strings.Contains(dom, want) {
					t.Errorf("the rendered page lacks %q:\n%s", want, dom)
				}
			}
			dir := os.Getenv("SILTSTONE_SCREENSHOTS")
			if dir == "" {
				dir = t.TempDir()
			}
			shot := filepath.Join(dir, c.name+".png")
			browse(t, s.URL+"/"+c.query, "--screenshot="+shot)
			if dir := os.Getenv("SILTSTONE_SCREENSHOTS"); dir != "" { // as on a phone
				browse(t, s.URL+"/"+c.query, "--window-size=500,3600", "--screenshot="+filepath.Join(dir, c.name+"-narrow.png"))
			}
			if png, err := os.ReadFile(shot); err != nil || !strings.HasPrefix(string(png), "\x89PNG") || len(png) < 5000 {
				t.Errorf("the screenshot: %v, %d bytes", err, len(png))
			}
		})
	}
}
