// Package debughttp serves a page about a store: its options, rates, runs, background
// work, memory and open handles. It is for the people who run a service; mount it where
// nobody else has access, as you would net/http/pprof:
//
//	mux.Handle("/debug/store", debughttp.Handler(db))
//	mux.Handle("/debug/store/keys", debughttp.Keys(db)) // shows what is stored
package debughttp

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/explain"
	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/metrics"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	styleText string

	page = parse(pageText)
)

// parse makes a page of its text and the style that all pages share.
func parse(content string) *template.Template {
	t := template.New("page").Funcs(template.FuncMap{
		"size": quantity.Bytes, "took": quantity.Duration, "share": share, "count": count, "percent": percent, "text": text, "plain": plain,
	})
	return template.Must(template.Must(t.Parse(content)).New("style").Parse(styleText)).Lookup("page")
}

// Report is what the page shows, and the JSON object of ?format=json.
type Report struct {
	// Version is that of the module siltstone in the program, or "unknown".
	Version string
	Metrics metrics.Metrics
	// Lately are the metrics with the counters of the last look taken off, which was the
	// time Since ago. At the first look these count from Open on. All who look share one
	// last look.
	Lately metrics.Metrics
	Since  time.Duration
	// Layout is where the tables lie, which is drawn and not in the JSON object.
	Layout metrics.Layout `json:"-"`
	// Options are those in effect that are plain values.
	Options []Setting
	// Keyspaces are the names of the first keyspaces, at most 100, and MoreKeyspaces
	// counts the others.
	Keyspaces     []string
	MoreKeyspaces int
	// Tracked tells whether the store remembers who opened what.
	Tracked bool
	Handles []siltstone.OpenHandle
	// Explanation is of ?key=, and Problem why there is none. Keyspace is that of
	// &keyspace=, empty for the default one.
	Explanation *explain.Explanation `json:",omitempty"`
	Problem     string               `json:",omitempty"`
	Keyspace    string               `json:",omitempty"`
}

// Handler returns a handler that answers GET and HEAD with one page about db, in
// HTML or, with ?format=json, in JSON. It shows the names of keyspaces, but no keys and
// no values: those are on the page of Keys. With ?key=, and &keyspace= for one of a named keyspace, it explains what a
// read of that key returns, which tells whoever asks that the key exists. The page loads
// nothing and runs no script. It checks nobody's rights. Each request costs one call of
// Metrics and one of Keyspaces. Safe for concurrent use, and after Close of the store
// too.
func Handler(db *siltstone.DB) http.Handler {
	last := &look{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admit(w, r) {
			return
		}
		body, kind, err := render(newReport(db, r, last), r.FormValue("format"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body) // a reader who has gone away misses nothing
	})
}

// admit protects the answer, and refuses all requests but those that read.
func admit(w http.ResponseWriter, r *http.Request) bool {
	protect(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return false
	}
	return true
}

// protect keeps browsers from running, framing, guessing or keeping anything.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

func newReport(db *siltstone.DB, r *http.Request, last *look) Report {
	rep := Report{
		Version: version(), Metrics: db.Metrics(), Layout: db.Layout(), Options: settings(db.Options()), Tracked: db.Options().TrackOpen, Handles: db.OpenHandles(),
	}
	rep.Lately, rep.Since = last.next(rep.Metrics)
	rep.Keyspaces, _ = db.Keyspaces() // a store that is closed has none to show
	if more := len(rep.Keyspaces) - mostKeyspaces; more > 0 {
		rep.Keyspaces, rep.MoreKeyspaces = rep.Keyspaces[:mostKeyspaces], more
	}
	if key := r.FormValue("key"); key != "" {
		rep.Keyspace = r.FormValue("keyspace")
		e, err := explainKey(db, rep.Keyspace, key)
		if err != nil {
			rep.Problem = err.Error()
		}
		if err == nil || len(e.Sources) > 0 {
			rep.Explanation = &e
		}
	}
	return rep
}

// mostKeyspaces is how many keyspaces a report names.
const mostKeyspaces = 100

func explainKey(db *siltstone.DB, keyspace, key string) (explain.Explanation, error) {
	if keyspace == "" {
		return db.Explain([]byte(key))
	}
	e, err := db.ExplainIn(keyspace, []byte(key))
	if errors.Is(err, siltstone.ErrNotFound) {
		err = fmt.Errorf("there is no keyspace %q", keyspace)
	}
	return e, err
}

var errFormat = errors.New("format is html or json")

// render is the report in a format, and the type of its content.
func render(rep Report, format string) (body []byte, kind string, err error) {
	var b bytes.Buffer
	switch format {
	case "json":
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		err = e.Encode(rep)
		kind = "application/json"
	case "", "html":
		err = page.Execute(&b, rep)
		kind = "text/html; charset=utf-8"
	default:
		err = fmt.Errorf("%w, not %q", errFormat, format)
	}
	return b.Bytes(), kind, err
}
