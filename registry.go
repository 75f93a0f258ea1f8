package siltstone

import (
	"errors"
	"fmt"
	"math"

	"github.com/siltstonedb/siltstone/internal/base"
	"github.com/siltstonedb/siltstone/internal/engine/rows"
	"github.com/siltstonedb/siltstone/internal/keyenc"
	"github.com/siltstonedb/siltstone/internal/keyspace"
	"github.com/siltstonedb/siltstone/internal/record"
)

// Keyspace returns the keyspace called name, which it makes if there is none.
// Names are 1 to MaxKeyspaceName bytes, any bytes; ErrEmptyKey and
// ErrKeyTooLarge refuse others. A store that is open for reading has no
// keyspaces but those it has: a missing one is ErrNotFound.
//
// Making one is a commit of its own, durable on return at any
// Options.Durability. Asking again for one that is there costs a look-up in a
// map, so that a handle need not be kept; all callers get the same.
func (db *DB) Keyspace(name string) (*Keyspace, error) {
	if err := keyspace.CheckName(name); err != nil {
		return nil, err
	}
	if err := db.life.ClosedErr(); err != nil {
		return nil, err
	}
	if space := db.spaces.Get(name); space != nil {
		return space.Handle.(*Keyspace), nil
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	space, err := db.findKeyspace(name)
	if errors.Is(err, ErrNotFound) && !db.opts.ReadOnly {
		space, err = db.makeKeyspace(name)
	}
	if err != nil {
		return nil, err
	}
	return space.Handle.(*Keyspace), nil
}

// Keyspaces returns the names of all named keyspaces, in bytewise order.
func (db *DB) Keyspaces() ([]string, error) {
	rs := db.states.Hold()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Drop(rs)
	var names []string
	v := rows.View{State: rs, Seq: base.SeqNum(db.visible.Load()), Now: db.clock.Now()}
	err := rows.Registry(db.rows, v, func(name string, _ []byte) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// DropKeyspace ends the keyspace called name, with all it holds, at a cost that
// does not depend on how much that is; ErrNotFound if there is none. It is
// durable on return. The disk space comes back by itself.
//
// A handle of a dropped keyspace stays one: whatever is asked of it is
// ErrDropped, and a commit that has something to do with it is refused. What was
// begun before, a snapshot, a transaction or an iterator, still reads what it
// held. A keyspace made under the same name is another one, and empty.
func (db *DB) DropKeyspace(name string) error {
	if err := keyspace.CheckName(name); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	ks, err := db.findKeyspace(name)
	if err != nil {
		return err
	}
	c := newChange()
	defer c.free()
	row := record.Op{Attr: base.MakeAttr(base.KindDelete, 0, false), Key: keyenc.AppendRegistryRow(nil, name)}
	if err := c.addOp(row); err != nil {
		return err
	}
	if err := c.appendRangeDelete(ks.Prefix(), base.Successor(ks.Prefix())); err != nil {
		return err
	}
	c.drops = []*keyspace.Space{ks}
	return db.drop(c)
}

// DropAll ends all named keyspaces, as DropKeyspace does, and deletes all keys
// of the default one, in one commit that costs the same however much there is.
// It is durable on return. Collection ids and keyspace numbers go on from where
// they are.
func (db *DB) DropAll() error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	db.spaces.Changing.Lock()
	defer db.spaces.Changing.Unlock()
	c := newChange()
	defer c.free()
	for _, bounds := range [][2][]byte{
		bounds(keyenc.TimerRange(math.MaxInt64 - 1)),
		bounds(keyenc.RegistryRange()),
		{{keyenc.SpaceKeys}, {keyenc.SpaceElements + 1}},
		{{keyenc.SpaceNamed}, {keyenc.SpaceNamed + 1}},
	} {
		if err := c.appendRangeDelete(bounds[0], bounds[1]); err != nil {
			return err
		}
	}
	c.drops = db.spaces.All()
	return db.drop(c)
}

func bounds(lo, hi []byte) [2][]byte { return [2][]byte{lo, hi} }

// drop commits c, which drops keyspaces, and forgets their handles.
func (db *DB) drop(c *change) error {
	c.urgent = true // it holds the registry: nobody who waits for that may be waited for
	err := db.commit(c, Sync)
	db.spaces.Forget(c.drops...)
	return err
}

// findKeyspace returns the keyspace called name if there is one. The caller
// holds the registry.
func (db *DB) findKeyspace(name string) (*keyspace.Space, error) {
	if ks := db.spaces.Get(name); ks != nil {
		return ks, nil
	}
	rs, n := db.states.Pin()
	if rs == nil {
		return nil, ErrClosed
	}
	defer db.states.Unpin(rs, n)
	row := keyenc.AppendRegistryRow(nil, name)
	f, err := rs.Get(row, base.HashRow(row), base.SeqNum(db.visible.Load()))
	switch {
	case err != nil:
		return nil, db.states.ReadError(err)
	case !f.OK:
		return nil, ErrNotFound
	case keyspace.Number(f.Value) == 0:
		return nil, fmt.Errorf("%w: keyspace %q has the prefix %x", ErrCorruption, name, f.Value)
	}
	return db.handOut(name, keyspace.Number(f.Value)), nil
}

// makeKeyspace makes the keyspace called name. The caller holds the registry.
func (db *DB) makeKeyspace(name string) (*keyspace.Space, error) {
	number, err := db.set.NewKeyspaceNumber()
	if err != nil {
		return nil, err
	}
	c := newChange()
	defer c.free()
	row := record.Op{
		Attr: base.MakeAttr(base.KindPut, uint8(record.TypeNone), false),
		Key:  keyenc.AppendRegistryRow(nil, name), Value: keyspace.Prefix(number),
	}
	if err := c.addOp(row); err != nil {
		return nil, err
	}
	c.urgent = true
	if err := db.commit(c, Sync); err != nil {
		return nil, err
	}
	return db.handOut(name, number), nil
}

// handOut makes the one handle of a keyspace.
func (db *DB) handOut(name string, number uint32) *keyspace.Space {
	space := keyspace.New(name, number)
	space.Handle = &Keyspace{db: db, space: space}
	db.spaces.Add(space)
	return space
}
