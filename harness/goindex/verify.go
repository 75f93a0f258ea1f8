package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/examples/goindex/index"
	"github.com/siltstonedb/siltstone/typed"
)

// state says how much of a package the index holds.
type state int

const (
	missing state = iota // nothing
	whole                // all, as in the source
	torn                 // something else
)

// verifier compares an index with the source it was made from.
type verifier struct {
	source   index.Tree
	progress index.Progress

	packages    map[state][]string // paths
	identifiers map[string]int     // over the packages found, as the source has them
	faults      []string
}

// compare is what the command does without -crash: the index must hold the tree and
// nothing else.
func compare(ctx context.Context, db *siltstone.DB, t index.Tree, out io.Writer) error {
	start := time.Now()
	v := verifier{source: t, progress: index.NewProgress("comparing", len(t.Packages))}
	err := v.run(ctx, db)
	v.progress.End()
	if err != nil {
		return err
	}
	for _, path := range v.packages[missing] {
		v.fault("%s: missing", path)
	}
	v.print(out)
	if n := len(v.faults); n > 0 {
		return fmt.Errorf("the index differs from the source in %d places", n)
	}
	fmt.Fprintf(out, "verify   %d packages are as in the source; %v\n", len(v.packages[whole]), time.Since(start).Round(time.Millisecond))
	return nil
}

// run judges every package of the source, and whether there is anything else.
func (v *verifier) run(ctx context.Context, db *siltstone.DB) error {
	s, err := db.NewSnapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	v.packages, v.identifiers = map[state][]string{}, map[string]int{}
	for _, d := range v.source.Packages {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := v.source.Load(d)
		if err != nil {
			return err
		}
		st, err := v.judge(s, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		v.packages[st] = append(v.packages[st], p.Path)
		v.progress.Step(p.Path)
	}
	return v.checkTotals(s)
}

// faultsShown bounds how many faults are printed one by one.
const faultsShown = 20

func (v *verifier) print(out io.Writer) {
	for i, f := range v.faults {
		if i == faultsShown {
			fmt.Fprintf(out, "differs: %d more\n", len(v.faults)-i)
			return
		}
		fmt.Fprintln(out, "differs:", f)
	}
}

func (v *verifier) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

// judge compares all that the index holds of a package with the source.
func (v *verifier) judge(in index.View, p *index.Package) (state, error) {
	exists, err := in.Hash(index.StatsPrefix + p.Path).Exists()
	if err != nil {
		return 0, err
	}
	if !exists {
		return missing, nil
	}
	p.Analyse()
	for name, n := range p.Identifiers {
		v.identifiers[name] += n
	}
	before := len(v.faults)
	for _, check := range []func(index.View, *index.Package) error{
		v.checkDigests, v.checkFiles, v.checkCounts, v.checkImports, v.checkIdentifiers,
	} {
		if err := check(in, p); err != nil {
			return 0, err
		}
	}
	if len(v.faults) > before {
		return torn, nil
	}
	return whole, nil
}

func (v *verifier) checkDigests(in index.View, p *index.Package) error {
	differ, err := index.Changed(in, p)
	if differ {
		v.fault("%s: digests", p.Path)
	}
	return err
}

// checkFiles reads every file back twice: its contents, and its lines put
// together.
func (v *verifier) checkFiles(in index.View, p *index.Package) error {
	var contents, joined []byte
	for _, f := range p.Files {
		path := p.FilePath(f.Name)
		var err error
		contents, err = in.AppendGet(contents[:0], index.FileKey(path))
		switch {
		case errors.Is(err, siltstone.ErrNotFound):
			v.fault("%s: no contents", path)
		case err != nil:
			return err
		case !bytes.Equal(contents, f.Contents):
			v.fault("%s: contents", path)
		}
		joined = joined[:0]
		for kv, err := range in.Scan(index.FileLines(path)) {
			if err != nil {
				return err
			}
			joined = append(append(joined, kv.Value...), '\n')
		}
		if joined = bytes.TrimSuffix(joined, []byte("\n")); !bytes.Equal(joined, f.Contents) {
			v.fault("%s: lines", path)
		}
	}
	return nil
}

func (v *verifier) checkCounts(in index.View, p *index.Package) error {
	stored, err := index.Counts(in, index.StatsPrefix+p.Path)
	if !maps.Equal(stored, p.Counts()) {
		v.fault("%s: counts are %v", p.Path, stored)
	}
	return err
}

func (v *verifier) checkImports(in index.View, p *index.Package) error {
	stored := map[string]bool{}
	for name, err := range in.Set(index.ImportsPrefix + p.Path).All() {
		if err != nil {
			return err
		}
		stored[name] = true
	}
	if !maps.Equal(stored, p.Imports) {
		v.fault("%s: imports", p.Path)
	}
	return nil
}

func (v *verifier) checkIdentifiers(in index.View, p *index.Package) error {
	return v.checkFrequencies(in, index.IdentifiersPrefix+p.Path, p.Identifiers)
}

func (v *verifier) checkFrequencies(in index.View, key string, want map[string]int) error {
	stored := map[string]int{}
	for m, err := range in.ZSet(key).Range(typed.ByRank(0, -1)) {
		if err != nil {
			return err
		}
		stored[m.Name] = int(m.Score)
	}
	if !maps.Equal(stored, want) {
		v.fault("%s: frequencies", key)
	}
	return nil
}

// checkTotals compares what was summed up over the packages, in the same
// transactions, with what is there: a file or line too many shows here.
func (v *verifier) checkTotals(in index.View) error {
	totals, err := index.Counts(in, index.TotalsKey)
	if err != nil {
		return err
	}
	for _, c := range []struct{ name, prefix string }{
		{index.CountFiles, index.FilePrefix}, {index.CountLines, index.LinePrefix}, {index.CountPackages, index.StatsPrefix},
	} {
		n, err := countKeys(in, c.prefix)
		if err != nil {
			return err
		}
		if n != totals[c.name] {
			v.fault("%d keys under %s, but %d %s in the totals", n, c.prefix, totals[c.name], c.name)
		}
	}
	if found := int64(len(v.packages[whole]) + len(v.packages[torn])); found != totals[index.CountPackages] {
		v.fault("%d packages in the totals, but %d of the source", totals[index.CountPackages], found)
	}
	return v.checkFrequencies(in, index.IdentifiersKey, v.identifiers)
}

// countKeys counts the keys with a prefix, without reading values.
func countKeys(in index.View, prefix string) (n int64, err error) {
	it, err := in.NewIter(&siltstone.IterOptions{Range: siltstone.Prefix([]byte(prefix)), KeysOnly: true})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, it.Close()
}
