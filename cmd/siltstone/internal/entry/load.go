package entry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siltstonedb/siltstone"
	"github.com/siltstonedb/siltstone/typed"
)

// batchBytes is how much one transaction of a Loader has, about, unless a single entry has
// more.
const batchBytes = 2 << 20

// Loader writes entries to a store, many in one transaction. It belongs to one goroutine.
type Loader struct {
	Keys     int64 // committed
	Elements int64 // committed
	Expired  int64 // keys that were not written because their deadline is over

	ctx     context.Context
	db      *siltstone.DB
	replace bool
	spaces  map[string]*siltstone.Keyspace
	batch   []*Entry
	size    int
}

// NewLoader returns a loader into db. With replace a key that is there already is replaced
// by the entry, else a key must not be there.
func NewLoader(ctx context.Context, db *siltstone.DB, replace bool) *Loader {
	return &Loader{ctx: ctx, db: db, replace: replace, spaces: map[string]*siltstone.Keyspace{}}
}

// Add writes an entry, with later ones or at Flush. The entry is the loader's from then on.
func (l *Loader) Add(e *Entry) error {
	if _, err := l.space(e.Keyspace); err != nil || e.Key == nil {
		return err
	}
	l.batch = append(l.batch, e)
	l.size += e.size()
	if l.size < batchBytes {
		return nil
	}
	return l.Flush()
}

// Flush commits what was added. Sync of the store makes it durable.
func (l *Loader) Flush() error {
	var keys, elements, expired int64
	err := l.db.Update(l.ctx, func(tx *siltstone.Tx) error {
		keys, elements, expired = 0, 0, 0
		for _, e := range l.batch {
			in, err := l.space(e.Keyspace)
			if err != nil {
				return err
			}
			tx := tx.In(in)
			if !e.Expires.IsZero() && !e.Expires.After(tx.Now()) {
				expired += first(e)
				if err := l.drop(tx, e); err != nil {
					return err
				}
				continue
			}
			if err := l.put(tx, e); err != nil {
				return fmt.Errorf("key %q: %w", e.Key, err)
			}
			keys += first(e)
			elements += int64(len(e.Elements))
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.Keys, l.Elements, l.Expired = l.Keys+keys, l.Elements+elements, l.Expired+expired
	clear(l.batch)
	l.batch, l.size = l.batch[:0], 0
	return nil
}

// first is 1 for the entry with which a key begins.
func first(e *Entry) int64 {
	if e.Part > 1 {
		return 0
	}
	return 1
}

// space returns the keyspace called name, which is made if there is none; nil is the
// default one.
func (l *Loader) space(name string) (*siltstone.Keyspace, error) {
	if name == "" {
		return nil, nil
	}
	if ks := l.spaces[name]; ks != nil {
		return ks, nil
	}
	ks, err := l.db.CreateKeyspace(name)
	if err != nil {
		return nil, fmt.Errorf("keyspace %q: %w", name, err)
	}
	l.spaces[name] = ks
	return ks, nil
}

// drop deletes what a key held before its entry, if that may be anything.
func (l *Loader) drop(tx *siltstone.Tx, e *Entry) error {
	if !l.replace || e.Part > 1 {
		return nil
	}
	return tx.Delete(e.Key)
}

var errNoElements = errors.New("a collection has at least one element")

// put writes an entry whose deadline is not over. Each part of a collection sets the
// deadline of the key: the parts before may have ended by then.
func (l *Loader) put(tx *siltstone.Tx, e *Entry) error {
	name := string(e.Key)
	if e.Type == typed.TypeString {
		if e.Expires.IsZero() {
			return tx.Put(e.Key, e.Value)
		}
		_, err := tx.String(name).SetWith(e.Value, typed.SetOptions{At: e.Expires})
		return err
	}
	if len(e.Elements) == 0 {
		return errNoElements
	}
	if err := l.drop(tx, e); err != nil {
		return err
	}
	if err := putElements(tx, e); err != nil {
		return err
	}
	if e.Expires.IsZero() {
		return nil
	}
	err := tx.Key(name).ExpireAt(e.Expires)
	if errors.Is(err, siltstone.ErrNotFound) {
		return nil // all elements had expired
	}
	return err
}

// putElements writes the elements and then their deadlines.
func putElements(tx *siltstone.Tx, e *Entry) (err error) {
	name := string(e.Key)
	switch e.Type {
	case typed.TypeHash:
		fields := make([]typed.Field, len(e.Elements))
		for i, v := range e.Elements {
			fields[i] = typed.Field{Name: v.Name, Value: v.Value}
		}
		if _, err = tx.Hash(name).SetMany(fields...); err == nil {
			err = expire(e, tx.Hash(name).ExpireFieldsAt)
		}
	case typed.TypeSet:
		members := make([]string, len(e.Elements))
		for i, v := range e.Elements {
			members[i] = v.Name
		}
		if _, err = tx.Set(name).Add(members...); err == nil {
			err = expire(e, tx.Set(name).ExpireMembersAt)
		}
	case typed.TypeZSet:
		members := make([]typed.Member, len(e.Elements))
		for i, v := range e.Elements {
			members[i] = typed.Member{Name: v.Name, Score: v.Score}
		}
		if _, err = tx.ZSet(name).AddMany(0, members...); err == nil {
			err = expire(e, tx.ZSet(name).ExpireMembersAt)
		}
	case typed.TypeList:
		items := make([][]byte, len(e.Elements))
		for i, v := range e.Elements {
			items[i] = v.Value
		}
		_, err = tx.List(name).PushBack(items...)
	default:
		err = fmt.Errorf("type %v cannot be loaded", e.Type)
	}
	return err
}

// expire sets the deadlines of the elements that have one, with one call for each row of
// elements that share it.
func expire(e *Entry, set func(time.Time, typed.Cond, ...string) (int, error)) error {
	var names []string
	for i, v := range e.Elements {
		if v.Expires.IsZero() {
			continue
		}
		names = append(names, v.Name)
		if i+1 < len(e.Elements) && e.Elements[i+1].Expires.Equal(v.Expires) {
			continue
		}
		if _, err := set(v.Expires, 0, names...); err != nil {
			return err
		}
		names = names[:0]
	}
	return nil
}
