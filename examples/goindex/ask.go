package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/examples/goindex/index"
	"github.com/siltstonedb/siltstone/typed"
)

// question is something the index can be asked. Its answer is one text.
type question struct {
	text   string
	answer func(v index.View) (string, error)
}

var questions = []question{
	{"how large is the index", totals},
	{"files under src/net/", filesUnder("src/net/")},
	{"lines 1 to 3 of src/sort/sort.go", firstLines("src/sort/sort.go", 3)},
	{"the last line with text of src/sort/sort.go", lastLine("src/sort/sort.go")},
	{"imported by both src/net/http and src/net/rpc", commonImports("src/net/http", "src/net/rpc")},
	{"the ten most frequent identifiers", topIdentifiers(index.IdentifiersKey)},
	{"the ten most frequent identifiers of src/net/http", topIdentifiers(index.IdentifiersPrefix + "src/net/http")},
	{"the files indexed last", recentFiles(3)},
}

// ask asks all questions of one state of the index.
func ask(db *siltstone.DB, out io.Writer) error {
	s, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	for _, q := range questions {
		start := time.Now()
		answer, err := q.answer(s)
		if err != nil {
			return fmt.Errorf("%s: %w", q.text, err)
		}
		if answer == "" {
			answer = "(nothing)"
		}
		fmt.Fprintf(out, "? %s (%v)\n  %s\n", q.text, since(start), answer)
	}
	return printSizes(db, out)
}

// printSizes shows how much of the tables each kind of raw key takes.
func printSizes(db *siltstone.DB, out io.Writer) error {
	all, err := db.EstimateSize(siltstone.Range{})
	if err != nil {
		return err
	}
	rest := all
	fmt.Fprintf(out, "\ntables   about %s:", size(all))
	for _, prefix := range []string{index.FilePrefix, index.LinePrefix} {
		n, err := db.EstimateSize(siltstone.Prefix([]byte(prefix)))
		if err != nil {
			return err
		}
		rest -= n
		fmt.Fprintf(out, " %s %s,", prefix, size(n))
	}
	fmt.Fprintf(out, " the typed values %s\n", size(rest))
	return nil
}

func totals(v index.View) (string, error) {
	n, err := index.Counts(v, index.TotalsKey)
	if err != nil {
		return "", err
	}
	identifiers, err := v.ZSet(index.IdentifiersKey).Len()
	return fmt.Sprintf("%d packages, %d files, %d lines, %s, %d identifiers", n[index.CountPackages], n[index.CountFiles],
		n[index.CountLines], size(n[index.CountBytes]), identifiers), err
}

func filesUnder(dir string) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		files, bytes := 0, 0
		for kv, err := range v.Scan(siltstone.Prefix(index.FileKey(dir))) {
			if err != nil {
				return "", err
			}
			files++
			bytes += len(kv.Value)
		}
		return fmt.Sprintf("%d files, %s", files, size(int64(bytes))), nil
	}
}

func firstLines(path string, n int) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		var found []string
		for kv, err := range v.Scan(index.Lines(path, 1, n)) {
			if err != nil {
				return "", err
			}
			found = append(found, string(kv.Value))
		}
		return strings.Join(found, "\n  "), nil
	}
}

func lastLine(path string) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		for kv, err := range v.ScanBack(index.FileLines(path)) {
			if err != nil {
				return "", err
			}
			if len(kv.Value) > 0 {
				return string(kv.Value), nil
			}
		}
		return "", nil
	}
}

func commonImports(a, b string) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		return join(v.Set(index.ImportsPrefix+a).Inter(index.ImportsPrefix+b), func(s string) string { return s })
	}
}

func topIdentifiers(key string) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		return join(v.ZSet(key).Range(typed.ByRank(0, 9).Reverse()), func(m typed.Member) string {
			return fmt.Sprintf("%s %.0f", m.Name, m.Score)
		})
	}
}

func recentFiles(n int64) func(index.View) (string, error) {
	return func(v index.View) (string, error) {
		return join(v.List(index.RecentKey).Range(0, n-1), func(b []byte) string { return string(b) })
	}
}

// join strings the items of a loop together.
func join[T any](items func(func(T, error) bool), text func(T) string) (string, error) {
	var b strings.Builder
	for item, err := range items {
		if err != nil {
			return "", err
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(text(item))
	}
	return b.String(), nil
}
