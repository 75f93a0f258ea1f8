package changes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/internal/seed"
	"github.com/siltstonedb/siltstone/internal/typedtest"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// lister makes random commits and lists what each of them does, out of plain maps. It
// knows nothing of rows, logs and notes. Where the form of a collection decides how it is
// told, it knows which form that is: all collections are inline, or all in rows.
type lister struct {
	t      *testing.T
	fs     vfs.FS
	db     *siltstone.DB
	clock  *handClock
	begin  time.Time
	rng    *rand.Rand
	inline bool

	spaces  map[string]bool
	keys    map[place]*held
	lives   int // how many keys have begun to be
	values  int
	commits []listed
}

// place is a key in a keyspace.
type place struct{ space, key string }

// held is what a key holds.
type held struct {
	typ      typed.Type
	value    string            // of a string
	elements map[string]string // of hash, set, sorted set: with what tell shows of a value
	first    int64             // index of the first item of a list
	items    []string
	until    time.Time
	life     int
}

// listed is a commit: what it did, and which keys end by themselves afterwards.
type listed struct {
	events []string
	ends   map[place]ending
}

type ending struct {
	at   time.Time
	life int
}

func (l *lister) open() {
	l.db = openKeeping(l.t, l.fs, "db", plenty, func(o *siltstone.Options) { o.Clock = l.clock.Now })
}

// line is what tell makes of a change.
func line(kind changes.Kind, at place, typ typed.Type, rest string, until time.Duration) string {
	s := kind.String()
	if at.space != "" {
		s += " in " + at.space
	}
	if typ != typed.TypeNone {
		s += " " + typ.String()
	}
	s += " " + at.key + rest
	if until != 0 {
		s += " until " + until.String()
	}
	return strings.TrimSpace(s)
}

func (l *lister) lasts(h *held) time.Duration {
	if h.until.IsZero() {
		return 0
	}
	return h.until.Sub(l.begin)
}

// live returns what a key holds, nil if that is nothing.
func (l *lister) live(at place) *held {
	h := l.keys[at]
	if h != nil && !h.until.IsZero() && !h.until.After(l.clock.Now()) {
		return nil
	}
	return h
}

// commit lists a commit, unless it does nothing.
func (l *lister) commit(events []string) {
	if len(events) == 0 {
		return
	}
	c := listed{events: events, ends: map[place]ending{}}
	for at, h := range l.keys {
		if !h.until.IsZero() {
			c.ends[at] = ending{h.until, h.life}
		}
	}
	l.commits = append(l.commits, c)
}

func (l *lister) name() string { return fmt.Sprintf("%c", 'a'+l.rng.IntN(12)) }

func (l *lister) fresh() string {
	l.values++
	return fmt.Sprintf("v%d", l.values)
}

func (l *lister) ttl() time.Duration { return time.Duration(1+l.rng.IntN(200)) * time.Millisecond }

// somewhere returns a keyspace that there is.
func (l *lister) somewhere() string {
	all := append(slices.Sorted(maps.Keys(l.spaces)), "")
	return all[l.rng.IntN(len(all))]
}

func (l *lister) in(tx *siltstone.Tx, space string) siltstone.ReadWriter {
	if space == "" {
		if tx != nil {
			return tx
		}
		return l.db
	}
	ks, err := l.db.Keyspace(space)
	done(l.t, err)
	if tx != nil {
		return tx.In(ks)
	}
	return ks
}

func (l *lister) step() {
	ctx := context.Background()
	switch n := l.rng.IntN(100); {
	case n < 8:
		l.clock.to(l.clock.Now().Add(l.ttl()))
	case n < 10:
		done(l.t, l.db.Flush(ctx))
	case n < 13:
		done(l.t, l.db.Compact(ctx, siltstone.Range{}))
	case n < 14:
		done(l.t, l.db.Close())
		l.open()
	case n < 18:
		l.keyspace()
	case n < 24:
		l.batch()
	case n < 36:
		l.transaction()
	default:
		l.commit(l.call(nil, map[place]bool{}))
	}
}

// keyspace makes or drops one, or drops all.
func (l *lister) keyspace() {
	space := []string{"one", "two"}[l.rng.IntN(2)]
	switch {
	case l.rng.IntN(8) == 0:
		done(l.t, l.db.DropAll())
		clear(l.keys)
		clear(l.spaces)
		l.commit([]string{changes.KindDropAll.String()})
	case l.spaces[space]:
		done(l.t, l.db.DropKeyspace(space))
		delete(l.spaces, space)
		maps.DeleteFunc(l.keys, func(at place, _ *held) bool { return at.space == space })
		l.commit([]string{line(changes.KindDropKeyspace, place{space: space}, 0, "", 0)})
	default:
		_, err := l.db.CreateKeyspace(space)
		done(l.t, err)
		l.spaces[space] = true
		l.commit([]string{line(changes.KindMakeKeyspace, place{space: space}, 0, "", 0)})
	}
}

// batch applies raw operations, range deletes among them.
func (l *lister) batch() {
	var b siltstone.Batch
	var events []string
	for range 1 + l.rng.IntN(5) {
		at := place{l.somewhere(), l.name()}
		in := batched{&b}
		if at.space != "" {
			ks, err := l.db.Keyspace(at.space)
			done(l.t, err)
			in = batched{b.In(ks)}
		}
		events = append(events, l.raw(in, at, true)...)
	}
	done(l.t, l.db.Apply(&b, siltstone.SyncDurability))
	l.commit(events)
}

// batched is a batch as what raw writes to.
type batched struct{ *siltstone.Batch }

func (b batched) Put(key, value []byte) error { b.Batch.Put(key, value); return nil }
func (b batched) PutTTL(key, value []byte, ttl time.Duration) error {
	b.Batch.PutTTL(key, value, ttl)
	return nil
}
func (b batched) Delete(key []byte) error             { b.Batch.Delete(key); return nil }
func (b batched) DeleteRange(r siltstone.Range) error { b.Batch.DeleteRange(r); return nil }

// rawWriter is what raw writes to.
type rawWriter interface {
	Put(key, value []byte) error
	PutTTL(key, value []byte, ttl time.Duration) error
	Delete(key []byte) error
	DeleteRange(r siltstone.Range) error
}

// transaction makes some calls, each on other keys, and rolls some back.
func (l *lister) transaction() {
	keys, lives := map[place]*held{}, l.lives
	for at, h := range l.keys {
		keys[at] = h.clone()
	}
	tx, err := l.db.Begin(context.Background(), siltstone.ReadWriteMode)
	done(l.t, err)
	var events []string
	touched := map[place]bool{}
	for range 1 + l.rng.IntN(4) {
		events = append(events, l.call(tx, touched)...)
	}
	if l.rng.IntN(4) == 0 {
		done(l.t, tx.Rollback())
		l.keys, l.lives = keys, lives
		return
	}
	err = tx.Commit()
	if errors.Is(err, siltstone.ErrConflict) { // with the store, which deletes a key that has ended
		l.keys, l.lives = keys, lives
		return
	}
	done(l.t, err)
	l.commit(events)
}

func (h *held) clone() *held {
	c := *h
	c.elements, c.items = maps.Clone(h.elements), slices.Clone(h.items)
	return &c
}

// call makes one call on a key that is not in touched, and returns what it did.
func (l *lister) call(tx *siltstone.Tx, touched map[place]bool) []string {
	at := place{l.somewhere(), l.name()}
	if touched[at] {
		return nil
	}
	touched[at] = true
	rw, h := l.in(tx, at.space), l.live(at)
	switch n := l.rng.IntN(10); {
	case n < 2:
		return l.raw(rw, at, tx == nil)
	case n < 4 && h != nil:
		return l.key(rw, at, h, touched)
	case h == nil && n > 5, h != nil && h.typ == typed.TypeList:
		return l.list(rw, at, h)
	case h == nil || h.typ != typed.TypeString:
		return l.element(rw, at, h)
	}
	h.value += "+"
	_, err := rw.String(at.key).Append([]byte("+"))
	done(l.t, err)
	return []string{line(changes.KindPut, at, typed.TypeString, " = "+h.value, l.lasts(h))}
}

// begins makes at hold h.
func (l *lister) begins(at place, h *held) *held {
	l.lives++
	h.life = l.lives
	l.keys[at] = h
	return h
}

// raw makes a raw write.
func (l *lister) raw(w rawWriter, at place, ranges bool) []string {
	switch n := l.rng.IntN(8); {
	case n < 2:
		done(l.t, w.Delete([]byte(at.key)))
		delete(l.keys, at)
		return []string{line(changes.KindDelete, at, 0, "", 0)}
	case n == 2 && ranges:
		from, to := l.name(), l.name()
		if from >= to {
			return nil
		}
		done(l.t, w.DeleteRange(siltstone.Range{Lower: []byte(from), Upper: []byte(to)}))
		maps.DeleteFunc(l.keys, func(k place, _ *held) bool { return k.space == at.space && k.key >= from && k.key < to })
		return []string{line(changes.KindDeleteRange, place{space: at.space}, 0, from+".."+to, 0)}
	}
	h := l.begins(at, &held{typ: typed.TypeString, value: l.fresh()})
	if l.rng.IntN(2) == 0 {
		done(l.t, w.Put([]byte(at.key), []byte(h.value)))
	} else {
		ttl := l.ttl()
		h.until = l.clock.Now().Add(ttl)
		done(l.t, w.PutTTL([]byte(at.key), []byte(h.value), ttl))
	}
	return []string{line(changes.KindPut, at, typed.TypeString, " = "+h.value, l.lasts(h))}
}

// key makes a call on a key of any type.
func (l *lister) key(rw siltstone.ReadWriter, at place, h *held, touched map[place]bool) []string {
	was, k := h.clone(), rw.Key(at.key)
	to := place{at.space, l.name()}
	switch n := l.rng.IntN(4); {
	case n == 0:
		_, err := k.Drop()
		done(l.t, err)
		delete(l.keys, at)
		return []string{line(changes.KindDelete, at, 0, "", 0)}
	case n == 1 && !h.until.IsZero():
		_, err := k.Persist()
		done(l.t, err)
		h.until = time.Time{}
	case n == 2 && !touched[to]:
		touched[to] = true
		done(l.t, k.Rename(to.key))
		old := l.live(to)
		delete(l.keys, at)
		l.begins(to, h)
		return l.renamed(at, to, old, h)
	default:
		h.until = l.clock.Now().Add(l.ttl())
		if done(l.t, k.ExpireAt(h.until)); h.until.Equal(was.until) {
			return nil
		}
	}
	if h.typ == typed.TypeString {
		return []string{line(changes.KindPut, at, h.typ, " = "+h.value, l.lasts(h))}
	}
	return l.became(at, was, h)
}

// renamed lists that a key has got another name, under which old stood.
func (l *lister) renamed(at, to place, old, h *held) []string {
	gone := line(changes.KindDelete, at, 0, "", 0)
	switch {
	case h.typ == typed.TypeString:
		return []string{gone, line(changes.KindPut, to, h.typ, " = "+h.value, l.lasts(h))}
	case l.inline:
		return append([]string{gone}, l.became(to, old, h)...)
	}
	return []string{line(changes.KindRename, at, h.typ, " to "+to.key, 0)}
}

// fed is a commit of the feed.
type fed struct {
	events []string
	of     changes.Change // the last
}

// feed reads all commits of the store.
func (l *lister) feed() (commits []fed) {
	var events []string
	for c, err := range l.db.Changes(context.Background(), siltstone.ChangeOptions{NoWait: true}) {
		done(l.t, err)
		events = append(events, tell(c, l.begin))
		if c.Kind == changes.KindExpired || c.Last {
			c.Key = bytes.Clone(c.Key)
			commits = append(commits, fed{events, c})
			events = nil
		}
	}
	return commits
}

// compare holds the feed against the list. The ends of keys are told when the store
// finds them, each after its time and once.
func (l *lister) compare() error {
	told := map[int]bool{} // lives
	next, ends := 0, map[place]ending{}
	for _, c := range l.feed() {
		if c.of.Kind == changes.KindExpired {
			at := place{c.of.Keyspace, string(c.of.Key)}
			if e, there := ends[at]; !there || told[e.life] || e.at.After(c.of.Time) {
				return fmt.Errorf("after commit %d, at %v: told is %q, and its end is %+v (told before: %v)", next, c.of.Time.Sub(l.begin), c.events, e, told[e.life])
			}
			told[ends[at].life] = true
			continue
		}
		if next == len(l.commits) {
			return fmt.Errorf("behind the last commit told is %q", c.events)
		}
		want := l.commits[next]
		if got := sorted(c.events); !slices.Equal(got, sorted(want.events)) {
			return fmt.Errorf("commit %d: told is\n  %s\nwant\n  %s", next, strings.Join(got, "\n  "), strings.Join(sorted(want.events), "\n  "))
		}
		next, ends = next+1, want.ends
	}
	if next < len(l.commits) {
		return fmt.Errorf("the feed ends at commit %d of %d", next, len(l.commits))
	}
	for at, e := range ends {
		if !e.at.After(l.clock.Now()) && !told[e.life] {
			return fmt.Errorf("nobody is told that %v has ended at %v", at, e.at.Sub(l.begin))
		}
	}
	return nil
}

// sorted sorts neighbours that are about elements of one collection, whose order means
// nothing.
func sorted(events []string) []string {
	all := slices.Clone(events)
	of := func(s string) string {
		kind, rest, _ := strings.Cut(s, " element ")
		key, _, _ := strings.Cut(rest, ".")
		key, _, _ = strings.Cut(key, "[")
		return kind + key
	}
	for i := 0; i < len(all); {
		j := i + 1
		for strings.Contains(all[i], " element ") && j < len(all) && of(all[j]) == of(all[i]) {
			j++
		}
		slices.Sort(all[i:j])
		i = j
	}
	return all
}

func TestTheFeedIsTheModelsListOfEvents(t *testing.T) {
	steps := 4000
	if testing.Short() {
		steps = 600
	}
	n := seed.New(t)
	for _, inline := range []bool{false, true} {
		t.Run(fmt.Sprintf("inline=%v", inline), func(t *testing.T) {
			if inline {
				typedtest.InlineUpTo(t, 64, 1000)
			} else {
				typedtest.InRows(t)
			}
			l := &lister{
				t: t, fs: vfs.NewMem(), clock: newHandClock(), rng: rand.New(rand.NewPCG(n, 0xe7e7)), inline: inline,
				spaces: map[string]bool{}, keys: map[place]*held{},
			}
			l.begin = l.clock.Now()
			l.open()
			for range steps {
				l.step()
			}
			l.clock.to(l.clock.Now().Add(time.Second))
			// A merge tells of all that has ended, unless a transaction of the store's is open
			// for which it has not.
			err := error(nil)
			for range 100 {
				done(t, l.db.Compact(context.Background(), siltstone.Range{}))
				done(t, l.db.Sync())
				if err = l.compare(); err == nil {
					return
				}
			}
			t.Fatalf("%v\n%s", err, seed.Replay(t, n))
		})
	}
}
