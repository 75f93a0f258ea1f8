package debughttp

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/internal/quantity"
	"github.com/siltstonedb/siltstone/typed"
)

//go:embed keys.html
var keysText string

var keysPage = parse(keysText)

// The bounds of a page.
const (
	pageItems   = 100     // keys or elements
	pageBytes   = 4 << 20 // of elements that are read for it; it ends with the one that passes this
	shownBytes  = 256     // of a name or value in a table
	stringBytes = 4 << 10 // of a string that is shown
	linkedBytes = 1 << 10 // a longer key of a list is not a link
)

// Keys returns a handler that answers GET and HEAD with pages of a hundred keys each, in
// order, with their types: with ?keyspace= those of a named keyspace, with &prefix= those
// that begin with it. A key leads to its value: the first 4 KiB of a string, the elements of
// a collection in pages of a hundred. It shows what is stored to whoever can reach it, so
// it is apart from Handler. It changes nothing, the page loads nothing and runs no script.
// It checks nobody's rights. A request reads one page, from a snapshot of its own; values
// of lists and hashes and long strings are read whole. Safe for concurrent use, and after
// Close of the store too.
func Keys(db *siltstone.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admit(w, r) {
			return
		}
		var b bytes.Buffer
		if err := keysPage.Execute(&b, newKeysReport(db, r)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes()) // a reader who has gone away misses nothing
	})
}

// keysReport is what a page of keys shows.
type keysReport struct {
	Dir, Keyspace, Prefix string
	Problem               string
	Keys                  []keyLine
	Value                 *valueReport // of the key that was asked for
	More                  template.URL // the next page of keys; empty: this is the last
}

// keyLine is a key in a list.
type keyLine struct {
	Name, Type, Elements, TTL string
	Link                      template.URL
}

// Link is the address of a page: of a key, of the keys after one, or of those with a
// prefix.
func (r keysReport) Link(key string, after *string, prefix string) template.URL {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("keyspace", r.Keyspace)
	set("prefix", prefix)
	set("key", key)
	if after != nil {
		q.Set("after", *after)
	}
	return template.URL("?" + q.Encode())
}

func newKeysReport(db *siltstone.DB, r *http.Request) keysReport {
	rep := keysReport{Dir: db.Metrics().Dir, Keyspace: r.FormValue("keyspace"), Prefix: r.FormValue("prefix")}
	if err := rep.fill(db, r); err != nil {
		rep.Problem = err.Error()
	}
	return rep
}

// fill reads the page that a request asks for.
func (r *keysReport) fill(db *siltstone.DB, req *http.Request) error {
	snap, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	if r.Keyspace != "" {
		ks, err := db.Keyspace(r.Keyspace)
		if errors.Is(err, siltstone.ErrNotFound) {
			return fmt.Errorf("there is no keyspace %q", r.Keyspace)
		}
		if err != nil {
			return err
		}
		snap = snap.In(ks)
	}
	var after *string
	if req.Form.Has("after") {
		s := req.Form.Get("after")
		after = &s
	}
	if key := req.FormValue("key"); key != "" {
		r.Value = &valueReport{Key: key}
		return r.Value.fill(snap, after, func(after string) template.URL { return r.Link(key, &after, r.Prefix) })
	}
	return r.list(snap, after)
}

// list reads a page of keys.
func (r *keysReport) list(snap *siltstone.Snapshot, after *string) error {
	var from siltstone.Range
	if r.Prefix != "" {
		from = siltstone.Prefix([]byte(r.Prefix))
	}
	if after != nil {
		from = from.After([]byte(*after))
	}
	for kv, err := range snap.ScanKeys(from) {
		if err != nil {
			return err
		}
		if len(r.Keys) == pageItems {
			last := r.Keys[pageItems-1].Name
			r.More = r.Link("", &last, r.Prefix)
			return nil
		}
		k := keyLine{Name: string(kv.Key), Type: kv.Type.String()}
		if len(k.Name) <= linkedBytes {
			k.Link = r.Link(k.Name, nil, r.Prefix)
		}
		var length int64
		if length, err = lengthOf(snap, k.Name, kv.Type); err != nil {
			return err
		}
		if kv.Type != typed.TypeString {
			k.Elements = strconv.FormatInt(length, 10)
		}
		ttl, err := snap.TTL(kv.Key)
		if err != nil {
			return err
		}
		k.TTL = ttlText(ttl)
		r.Keys = append(r.Keys, k)
	}
	return nil
}

// lengthOf returns how many elements a collection has; 0 for a string.
func lengthOf(snap *siltstone.Snapshot, name string, t typed.Type) (int64, error) {
	switch t {
	case typed.TypeHash:
		return snap.Hash(name).Len()
	case typed.TypeSet:
		return snap.Set(name).Len()
	case typed.TypeZSet:
		return snap.ZSet(name).Len()
	case typed.TypeList:
		return snap.List(name).Len()
	}
	return 0, nil
}

func ttlText(ttl time.Duration) string {
	if ttl == siltstone.NoTTL {
		return "none"
	}
	return quantity.Duration(ttl)
}

// plain returns s if a field of a form gives it back as it is, or else nothing.
func plain(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return ""
	}
	return s
}

// text shows bytes as a quoted string: what is not printable is escaped, so that nothing
// hides in a page or turns its text around. A long one is cut, which is told.
func text(s string) string { return quoted(s, shownBytes) }

func quoted(s string, most int) string {
	if len(s) <= most {
		return strconv.Quote(s)
	}
	cut := most
	for cut > most-4 && s[cut]&0xc0 == 0x80 { // between runes
		cut--
	}
	return strings.TrimSuffix(strconv.Quote(s[:cut]), `"`) + fmt.Sprintf(`" and %d more bytes`, len(s)-cut)
}
