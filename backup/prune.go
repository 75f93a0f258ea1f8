package backup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone/archive"
)

// Keep says which backups stay: those that one of its fields asks for. The newest one of
// each store stays in any case.
type Keep struct {
	Last   int           // so many of each store, the newest
	Within time.Duration // those that are no older
}

// Pruned is what Prune has removed.
type Pruned struct {
	Backups int
	Objects int   // of tables and changes, and what was left of uploads
	Bytes   int64 // of these; those of torn ones are not counted
}

// Prune removes backups that k does not keep, and objects that have been of no use for
// Options.Grace: what was of use to a backup that goes in this call is removed by one that
// begins as much later. It is called from one place at a time; runs may go on meanwhile.
// After an error it has done a part, and may be called again.
func (r *Repository) Prune(ctx context.Context, k Keep) (p Pruned, err error) {
	if k.Last <= 0 && k.Within <= 0 {
		return p, errors.New("backup: prune without anything to keep")
	}
	now := r.opts.Now()
	s, err := r.survey(ctx)
	if err != nil {
		return p, err
	}
	goes := k.decide(s.whole, now)
	used := map[archive.Table]bool{}
	for _, b := range s.whole {
		if goes[b.Name] {
			if err := r.store.Delete(ctx, backupPrefix+b.Name); err != nil {
				return p, err
			}
			p.Backups++
			continue
		}
		for _, t := range b.mark.Tables {
			used[t] = true
		}
	}
	var all []useless
	for _, f := range s.broken {
		all = append(all, useless{backupPrefix + f.backup.Name, 0})
	}
	for _, name := range s.torn {
		all = append(all, useless{name, 0})
	}
	for t, names := range s.tables {
		for _, name := range names {
			if !used[t] {
				all = append(all, useless{name, int64(t.Size)})
			}
		}
	}
	old, err := r.uselessSegments(ctx, s.whole, goes)
	if err != nil {
		return p, err
	}
	return p, r.collect(ctx, append(all, old...), now, &p)
}

// uselessSegments returns the segments of changes that no backup which stays leads to, and
// what is left of uploads of them.
func (r *Repository) uselessSegments(ctx context.Context, whole []Backup, goes map[string]bool) (all []useless, err error) {
	oldest := map[uint64]uint64{} // sequence of the oldest backup of each store
	for _, b := range whole {
		if goes[b.Name] {
			continue
		}
		_, at := b.Position.Parts()
		if first, is := oldest[b.Store]; !is || at < first {
			oldest[b.Store] = at
		}
	}
	segments, torn, err := r.segments(ctx, changesPrefix)
	if err != nil {
		return nil, err
	}
	for _, name := range torn {
		all = append(all, useless{name, 0})
	}
	for _, s := range segments {
		if first, is := oldest[s.store]; !is || s.last <= first {
			all = append(all, useless{s.name(), s.size})
		}
	}
	return all, nil
}

// decide returns the names of the backups that go. all are the oldest first.
func (k Keep) decide(all []Backup, now time.Time) map[string]bool {
	goes, newer := map[string]bool{}, map[uint64]int{}
	for i := len(all) - 1; i >= 0; i-- {
		b := all[i]
		n := newer[b.Store]
		newer[b.Store]++
		if n > 0 && n >= k.Last && (k.Within <= 0 || now.Sub(b.Time) > k.Within) {
			goes[b.Name] = true
		}
	}
	return goes
}

// useless is an object that no backup needs.
type useless struct {
	name  string
	bytes int64
}

// collect marks objects that are of no use, removes those that were marked long enough
// ago, and takes the marks of all others away. A mark goes after its object, and is
// replaced in one step: who looks sees it.
func (r *Repository) collect(ctx context.Context, all []useless, now time.Time, p *Pruned) error {
	marks, err := r.marked(ctx)
	if err != nil {
		return err
	}
	for _, u := range all {
		since, is := marks[u.name]
		delete(marks, u.name)
		if !is || since.IsZero() {
			text := strconv.FormatInt(now.UnixMilli(), 10)
			if err := r.store.Put(ctx, garbagePrefix+u.name, bytes.NewReader([]byte(text))); err != nil {
				return err
			}
			continue
		}
		if now.Sub(since) < r.opts.Grace {
			continue
		}
		if err := r.store.Delete(ctx, u.name); err != nil {
			return err
		}
		if err := r.store.Delete(ctx, garbagePrefix+u.name); err != nil {
			return err
		}
		p.Objects++
		p.Bytes += u.bytes
	}
	for name := range marks { // of use again, or gone
		if err := r.store.Delete(ctx, garbagePrefix+name); err != nil {
			return err
		}
	}
	return nil
}

// marked returns the objects that are marked as garbage, and since when. One whose mark
// makes no sense, because its upload was cut, has a zero time.
func (r *Repository) marked(ctx context.Context) (map[string]time.Time, error) {
	objects, err := r.store.List(ctx, garbagePrefix)
	if err != nil {
		return nil, err
	}
	marks := map[string]time.Time{}
	for _, o := range objects {
		text, err := r.store.read(ctx, o.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		at := time.Time{}
		if ms, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			at = time.UnixMilli(ms)
		}
		marks[strings.TrimPrefix(o.Name, garbagePrefix)] = at
	}
	return marks, nil
}
