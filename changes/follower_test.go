package changes_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/changes"
	"github.com/siltstonedb/siltstone/typed"
	"github.com/siltstonedb/siltstone/vfs"
)

// handClock is a clock that moves when told.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newHandClock() *handClock { return &handClock{now: time.UnixMilli(1_700_000_000_000)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// to moves the clock on to t.
func (c *handClock) to(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// follower makes a store of the changes of another one, a transaction for a commit. Its
// clock is that of the commits.
type follower struct {
	t     *testing.T
	db    *siltstone.DB
	clock *handClock
	lists map[string]map[uint64][]byte // by keyspace and key: items by index
	until map[string]time.Time         // of those that the commit at hand gives a deadline
	after changes.Position
	kinds map[changes.Kind]int
}

// newFollower returns a follower whose store is in dir, where it may be a checkpoint.
func newFollower(t *testing.T, fsys vfs.FS, dir string, now time.Time) *follower {
	t.Helper()
	f := &follower{t: t, clock: newHandClock(), lists: map[string]map[uint64][]byte{}, until: map[string]time.Time{}, kinds: map[changes.Kind]int{}}
	f.clock.to(now)
	db, err := siltstone.Open(dir, &siltstone.Options{FS: fsys, Clock: f.clock.Now, Durability: siltstone.BufferedDurability})
	done(t, err)
	t.Cleanup(func() { _ = db.Close() })
	f.db, f.after = db, db.Origin()
	for name, space := range spaces(t, db) {
		for k, err := range space.Keys().All(typed.KeyOptions{Type: typed.TypeList}) {
			done(t, err)
			items := f.list(name, []byte(k.Name()))
			for i, err := range space.List(k.Name()).Items() {
				done(t, err)
				items[i.Index] = bytes.Clone(i.Value)
			}
		}
	}
	return f
}

func done(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *follower) list(space string, key []byte) map[uint64][]byte {
	at := space + "\x00" + string(key)
	if f.lists[at] == nil {
		f.lists[at] = map[uint64][]byte{}
	}
	return f.lists[at]
}

// follow applies what the feed has.
func (f *follower) follow(db *siltstone.DB) {
	f.t.Helper()
	var commit []changes.Change
	last := f.clock.Now()
	for c, err := range db.Changes(context.Background(), siltstone.ChangeOptions{After: f.after, NoWait: true}) {
		done(f.t, err)
		if c.Time.Before(last) {
			f.t.Fatalf("the time of %v is before that of the commit before it", c.Position)
		}
		last = c.Time
		f.kinds[c.Kind]++
		c.Key, c.To, c.Element, c.Value = bytes.Clone(c.Key), bytes.Clone(c.To), bytes.Clone(c.Element), bytes.Clone(c.Value)
		c.Lower, c.Upper = bytes.Clone(c.Lower), bytes.Clone(c.Upper)
		if len(commit) > 0 && commit[0].Position != c.Position {
			f.t.Fatalf("commit %v has no last change", commit[0].Position)
		}
		if commit = append(commit, c); c.Last {
			f.commit(commit)
			f.after, commit = c.Position, nil
		}
	}
	if commit != nil {
		f.t.Fatalf("the feed ends within commit %v", commit[0].Position)
	}
}

func (f *follower) commit(all []changes.Change) {
	f.t.Helper()
	f.clock.to(all[0].Time)
	if f.keyspaces(all[0]) {
		if len(all) > 1 {
			f.t.Fatalf("%v in a commit of %d changes", all[0].Kind, len(all))
		}
		return
	}
	touched := map[string]changes.Change{}
	done(f.t, f.db.Update(context.Background(), func(tx *siltstone.Tx) error {
		for _, c := range all {
			in := tx
			if c.Keyspace != "" {
				ks, err := f.db.Keyspace(c.Keyspace)
				done(f.t, err)
				in = tx.In(ks)
			}
			if c.Type == typed.TypeList && f.onList(c) {
				touched[c.Keyspace+"\x00"+string(c.Key)] = c
				continue
			}
			f.forget(c)
			if err := apply(in, c); err != nil {
				return fmt.Errorf("%v of %q: %w", c.Kind, c.Key, err)
			}
			if c.Kind == changes.KindReplace && c.Type == typed.TypeList {
				touched[c.Keyspace+"\x00"+string(c.Key)] = c
			}
		}
		return nil
	}))
	for at, c := range touched {
		f.rewrite(at, c)
	}
}

// keyspaces applies a change of keyspaces.
func (f *follower) keyspaces(c changes.Change) bool {
	var err error
	switch c.Kind {
	case changes.KindMakeKeyspace:
		_, err = f.db.CreateKeyspace(c.Keyspace)
	case changes.KindDropKeyspace:
		err = f.db.DropKeyspace(c.Keyspace)
		maps.DeleteFunc(f.lists, func(at string, _ map[uint64][]byte) bool { return strings.HasPrefix(at, c.Keyspace+"\x00") })
	case changes.KindDropAll:
		err = f.db.DropAll()
		clear(f.lists)
	default:
		return false
	}
	done(f.t, err)
	return true
}

// onList applies a change of the items of a list to what the follower knows of it.
func (f *follower) onList(c changes.Change) bool {
	items := f.list(c.Keyspace, c.Key)
	switch c.Kind {
	case changes.KindExpire:
		f.until[c.Keyspace+"\x00"+string(c.Key)] = c.ExpiresAt
	case changes.KindSetElement:
		items[c.Index] = c.Value
	case changes.KindRemoveElement:
		delete(items, c.Index)
	case changes.KindRemoveItems:
		maps.DeleteFunc(items, func(i uint64, _ []byte) bool { return i >= c.Index && i < c.End })
	default:
		return false
	}
	return true
}

// forget forgets lists that a change ends, and gives one that is renamed its new name.
func (f *follower) forget(c changes.Change) {
	at := c.Keyspace + "\x00" + string(c.Key)
	switch c.Kind {
	case changes.KindPut, changes.KindDelete, changes.KindExpired, changes.KindReplace:
		delete(f.lists, at)
	case changes.KindRename:
		to := c.Keyspace + "\x00" + string(c.To)
		delete(f.lists, to)
		if c.Type == typed.TypeList {
			f.lists[to] = f.lists[at]
			delete(f.lists, at)
		}
	case changes.KindDeleteRange:
		maps.DeleteFunc(f.lists, func(at string, _ map[uint64][]byte) bool {
			space, key, _ := strings.Cut(at, "\x00")
			return space == c.Keyspace && key >= string(c.Lower) && (c.Upper == nil || key < string(c.Upper))
		})
	}
}

// rewrite makes the list in the store what the follower knows of it.
func (f *follower) rewrite(at string, c changes.Change) {
	f.t.Helper()
	items := f.lists[at]
	if len(items) == 0 {
		return
	}
	var space siltstone.Typed = f.db
	if c.Keyspace != "" {
		ks, err := f.db.Keyspace(c.Keyspace)
		done(f.t, err)
		space = ks
	}
	list := space.List(string(c.Key))
	deadline, err := list.Deadline()
	if err != nil {
		deadline = time.Time{}
	}
	if given, ok := f.until[at]; ok {
		deadline = given
		delete(f.until, at)
	}
	_, err = list.Drop()
	done(f.t, err)
	for _, i := range slices.Sorted(maps.Keys(items)) {
		_, err = list.PushBack(items[i])
		done(f.t, err)
	}
	if !deadline.IsZero() {
		done(f.t, list.ExpireAt(deadline))
	}
}

// apply applies a change that is not of a list's items.
func apply(tx *siltstone.Tx, c changes.Change) error {
	key := string(c.Key)
	switch c.Kind {
	case changes.KindPut:
		if err := tx.Put(c.Key, c.Value); err != nil || c.ExpiresAt.IsZero() {
			return err
		}
		return tx.Key(key).ExpireAt(c.ExpiresAt)
	case changes.KindDelete, changes.KindExpired:
		return tx.Delete(c.Key)
	case changes.KindReplace:
		_, err := tx.Key(key).Drop()
		return err
	case changes.KindDeleteRange:
		return tx.DeleteRange(siltstone.Range{Lower: c.Lower, Upper: c.Upper})
	case changes.KindExpire:
		return tx.Key(key).ExpireAt(c.ExpiresAt)
	case changes.KindRename:
		return tx.Key(key).Rename(string(c.To))
	case changes.KindSetElement:
		return setElement(tx, c)
	case changes.KindRemoveElement, changes.KindPurgeElement:
		return removeElement(tx, c)
	}
	return fmt.Errorf("nobody applies a %v", c.Kind)
}

func setElement(tx *siltstone.Tx, c changes.Change) (err error) {
	key, name := string(c.Key), string(c.Element)
	var expire func(time.Time, typed.Cond, ...string) (int, error)
	var persist func(...string) (int, error)
	switch c.Type {
	case typed.TypeHash:
		_, err = tx.Hash(key).Set(name, c.Value)
		expire, persist = tx.Hash(key).ExpireFieldsAt, tx.Hash(key).PersistFields
	case typed.TypeSet:
		_, err = tx.Set(key).Add(name)
		expire, persist = tx.Set(key).ExpireMembersAt, tx.Set(key).PersistMembers
	case typed.TypeZSet:
		_, err = tx.ZSet(key).Add(name, c.Score)
		expire, persist = tx.ZSet(key).ExpireMembersAt, tx.ZSet(key).PersistMembers
	default:
		return fmt.Errorf("an element of a %v", c.Type)
	}
	switch {
	case err != nil:
	case c.ExpiresAt.IsZero():
		_, err = persist(name)
	default:
		_, err = expire(c.ExpiresAt, 0, name)
	}
	return err
}

func removeElement(tx *siltstone.Tx, c changes.Change) (err error) {
	switch key, name := string(c.Key), string(c.Element); c.Type {
	case typed.TypeHash:
		_, err = tx.Hash(key).Remove(name)
	case typed.TypeSet:
		_, err = tx.Set(key).Remove(name)
	case typed.TypeZSet:
		_, err = tx.ZSet(key).Remove(name)
	default:
		err = fmt.Errorf("an element of a %v", c.Type)
	}
	return err
}

// spaces returns the default keyspace and the named ones.
func spaces(t testing.TB, db *siltstone.DB) map[string]siltstone.Typed {
	t.Helper()
	all := map[string]siltstone.Typed{"": db}
	names, err := db.Keyspaces()
	done(t, err)
	for _, name := range names {
		ks, err := db.Keyspace(name)
		done(t, err)
		all[name] = ks
	}
	return all
}

// picture prints all that a store shows.
func picture(t testing.TB, db *siltstone.DB) string {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for name, space := range spaces(t, db) {
		add("keyspace %q", name)
		for k, err := range space.Keys().All(typed.KeyOptions{}) {
			done(t, err)
			typ, err := k.Type()
			done(t, err)
			deadline, err := k.Deadline()
			done(t, err)
			at := fmt.Sprintf("%q %q %v", name, k.Name(), typ)
			add("%s until %v", at, deadline.UnixMilli())
			switch typ {
			case typed.TypeString:
				v, err := space.String(k.Name()).Get()
				done(t, err)
				add("%s %q", at, v)
			case typed.TypeHash:
				for f, err := range space.Hash(k.Name()).All() {
					done(t, err)
					due, err := space.Hash(k.Name()).FieldDeadline(f.Name)
					done(t, err)
					add("%s %q %q %v", at, f.Name, f.Value, due.UnixMilli())
				}
			case typed.TypeSet:
				for m, err := range space.Set(k.Name()).All() {
					done(t, err)
					due, err := space.Set(k.Name()).MemberDeadline(m)
					done(t, err)
					add("%s %q %v", at, m, due.UnixMilli())
				}
			case typed.TypeZSet:
				for m, err := range space.ZSet(k.Name()).All() {
					done(t, err)
					due, err := space.ZSet(k.Name()).MemberDeadline(m.Name)
					done(t, err)
					add("%s %q %v %v", at, m.Name, m.Score, due.UnixMilli())
				}
			case typed.TypeList:
				i := 0
				for v, err := range space.List(k.Name()).Range(0, -1) {
					done(t, err)
					add("%s %06d %q", at, i, v)
					i++
				}
			}
		}
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return strings.Join(lines, "\n")
}
