package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// view is what the index is read through: the store, a transaction or a
// snapshot.
type view interface {
	siltstone.Reader
	siltstone.Typed
}

// loader makes the index equal to a source tree, one transaction per package
// that differs. It is used once.
type loader struct {
	db       *siltstone.DB
	source   tree
	progress progress
	// committed is called after each commit; nil is fine.
	committed func(path string) error

	result loadResult
}

// loadResult is what a load did.
type loadResult struct {
	commits   int // one per package that was new, different or gone
	gone      int // of them
	unchanged int // packages
	files     int // written
	lines     int
	bytes     int64 // of contents
}

// prepared is a package on its way from the preparing goroutine to the
// committing one.
type prepared struct {
	pkg     *sourcePackage
	changed bool
	err     error
}

// run loads. While a package is being committed the next ones are read and
// scanned. Ended half-way, by the context for instance, it leaves whole packages
// behind, and the next run goes on from there.
func (l *loader) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	packages := make(chan prepared, 4)
	go func() {
		defer close(packages)
		l.prepare(ctx, packages)
	}()
	defer func() {
		cancel()
		for range packages { // wait until the goroutine is gone
		}
	}()
	for p := range packages {
		if p.err != nil {
			return p.err
		}
		if err := l.take(ctx, p); err != nil {
			return err
		}
		l.progress.step(p.pkg.path)
	}
	return ctx.Err()
}

// prepare sends every package of the tree, and those that have left it, until
// the context ends or an error has been sent.
func (l *loader) prepare(ctx context.Context, to chan<- prepared) {
	send := func(p prepared) bool {
		select {
		case to <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	for _, d := range l.source.packages {
		p := prepared{}
		if p.pkg, p.err = l.source.load(d); p.err == nil {
			p.changed, p.err = changed(l.db, p.pkg)
		}
		if p.changed {
			p.pkg.analyse()
		}
		if !send(p) {
			return
		}
	}
	gone, err := l.gone()
	if err != nil {
		send(prepared{err: err})
		return
	}
	for _, path := range gone {
		if !send(prepared{pkg: &sourcePackage{path: path}, changed: true}) {
			return
		}
	}
}

// gone returns the packages of the index that the tree does not have.
func (l *loader) gone() ([]string, error) {
	var paths []string
	inTree := map[string]bool{}
	for _, d := range l.source.packages {
		inTree[d.path] = true
	}
	for key, err := range l.db.Keys().All(typed.KeyOptions{Match: statsPrefix + "*"}) {
		if err != nil {
			return nil, err
		}
		if path := strings.TrimPrefix(key.Name(), statsPrefix); !inTree[path] {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// changed compares the digests of the package with those in the index. Both are
// in the order of the file names.
func changed(v view, p *sourcePackage) (bool, error) {
	i := 0
	for f, err := range v.Hash(digestsPrefix + p.path).All() {
		if err != nil {
			return false, err
		}
		if i == len(p.files) || f.Name != p.files[i].name || !bytes.Equal(f.Value, p.files[i].digest[:]) {
			return true, nil
		}
		i++
	}
	return i < len(p.files), nil
}

// take commits the package if it has changed.
func (l *loader) take(ctx context.Context, p prepared) error {
	if !p.changed {
		l.result.unchanged++
		return nil
	}
	err := l.db.Update(ctx, func(tx *siltstone.Tx) error {
		if err := remove(tx, p.pkg.path); err != nil {
			return err
		}
		return add(tx, p.pkg)
	})
	if err != nil {
		return err
	}
	// Counted here and not in the closure, which may run more than once.
	n := p.pkg.counts()
	l.result.commits++
	if len(p.pkg.files) == 0 {
		l.result.gone++
	}
	l.result.files += len(p.pkg.files)
	l.result.lines += int(n[countLines])
	l.result.bytes += n[countBytes]
	if l.committed == nil {
		return nil
	}
	return l.committed(p.pkg.path)
}

// add writes a package that is not in the index.
func add(tx *siltstone.Tx, p *sourcePackage) error {
	if len(p.files) == 0 {
		return nil
	}
	for _, write := range []func(*siltstone.Tx, *sourcePackage) error{
		addFiles, addCounts, addImports, addIdentifiers, addRecent,
	} {
		if err := write(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// addFiles writes contents, lines and digests.
func addFiles(tx *siltstone.Tx, p *sourcePackage) error {
	var digests []typed.Field
	for i := range p.files {
		f := &p.files[i]
		path := p.filePath(f.name)
		if err := tx.Put(fileKey(path), f.contents); err != nil {
			return err
		}
		for n, line := range f.lines() {
			if err := tx.Put(lineKey(path, n), line); err != nil {
				return err
			}
		}
		digests = append(digests, typed.Field{Name: f.name, Value: f.digest[:]})
	}
	_, err := tx.Hash(digestsPrefix + p.path).SetMany(digests...)
	return err
}

func addCounts(tx *siltstone.Tx, p *sourcePackage) error {
	stats, totals := tx.Hash(statsPrefix+p.path), tx.Hash(totalsKey)
	for name, n := range p.counts() {
		if _, err := stats.Set(name, strconv.AppendInt(nil, n, 10)); err != nil {
			return err
		}
		if name == countIdentifiers {
			continue // the same identifier is in many packages
		}
		if _, err := totals.Incr(name, n); err != nil {
			return err
		}
	}
	_, err := totals.Incr(countPackages, 1)
	return err
}

func addImports(tx *siltstone.Tx, p *sourcePackage) error {
	_, err := tx.Set(importsPrefix + p.path).Add(slices.Sorted(maps.Keys(p.imports))...)
	return err
}

func addIdentifiers(tx *siltstone.Tx, p *sourcePackage) error {
	members := make([]typed.Member, 0, len(p.identifiers))
	all := tx.ZSet(identifiersKey)
	for name, n := range p.identifiers {
		members = append(members, typed.Member{Name: name, Score: float64(n)})
		if _, err := all.Incr(name, float64(n)); err != nil {
			return err
		}
	}
	_, err := tx.ZSet(identifiersPrefix+p.path).AddMany(0, members...)
	return err
}

func addRecent(tx *siltstone.Tx, p *sourcePackage) error {
	paths := make([][]byte, len(p.files))
	for i, f := range p.files {
		paths[i] = []byte(p.filePath(f.name))
	}
	recent := tx.List(recentKey)
	if _, err := recent.PushFront(paths...); err != nil {
		return err
	}
	return recent.Trim(0, recentLen-1)
}
