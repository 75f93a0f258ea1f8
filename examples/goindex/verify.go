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
	source   tree
	progress progress

	packages    map[state][]string // paths
	identifiers map[string]int     // over the packages found, as the source has them
	faults      []string
}

// compare is -verify: the index must hold the tree and nothing else.
func compare(ctx context.Context, db *siltstone.DB, t tree, out io.Writer) error {
	start := time.Now()
	v := verifier{source: t, progress: newProgress("comparing", len(t.packages))}
	err := v.run(ctx, db)
	v.progress.end()
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
	fmt.Fprintf(out, "verify   %d packages are as in the source; %v\n", len(v.packages[whole]), since(start))
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
	for _, d := range v.source.packages {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := v.source.load(d)
		if err != nil {
			return err
		}
		st, err := v.judge(s, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		v.packages[st] = append(v.packages[st], p.path)
		v.progress.step(p.path)
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
func (v *verifier) judge(in view, p *sourcePackage) (state, error) {
	exists, err := in.Hash(statsPrefix + p.path).Exists()
	if err != nil {
		return 0, err
	}
	if !exists {
		return missing, nil
	}
	p.analyse()
	for name, n := range p.identifiers {
		v.identifiers[name] += n
	}
	before := len(v.faults)
	for _, check := range []func(view, *sourcePackage) error{
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

func (v *verifier) checkDigests(in view, p *sourcePackage) error {
	differ, err := changed(in, p)
	if differ {
		v.fault("%s: digests", p.path)
	}
	return err
}

// checkFiles reads every file back twice: its contents, and its lines put
// together.
func (v *verifier) checkFiles(in view, p *sourcePackage) error {
	var contents, joined []byte
	for _, f := range p.files {
		path := p.filePath(f.name)
		var err error
		contents, err = in.AppendGet(contents[:0], fileKey(path))
		switch {
		case errors.Is(err, siltstone.ErrNotFound):
			v.fault("%s: no contents", path)
		case err != nil:
			return err
		case !bytes.Equal(contents, f.contents):
			v.fault("%s: contents", path)
		}
		joined = joined[:0]
		for kv, err := range in.Scan(fileLines(path)) {
			if err != nil {
				return err
			}
			joined = append(append(joined, kv.Value...), '\n')
		}
		if joined = bytes.TrimSuffix(joined, newline); !bytes.Equal(joined, f.contents) {
			v.fault("%s: lines", path)
		}
	}
	return nil
}

func (v *verifier) checkCounts(in view, p *sourcePackage) error {
	stored, err := counts(in, statsPrefix+p.path)
	if !maps.Equal(stored, p.counts()) {
		v.fault("%s: counts are %v", p.path, stored)
	}
	return err
}

func (v *verifier) checkImports(in view, p *sourcePackage) error {
	stored := map[string]bool{}
	for name, err := range in.Set(importsPrefix + p.path).All() {
		if err != nil {
			return err
		}
		stored[name] = true
	}
	if !maps.Equal(stored, p.imports) {
		v.fault("%s: imports", p.path)
	}
	return nil
}

func (v *verifier) checkIdentifiers(in view, p *sourcePackage) error {
	return v.checkFrequencies(in, identifiersPrefix+p.path, p.identifiers)
}

func (v *verifier) checkFrequencies(in view, key string, want map[string]int) error {
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
func (v *verifier) checkTotals(in view) error {
	totals, err := counts(in, totalsKey)
	if err != nil {
		return err
	}
	for _, c := range []struct{ name, prefix string }{
		{countFiles, filePrefix}, {countLines, linePrefix}, {countPackages, statsPrefix},
	} {
		n, err := countKeys(in, c.prefix)
		if err != nil {
			return err
		}
		if n != totals[c.name] {
			v.fault("%d keys under %s, but %d %s in the totals", n, c.prefix, totals[c.name], c.name)
		}
	}
	if found := int64(len(v.packages[whole]) + len(v.packages[torn])); found != totals[countPackages] {
		v.fault("%d packages in the totals, but %d of the source", totals[countPackages], found)
	}
	return v.checkFrequencies(in, identifiersKey, v.identifiers)
}

// countKeys counts the keys with a prefix, without reading values.
func countKeys(in view, prefix string) (n int64, err error) {
	it, err := in.NewIter(&siltstone.IterOptions{Range: siltstone.Prefix([]byte(prefix)), KeysOnly: true})
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, it.Close()
}
