package index

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

// View is what the index is read through: the store, a transaction or a
// snapshot.
type View interface {
	siltstone.Reader
	siltstone.Typed
}

// Loader makes the index equal to a source tree, one transaction per package
// that differs. It is used once.
type Loader struct {
	DB       *siltstone.DB
	Source   Tree
	Progress Progress
	// Committed is called after each commit; nil is fine.
	Committed func(path string) error

	Result Result
}

// Result is what a load did.
type Result struct {
	Commits   int // one per package that was new, different or gone
	Gone      int // of them
	Unchanged int // packages
	Files     int // written
	Lines     int
	Bytes     int64 // of contents
}

// prepared is a package on its way from the preparing goroutine to the
// committing one.
type prepared struct {
	pkg     *Package
	changed bool
	err     error
}

// Run loads. While a package is being committed the next ones are read and
// scanned. Ended half-way, by the context for instance, it leaves whole packages
// behind, and the next run goes on from there.
func (l *Loader) Run(ctx context.Context) error {
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
		l.Progress.Step(p.pkg.Path)
	}
	return ctx.Err()
}

// prepare sends every package of the tree, and those that have left it, until
// the context ends or an error has been sent.
func (l *Loader) prepare(ctx context.Context, to chan<- prepared) {
	send := func(p prepared) bool {
		select {
		case to <- p:
			return p.err == nil
		case <-ctx.Done():
			return false
		}
	}
	for _, d := range l.Source.Packages {
		p := prepared{}
		if p.pkg, p.err = l.Source.Load(d); p.err == nil {
			p.changed, p.err = Changed(l.DB, p.pkg)
		}
		if p.changed {
			p.pkg.Analyse()
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
		if !send(prepared{pkg: &Package{Path: path}, changed: true}) {
			return
		}
	}
}

// gone returns the packages of the index that the tree does not have.
func (l *Loader) gone() ([]string, error) {
	var paths []string
	inTree := map[string]bool{}
	for _, d := range l.Source.Packages {
		inTree[d.Path] = true
	}
	for key, err := range l.DB.Keys().All(typed.KeyOptions{Match: StatsPrefix + "*"}) {
		if err != nil {
			return nil, err
		}
		if path := strings.TrimPrefix(key.Name(), StatsPrefix); !inTree[path] {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// Changed compares the digests of the package with those in the index. Both are
// in the order of the file names.
func Changed(v View, p *Package) (bool, error) {
	i := 0
	for f, err := range v.Hash(DigestsPrefix + p.Path).All() {
		if err != nil {
			return false, err
		}
		if i == len(p.Files) || f.Name != p.Files[i].Name || !bytes.Equal(f.Value, p.Files[i].Digest[:]) {
			return true, nil
		}
		i++
	}
	return i < len(p.Files), nil
}

// take commits the package if it has changed.
func (l *Loader) take(ctx context.Context, p prepared) error {
	if !p.changed {
		l.Result.Unchanged++
		return nil
	}
	err := l.DB.Update(ctx, func(tx *siltstone.Tx) error {
		if err := remove(tx, p.pkg.Path); err != nil {
			return err
		}
		return add(tx, p.pkg)
	})
	if err != nil {
		return err
	}
	// Counted here and not in the closure, which may run more than once.
	n := p.pkg.Counts()
	l.Result.Commits++
	if len(p.pkg.Files) == 0 {
		l.Result.Gone++
	}
	l.Result.Files += len(p.pkg.Files)
	l.Result.Lines += int(n[CountLines])
	l.Result.Bytes += n[CountBytes]
	if l.Committed == nil {
		return nil
	}
	return l.Committed(p.pkg.Path)
}

// add writes a package that is not in the index.
func add(tx *siltstone.Tx, p *Package) error {
	if len(p.Files) == 0 {
		return nil
	}
	for _, write := range []func(*siltstone.Tx, *Package) error{
		addFiles, addCounts, addImports, addIdentifiers, addRecent,
	} {
		if err := write(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// addFiles writes contents, lines and digests.
func addFiles(tx *siltstone.Tx, p *Package) error {
	var digests []typed.Field
	for i := range p.Files {
		f := &p.Files[i]
		path := p.FilePath(f.Name)
		if err := tx.Put(FileKey(path), f.Contents); err != nil {
			return err
		}
		for n, line := range f.Lines() {
			if err := tx.Put(LineKey(path, n), line); err != nil {
				return err
			}
		}
		digests = append(digests, typed.Field{Name: f.Name, Value: f.Digest[:]})
	}
	_, err := tx.Hash(DigestsPrefix + p.Path).SetMany(digests...)
	return err
}

func addCounts(tx *siltstone.Tx, p *Package) error {
	stats, totals := tx.Hash(StatsPrefix+p.Path), tx.Hash(TotalsKey)
	for name, n := range p.Counts() {
		if _, err := stats.Set(name, strconv.AppendInt(nil, n, 10)); err != nil {
			return err
		}
		if name == CountIdentifiers {
			continue // the same identifier is in many packages
		}
		if _, err := totals.Incr(name, n); err != nil {
			return err
		}
	}
	_, err := totals.Incr(CountPackages, 1)
	return err
}

func addImports(tx *siltstone.Tx, p *Package) error {
	_, err := tx.Set(ImportsPrefix + p.Path).Add(slices.Sorted(maps.Keys(p.Imports))...)
	return err
}

func addIdentifiers(tx *siltstone.Tx, p *Package) error {
	members := make([]typed.Member, 0, len(p.Identifiers))
	all := tx.ZSet(IdentifiersKey)
	for name, n := range p.Identifiers {
		members = append(members, typed.Member{Name: name, Score: float64(n)})
		if _, err := all.Incr(name, float64(n)); err != nil {
			return err
		}
	}
	_, err := tx.ZSet(IdentifiersPrefix+p.Path).AddMany(0, members...)
	return err
}

func addRecent(tx *siltstone.Tx, p *Package) error {
	paths := make([][]byte, len(p.Files))
	for i, f := range p.Files {
		paths[i] = []byte(p.FilePath(f.Name))
	}
	recent := tx.List(RecentKey)
	if _, err := recent.PushFront(paths...); err != nil {
		return err
	}
	return recent.Trim(0, recentLen-1)
}
