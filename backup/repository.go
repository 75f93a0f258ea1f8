package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/archive"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/manifest"
)

// Options are the settings of a repository. The zero value, and nil, are the defaults.
type Options struct {
	// Grace is how long an object stays after it was found to be of no use. A run must take
	// less than half of it. All that use a repository must agree on it. Zero is 48 hours.
	Grace time.Duration
	// TempDir is where a run writes one table at a time before it is uploaded, up to 64 MiB
	// or a value. Empty is os.TempDir.
	TempDir string
	// Now gives the time. Nil is time.Now.
	Now func() time.Time
}

// Repository is backups in a store. It is safe for concurrent use.
type Repository struct {
	store patient
	opts  Options
}

const defaultGrace = 48 * time.Hour

// Open returns the repository in s, which may be empty. It reads nothing.
func Open(s Store, o *Options) (*Repository, error) {
	if s == nil {
		return nil, errors.New("backup: the store is nil")
	}
	r := &Repository{store: patient{s, sleep}}
	if o != nil {
		r.opts = *o
	}
	if r.opts.Grace < 0 {
		return nil, fmt.Errorf("backup: a grace of %v", r.opts.Grace)
	}
	if r.opts.Grace == 0 {
		r.opts.Grace = defaultGrace
	}
	if r.opts.Now == nil {
		r.opts.Now = time.Now
	}
	return r, nil
}

// Backup is a backup as it is listed.
type Backup struct {
	Name   string    // by which it is restored; names are in the order of time
	Time   time.Time // the clock of the store
	Store  uint64    // id of the store
	Tables int       // of its state
	Bytes  int64     // of these tables
	// Position is behind the last commit that it has: changes are shipped from there on.
	Position changes.Position

	mark  archive.Mark
	state []byte
}

// ErrNotFound is wrapped by the error of a backup that is not there, or not whole.
var ErrNotFound = errors.New("backup: there is no such backup")

// List returns the backups that are whole, oldest first: what each is can be read, and
// all of its tables are there. The content of tables is not read: Verify does that. It
// reads one small object for each backup.
func (r *Repository) List(ctx context.Context) ([]Backup, error) {
	all, err := r.survey(ctx)
	if err != nil {
		return nil, err
	}
	return all.whole, nil
}

// positionOf returns where the history of a store ends in a backup's state.
func positionOf(store uint64, state []byte) (changes.Position, error) {
	e, err := manifest.DecodeEdit(state)
	if err != nil {
		return changes.Position{}, err
	}
	return changes.NewPosition(store, uint64(e.LastSeq)), nil
}

// survey is what a repository holds at one time.
type survey struct {
	tables map[archive.Table][]string // names of the objects of each, of the right size
	torn   []string                   // what is no table or backup by its name, and tables of another size than theirs
	whole  []Backup                   // oldest first
	broken []fault                    // backups that are not whole
}

// fault is a backup object with what is wrong with it.
type fault struct {
	backup Backup // its mark is empty if it could not be read
	err    error
}

// survey lists tables behind backups: the tables of a backup were there before it.
func (r *Repository) survey(ctx context.Context) (*survey, error) {
	s := &survey{tables: map[archive.Table][]string{}}
	objects, err := r.store.List(ctx, backupPrefix)
	if err != nil {
		return nil, err
	}
	if err := s.list(ctx, r); err != nil {
		return nil, err
	}
	for _, o := range objects {
		name := strings.TrimPrefix(o.Name, backupPrefix)
		if _, ok := parseBackup(name); !ok {
			s.torn = append(s.torn, o.Name)
			continue
		}
		b, err := r.read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil && !errors.Is(err, siltstone.ErrCorruption) {
			return nil, err
		}
		if err == nil {
			err = s.missing(b)
		}
		if err != nil {
			s.broken = append(s.broken, fault{b, err})
		} else {
			s.whole = append(s.whole, b)
		}
	}
	slices.SortFunc(s.whole, older)
	return s, nil
}

// older compares backups by their age. The clock of a store stands still when that of the
// machine is set back, and the backups of that time differ by what they have.
func older(a, b Backup) int {
	_, hasA := a.Position.Parts()
	_, hasB := b.Position.Parts()
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Store, b.Store), cmp.Compare(hasA, hasB), cmp.Compare(a.Name, b.Name))
}

// list fills in the objects of tables.
func (s *survey) list(ctx context.Context, r *Repository) error {
	objects, err := r.store.List(ctx, tablePrefix)
	if err != nil {
		return err
	}
	for _, o := range objects {
		t, ok := parseTable(o.Name)
		if ok && uint64(o.Size) == t.Size {
			s.tables[t] = append(s.tables[t], o.Name)
		} else {
			s.torn = append(s.torn, o.Name)
		}
	}
	return nil
}

// missing returns an error if tables of the backup are not there.
func (s *survey) missing(b Backup) error {
	n := 0
	for _, t := range b.mark.Tables {
		if len(s.tables[t]) == 0 {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("backup: %s: %d of %d tables are missing", b.Name, n, b.Tables)
	}
	return nil
}

// read reads what a backup is. Damage is siltstone.ErrCorruption.
func (r *Repository) read(ctx context.Context, name string) (Backup, error) {
	b := Backup{Name: name}
	if _, ok := parseBackup(name); !ok {
		return b, fmt.Errorf("backup: %q is not the name of one: %w", name, siltstone.ErrCorruption)
	}
	content, err := r.store.read(ctx, backupPrefix+name)
	if err != nil {
		return b, err
	}
	a, err := archive.NewReader(bytes.NewReader(content))
	if err == nil {
		if _, err = a.Next(); err == nil {
			err = fmt.Errorf("backup: %s has tables in itself: %w", name, siltstone.ErrCorruption)
		}
	}
	if err != io.EOF {
		return b, fmt.Errorf("backup: %s: %w", name, err)
	}
	if h := a.Header(); h.Since != repository || backupName(h) != name {
		return b, fmt.Errorf("backup: %s holds another one: %w", name, siltstone.ErrCorruption)
	}
	sum := a.Summary()
	b.Time, b.Store, b.Tables, b.Bytes = sum.Time, sum.Mark.Store, len(sum.Mark.Tables), sum.Mark.Bytes()
	b.mark, b.state = sum.Mark, a.State()
	if b.Position, err = positionOf(b.Store, b.state); err != nil {
		return b, fmt.Errorf("backup: %s: %w", name, err)
	}
	return b, nil
}
