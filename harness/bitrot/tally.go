package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// tally counts the verdicts of a part of an engine's files.
type tally struct {
	Files, Bytes int
	Cases        int
	Counts       map[verdict]int
}

func (t *tally) broken() (n int) {
	for v, count := range t.Counts {
		if v.broken() {
			n += count
		}
	}
	return n
}

// tallies are those of all engines and parts, by the names of both.
type tallies map[string]*tally

// parts are the parts of a store, of which each is a table.
var parts = []struct {
	name  string
	isLog bool
	title string
}{
	{"rest", false, "Damage outside of the log in use, and files swapped"},
	{"log", true, "Damage of the log in use"},
}

// of returns the tally for cases of an image.
func (all tallies) of(img *image, isLog bool) *tally {
	name := img.Engine + "/" + parts[0].name
	if isLog {
		name = img.Engine + "/" + parts[1].name
	}
	if all[name] == nil {
		files, bytes := img.size(isLog)
		all[name] = &tally{Files: files, Bytes: bytes, Counts: map[verdict]int{}}
	}
	return all[name]
}

// readTallies reads what an earlier run has written; none if there is no such file.
func readTallies(name string) (tallies, error) {
	all := tallies{}
	content, err := os.ReadFile(name)
	if name == "" || errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(content, &all)
}

func (all tallies) write(name string) error {
	if name == "" {
		return nil
	}
	content, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(content, '\n'), 0o644)
}

// report returns the counts in Markdown, a table for each part, and then what was set.
func (all tallies) report() string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%s:\n\n| engine | files, bytes | cases |", p.title)
		for _, v := range verdicts {
			fmt.Fprintf(&b, " %s |", v)
		}
		b.WriteString("\n|---|---|" + strings.Repeat("--:|", len(verdicts)+1) + "\n")
		for _, k := range engineKinds() {
			t := all[k.name+"/"+p.name]
			if t == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s | %d, %d | %d |", k.name, t.Files, t.Bytes, t.Cases)
			for _, v := range verdicts {
				fmt.Fprintf(&b, " %d |", t.Counts[v])
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	for _, k := range engineKinds() {
		if all[k.name+"/"+parts[0].name] != nil {
			fmt.Fprintf(&b, "* %s: %s %s, %s.\n", k.name, k.module, k.version(), k.options)
		}
	}
	return b.String()
}
