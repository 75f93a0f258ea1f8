package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// question is something the index can be asked. Its answer is one text.
type question struct {
	text   string
	answer func(v view) (string, error)
}

var questions = []question{
	{"how large is the index", totals},
	{"files under src/net/", filesUnder("src/net/")},
	{"lines 1 to 3 of src/sort/sort.go", firstLines("src/sort/sort.go", 3)},
	{"the last line with text of src/sort/sort.go", lastLine("src/sort/sort.go")},
	{"imported by both src/net/http and src/net/rpc", commonImports("src/net/http", "src/net/rpc")},
	{"the ten most frequent identifiers", topIdentifiers(identifiersKey)},
	{"the ten most frequent identifiers of src/net/http", topIdentifiers(identifiersPrefix + "src/net/http")},
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
	for _, prefix := range []string{filePrefix, linePrefix} {
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

func totals(v view) (string, error) {
	n, err := counts(v, totalsKey)
	if err != nil {
		return "", err
	}
	identifiers, err := v.ZSet(identifiersKey).Len()
	return fmt.Sprintf("%d packages, %d files, %d lines, %s, %d identifiers", n[countPackages], n[countFiles],
		n[countLines], size(n[countBytes]), identifiers), err
}

func filesUnder(dir string) func(view) (string, error) {
	return func(v view) (string, error) {
		files, bytes := 0, 0
		for kv, err := range v.Scan(siltstone.Prefix(fileKey(dir))) {
			if err != nil {
				return "", err
			}
			files++
			bytes += len(kv.Value)
		}
		return fmt.Sprintf("%d files, %s", files, size(int64(bytes))), nil
	}
}

func firstLines(path string, n int) func(view) (string, error) {
	return func(v view) (string, error) {
		var found []string
		for kv, err := range v.Scan(lines(path, 1, n)) {
			if err != nil {
				return "", err
			}
			found = append(found, string(kv.Value))
		}
		return strings.Join(found, "\n  "), nil
	}
}

func lastLine(path string) func(view) (string, error) {
	return func(v view) (string, error) {
		for kv, err := range v.ScanBack(fileLines(path)) {
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

func commonImports(a, b string) func(view) (string, error) {
	return func(v view) (string, error) {
		return join(v.Set(importsPrefix+a).Inter(importsPrefix+b), func(s string) string { return s })
	}
}

func topIdentifiers(key string) func(view) (string, error) {
	return func(v view) (string, error) {
		return join(v.ZSet(key).Range(typed.ByRank(0, 9).Reverse()), func(m typed.Member) string {
			return fmt.Sprintf("%s %.0f", m.Name, m.Score)
		})
	}
}

func recentFiles(n int64) func(view) (string, error) {
	return func(v view) (string, error) {
		return join(v.List(recentKey).Range(0, n-1), func(b []byte) string { return string(b) })
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
